"""Customers as they come in rows of CSV, JSON lines and HTTP bodies: read field by field, refused with the field named.

An empty or absent value leaves what is stored; it never clears anything.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from zoneinfo import available_timezones

from services.audience.domain.phones import InvalidPhoneNumber, normalise_phone_number

ATTRIBUTES_MAX = 50
ATTRIBUTE_LENGTH_MAX = 1_000
DEVICES_MAX = 20
DEVICE_TOKEN_LENGTH_MAX = 2_000
CATEGORIES_MAX = 50
DEVICE_TYPES = ("ios", "android", "web", "unknown")
ATTRIBUTE_PREFIX = "attributes."

_ATTRIBUTE_NAME = re.compile(r"[A-Za-z0-9_]{1,64}")
_INSTALLATION = re.compile(r"[A-Za-z0-9_-]{22}")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_COUNTRY = re.compile(r"[A-Za-z]{2}")
_LOCALE = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8}){0,3}")
_CATEGORY = re.compile(r"[a-z0-9_-]{1,50}")
_TOKEN = re.compile(r"[\x21-\x7e]+")
_BOOLEANS: Mapping[Any, bool] = {
    **dict.fromkeys(("true", "1", "yes", "y", "t"), True),
    **dict.fromkeys(("false", "0", "no", "n", "f"), False),
}


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with one field; `reason` never repeats the value."""

    field: str
    reason: str


class InvalidRow(ValueError):
    """A row that cannot be used; `errors` has at least one entry."""

    def __init__(self, errors: list[FieldError]) -> None:
        super().__init__("; ".join(f"{error.field}: {error.reason}" for error in errors))
        self.errors = errors


class _Invalid(ValueError):
    pass


@dataclass(slots=True)
class Device:
    """One installation of an app. `installation_id` is Firebase's, which is to replace its tokens."""

    device_token: str
    device_type: str = "unknown"
    last_seen_at: datetime | None = None
    installation_id: str | None = None


@dataclass(slots=True)
class Customer:
    """What one row says about a customer; None says nothing."""

    customer_id: str = ""
    phone_number: str | None = None
    email: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    country: str | None = None
    locale: str | None = None
    time_zone: str | None = None
    last_seen_at: datetime | None = None
    sms_opted_in: bool | None = None
    push_opted_in: bool | None = None
    marketing_opted_in: bool | None = None
    transactional_opted_in: bool | None = None
    sms_categories: list[str] | None = None
    push_categories: list[str] | None = None
    attributes: dict[str, Any] = field(default_factory=dict)
    devices: list[Device] = field(default_factory=list)

    @property
    def consent_left_out(self) -> list[str]:
        """What it does not say: if the customer agreed to marketing, or to a channel that it brings an address of."""
        left_out = {
            "smsOptedIn": self.phone_number is not None and self.sms_opted_in is None,
            "pushOptedIn": bool(self.devices) and self.push_opted_in is None,
            "marketingOptedIn": self.marketing_opted_in is None,
        }
        return [name for name, is_left_out in left_out.items() if is_left_out]

    def merge(self, later: Customer) -> None:
        """Takes over what a later row of the same customer says."""
        for name in _MERGED:
            value = getattr(later, name)
            if value is not None:
                setattr(self, name, value)
        self.attributes.update(later.attributes)
        self.devices = [*self.devices, *later.devices][-DEVICES_MAX:]


_MERGED = tuple(name for name in Customer.__slots__ if name not in ("customer_id", "attributes", "devices"))


