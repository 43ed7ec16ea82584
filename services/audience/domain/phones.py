"""Phone numbers to E.164, with `phonenumbers`' own metadata as the judge of validity.

A number that is already E.164 is judged by one compiled expression per country calling code, made of the metadata's
patterns: about 1 µs instead of 30. Everything else goes through `phonenumbers` itself.
"""

from __future__ import annotations

import re
from functools import lru_cache

import phonenumbers

LENGTH_MAX = 40
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_TYPES = (
    "fixed_line", "mobile", "toll_free", "premium_rate", "shared_cost", "personal_number", "voip", "pager", "uan",
    "voicemail",
)  # fmt: skip
_REGIONS = frozenset(phonenumbers.SUPPORTED_REGIONS)
_CALLING_CODES: dict[str, list[str]] = {
    str(code): list(regions) for code, regions in phonenumbers.COUNTRY_CODE_TO_REGION_CODE.items()
}
UNKNOWN_COUNTRY = "ZZ"
"""ISO 3166 gives this code to nobody."""

_COUNTRY_PREFIX = 8
"""Characters that decide between the countries of a shared calling code: plus sign, code, and the longest prefix."""
_COUNTRIES_KEPT_MAX = 1 << 16
_countries: dict[str, str] = {}


class InvalidPhoneNumber(ValueError):
    """The text says what is wrong, without the number."""


def normalise_phone_number(text: str, country: str | None) -> str:
    """The number as E.164; national formats are read as of `country` (ISO 3166 alpha-2)."""
    text = text.strip()
    if _E164.fullmatch(text) and _is_valid_e164(text):
        return text
    if len(text) > LENGTH_MAX:
        raise InvalidPhoneNumber(f"a phone number has at most {LENGTH_MAX} characters")
    region = country if country in _REGIONS else None
    if region is None and not text.startswith(("+", "＋", "00")):
        raise InvalidPhoneNumber("needs a country code (+…) or the customer's country")
    if region is None and text.startswith("00"):
        text = "+" + text[2:]
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        raise InvalidPhoneNumber("not a phone number") from None
    if not phonenumbers.is_valid_number(number):
        raise InvalidPhoneNumber("not a valid phone number of its country")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _is_valid_e164(text: str) -> bool:
    for length in (1, 2, 3):
        code = text[1 : 1 + length]
        if code in _CALLING_CODES:
            return _pattern(code).fullmatch(text, 1 + length) is not None
    return False


@lru_cache(maxsize=256)
def _pattern(calling_code: str) -> re.Pattern[str]:
    """The national numbers that are valid in a region of the calling code. A leading zero may be part of a number."""
    alternatives = []
    for region in _CALLING_CODES[calling_code]:
        metadata = (
            phonenumbers.PhoneMetadata.metadata_for_nongeo_region(int(calling_code), None)
            if region == "001"
            else phonenumbers.PhoneMetadata.metadata_for_region(region, None)
        )
        if metadata is None:
            continue
        descriptions = [getattr(metadata, name) for name in ("general_desc", *_TYPES)]
        patterns = [getattr(description, "national_number_pattern", None) for description in descriptions]
        general, *kinds = [pattern for pattern in patterns if pattern]
        alternatives.append(f"(?=(?:{general})$)(?:{'|'.join(kinds)})")
    return re.compile("|".join(f"(?:{alternative})" for alternative in alternatives) or "(?!)")


def country_of(number: str) -> str:
    """The country of a valid E.164 number (ISO 3166 alpha-2), or `UNKNOWN_COUNTRY`.

    Where several share a calling code, numbers that begin alike are of one country, so most are judged by a look-up.
    """
    for length in (1, 2, 3):
        regions = _CALLING_CODES.get(number[1 : 1 + length])
        if regions is not None:
            return _country_among(regions, number) if len(regions) > 1 else regions[0]
    return UNKNOWN_COUNTRY


def _country_among(regions: list[str], number: str) -> str:
    prefix = number[:_COUNTRY_PREFIX]
    country = _countries.get(prefix)
    if country is None:
        if len(_countries) >= _COUNTRIES_KEPT_MAX:
            _countries.clear()
        country = _countries[prefix] = phonenumbers.region_code_for_number(phonenumbers.parse(number)) or regions[0]
    return country
