"""The command line: `python -m notify`."""
