"""Questions by whose answers somebody could put together an address that they see in part."""

from __future__ import annotations

from typing import Any

from contracts.http.filters import conditions_of
from services.gateway.domain.masking import ADDRESS_FIELDS


def tells_addresses(audience_filter: Any) -> bool:
    """Whether the number of people whom the filter finds tells more of an address than that one whole address is known,
    or that somebody has none."""
    asked = [one for one in conditions_of(audience_filter) if one["field"] in ADDRESS_FIELDS]
    named = [one for one in asked if one.get("op") != "exists"]
    return len(named) > 1 or any(one.get("op") != "eq" for one in named)
