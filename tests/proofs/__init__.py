"""Long proofs, one module each: `make prove-NAME`. They leave their tables in docs/proofs/."""
