"""Names of columns as JSON spells them."""

from __future__ import annotations

from functools import lru_cache

from pydantic.alias_generators import to_camel

camel = lru_cache(maxsize=1_024)(to_camel)
"""`phone_number` as `phoneNumber`; remembered, because lists ask it for every cell."""