def read_customer(values: Mapping[str, Any]) -> Customer:
    """The customer in a row of camelCase names; raises `InvalidRow` naming every field that is wrong."""
    customer = Customer()
    errors: list[FieldError] = []
    for name, value in values.items():
        if value is None or value == "":
            continue
        reader = _FIELDS.get(name)
        try:
            if reader is not None:
                setattr(customer, reader[0], reader[1](value))
            elif name.startswith(ATTRIBUTE_PREFIX):
                customer.attributes.update(_attributes({name[len(ATTRIBUTE_PREFIX) :]: value}))
            elif name not in _LATER:
                raise _Invalid("unknown field")
        except _Invalid as problem:
            errors.append(FieldError(name, str(problem)))
    if not customer.customer_id and not any(error.field == "customerId" for error in errors):
        errors.append(FieldError("customerId", "is required"))
    if phone_number := values.get("phoneNumber"):
        try:
            customer.phone_number = read_phone_number(phone_number, customer.country)
        except ValueError as problem:
            errors.append(FieldError("phoneNumber", str(problem)))
    if values.get("deviceToken"):
        try:
            customer.devices.append(read_device(values))
        except InvalidRow as row:
            errors.extend(row.errors)
    if len(customer.attributes) > ATTRIBUTES_MAX:
        errors.append(FieldError("attributes", f"at most {ATTRIBUTES_MAX} are allowed"))
    if errors:
        raise InvalidRow(errors)
    return customer


def read_device(values: Mapping[str, Any]) -> Device:
    """The device in `deviceToken`, `deviceType` and `lastSeenAt`; raises `InvalidRow`."""
    errors: list[FieldError] = []
    found: dict[str, Any] = {}
    for name, attribute, read in _DEVICE_FIELDS:
        value = values.get(name)
        try:
            if value is not None and value != "":
                found[attribute] = read(value)
            elif name == "deviceToken":
                raise _Invalid("is required")
        except _Invalid as problem:
            errors.append(FieldError(name, str(problem)))
    if errors:
        raise InvalidRow(errors)
    return Device(**found)


def read_phone_number(value: Any, country: str | None) -> str:
    """The number as E.164; raises `ValueError` whose text does not show it."""
    if not isinstance(value, str):
        raise InvalidPhoneNumber("must be text")
    return normalise_phone_number(value, country)


def read_device_token(value: Any) -> str:
    """The token; raises `ValueError` whose text does not show it."""
    token = _text(value, DEVICE_TOKEN_LENGTH_MAX)
    if not _TOKEN.fullmatch(token):
        raise _Invalid("must be printable ASCII without spaces")
    return token


def read_categories(value: Any) -> list[str]:
    """Categories as a list, or as text separated by `;`; raises `ValueError`."""
    entries = value.split(";") if isinstance(value, str) else value
    if not isinstance(entries, list) or len(entries) > CATEGORIES_MAX:
        raise _Invalid(f"must be a list of at most {CATEGORIES_MAX} categories")
    found = []
    for entry in entries:
        if not isinstance(entry, str) or not _CATEGORY.fullmatch(category := entry.strip().lower()):
            raise _Invalid("a category has 1 to 50 lower-case letters, digits, - or _")
        found.append(category)
    return sorted(set(found))


def read_customer_id(value: Any) -> str:
    """The tenant's own id of a customer; raises `ValueError`."""
    return _text(value, 200)


def unknown_columns(header: list[str]) -> list[str]:
    """The columns of a CSV file that no field takes."""
    known = _FIELDS.keys() | _LATER
    return [name for name in header if name not in known and not _is_attribute_column(name)]


def is_attribute_name(name: str) -> bool:
    """Whether customers may have an attribute of this name."""
    return _ATTRIBUTE_NAME.fullmatch(name) is not None


def _is_attribute_column(name: str) -> bool:
    return name.startswith(ATTRIBUTE_PREFIX) and is_attribute_name(name[len(ATTRIBUTE_PREFIX) :])


def _text(value: Any, length_max: int) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise _Invalid("must be text")
    text = value.strip()
    if not text:
        raise _Invalid("must not be blank")
    if len(text) > length_max:
        raise _Invalid(f"has at most {length_max} characters")
    if "\x00" in text:
        raise _Invalid("must not contain the character U+0000")
    return text


def _matching(pattern: re.Pattern[str], length_max: int, message: str) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        text = _text(value, length_max)
        if not pattern.fullmatch(text):
            raise _Invalid(message)
        return text

    return read


