"""Names of columns as JSON spells them."""

from __future__ import annotations

from functools import lru_cache


@lru_cache(maxsize=1_024)
def camel(name: str) -> str:
    """`phone_number` as `phoneNumber`; remembered, because lists ask it for every cell."""
    head, *tail = name.split("_")
    return head + "".join(part.title() for part in tail)
