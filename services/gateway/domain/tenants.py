"""What a tenant sets for itself."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TenantSettings:
    """`approval_above`: campaigns to more recipients need a second person; None: none do. `requests_per_minute`: of
    each key and each session; None: as many as the operator allows. `business_name`: as customers read it on their own
    page; None: the user id."""

    approval_above: int | None = None
    requests_per_minute: int | None = None
    business_name: str | None = None
