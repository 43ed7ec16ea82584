"""What a tenant sets for itself."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TenantSettings:
    """`approval_above`: campaigns to more recipients need a second person; None: none do. `requests_per_minute`: of
    each key and each session; None: as many as the operator allows."""

    approval_above: int | None = None
    requests_per_minute: int | None = None