def _up_to(length_max: int) -> Callable[[Any], str]:
    return lambda value: _text(value, length_max)


def _country(value: Any) -> str:
    text = _text(value, 10)
    if not _COUNTRY.fullmatch(text):
        raise _Invalid("must be a country code of two letters, such as DE")
    return text.upper()


@lru_cache(maxsize=1)
def _time_zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _time_zone(value: Any) -> str:
    text = _text(value, 64)
    if text not in _time_zones():
        raise _Invalid("must be a time zone of the IANA database, such as Europe/Berlin")
    return text


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    known = _BOOLEANS.get(value.strip().lower()) if isinstance(value, str) else None
    if known is None:
        raise _Invalid("must be true or false")
    return known


def _moment(value: Any) -> datetime:
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise _Invalid("must be a time such as 2026-01-31T09:00:00Z") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def read_device_type(value: Any) -> str:
    """One of `DEVICE_TYPES`; raises `ValueError`."""
    text = _text(value, 20).lower()
    if text not in DEVICE_TYPES:
        raise _Invalid(f"must be one of {', '.join(DEVICE_TYPES)}")
    return text


def _attributes(value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise _Invalid("must be an object")
    found: dict[str, Any] = {}
    for name, entry in value.items():
        if not is_attribute_name(name):
            raise _Invalid("names have 1 to 64 letters, digits or _")
        if entry is None or entry == "":
            continue
        if isinstance(entry, list) and all(isinstance(item, str) for item in entry):
            joined = "".join(entry)
        elif isinstance(entry, str | int | float | bool):
            joined = str(entry)
        else:
            raise _Invalid("values are texts, numbers, booleans or lists of texts")
        if len(joined) > ATTRIBUTE_LENGTH_MAX:
            raise _Invalid(f"a value has at most {ATTRIBUTE_LENGTH_MAX} characters")
        if "\x00" in joined:
            raise _Invalid("must not contain the character U+0000")
        found[name] = entry
    return found


def _devices(value: Any) -> list[Device]:
    if not isinstance(value, list) or len(value) > DEVICES_MAX:
        raise _Invalid(f"must be a list of at most {DEVICES_MAX} devices")
    found = []
    for position, entry in enumerate(value):
        if not isinstance(entry, Mapping):
            raise _Invalid("must be a list of objects")
        try:
            found.append(read_device(entry))
        except InvalidRow as row:
            raise _Invalid(f"{position}.{row}") from None
    return found


_FIELDS: Mapping[str, tuple[str, Callable[[Any], Any]]] = {
    "customerId": ("customer_id", read_customer_id),
    "email": ("email", _matching(_EMAIL, 320, "must be an e-mail address")),
    "firstName": ("first_name", _up_to(200)),
    "lastName": ("last_name", _up_to(200)),
    "country": ("country", _country),
    "locale": ("locale", _matching(_LOCALE, 35, "must be a locale such as de or en-US")),
    "timeZone": ("time_zone", _time_zone),
    "lastSeenAt": ("last_seen_at", _moment),
    "smsOptedIn": ("sms_opted_in", _boolean),
    "pushOptedIn": ("push_opted_in", _boolean),
    "marketingOptedIn": ("marketing_opted_in", _boolean),
    "transactionalOptedIn": ("transactional_opted_in", _boolean),
    "smsCategories": ("sms_categories", read_categories),
    "pushCategories": ("push_categories", read_categories),
    "attributes": ("attributes", _attributes),
    "devices": ("devices", _devices),
}
_LATER = frozenset({"phoneNumber", "deviceToken", "deviceType", "installationId"})
_DEVICE_FIELDS = (
    ("deviceToken", "device_token", read_device_token),
    ("deviceType", "device_type", read_device_type),
    ("lastSeenAt", "last_seen_at", _moment),
    ("installationId", "installation_id", _matching(_INSTALLATION, 22, "must be a Firebase installation id")),
)
