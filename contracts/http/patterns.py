"""Forms that a text must have, and what to say of one that has not."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

EMAIL_ADDRESS = r"^[^\s@]{1,64}@[^\s@]+\.[^\s@.]+$"
CATEGORY = r"^[a-z][a-z0-9_-]{0,39}$"
LINK = r"^[A-Za-z][A-Za-z0-9+.-]*:.+"

PATTERN_WORDS: Mapping[str, str] = MappingProxyType(
    {
        EMAIL_ADDRESS: "must be an e-mail address, such as ada@example.com",
        CATEGORY: "must have at most 40 small letters, digits, - and _, a letter first, such as marketing",
        LINK: "must be an address with its scheme, such as https://example.com/sale or shop:cart",
    }
)
