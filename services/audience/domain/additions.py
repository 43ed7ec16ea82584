"""Recipients that are added to a campaign one by one, by customer or by address."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any
from uuid import UUID

from contracts.channels import Channel
from contracts.content import is_customer_variable
from services.audience.domain.customers import (
    FieldError,
    InvalidRow,
    read_customer_id,
    read_device_token,
    read_device_type,
    read_phone_number,
)

NAME_LENGTH_MAX = 200
VALUE_LENGTH_MAX = 1_000
_READ_ADDRESS: Mapping[str, Callable[[Any, str | None], str]] = {
    "phone_number": read_phone_number,
    "device_token": lambda value, _country: read_device_token(value),
}


@dataclass(slots=True)
class Addition:
    """Either `customer_id` or `address` is set."""

    customer_id: str | None = None
    address: str | None = None
    device_type: str | None = None
    recipient_name: str | None = None
    personalization_data: dict[str, str] = field(default_factory=dict)

    @property
    def digest(self) -> UUID:
        """The same for the same person, so that adding twice adds once."""
        key = f"customer {self.customer_id}" if self.customer_id is not None else f"address {self.address}"
        return UUID(bytes=blake2b(key.encode(), digest_size=16).digest())


def read_addition(values: Mapping[str, Any], channel: Channel) -> Addition:
    """The recipient in a row of camelCase names; raises `InvalidRow` naming every field that is wrong."""
    addition = Addition()
    errors: list[FieldError] = []
    given = {name: value for name, value in values.items() if value is not None and value != ""}
    country = given.get("country")
    for name, value in given.items():
        try:
            if name == "customerId":
                addition.customer_id = read_customer_id(value)
            elif name == channel.address_field:
                addition.address = read_address(value, channel, country)
            elif name == "deviceType":
                addition.device_type = read_device_type(value)
            elif name == "recipientName":
                addition.recipient_name = _value(value, NAME_LENGTH_MAX)
            elif name == "personalizationData":
                addition.personalization_data.update(_personalization(value))
            elif is_customer_variable(name):
                addition.personalization_data[name] = _value(value, VALUE_LENGTH_MAX)
            else:
                raise ValueError("unknown field")
        except ValueError as problem:
            errors.append(FieldError(name, str(problem)))
    wrong = {error.field for error in errors}
    if not wrong & {"customerId", channel.address_field} and (addition.customer_id is None) == (
        addition.address is None
    ):
        errors.append(FieldError(channel.address_field, f"give either customerId or {channel.address_field}"))
    if errors:
        raise InvalidRow(errors)
    return addition


def read_address(value: Any, channel: Channel, country: Any = None) -> str:
    """An address of the channel in its normal form; raises `ValueError` whose text does not show it."""
    return _READ_ADDRESS[channel.address_column](value, country.upper() if isinstance(country, str) else None)


def is_known_column(name: str, channel: Channel) -> bool:
    """Whether a CSV file of recipients may have the column."""
    known = ("customerId", channel.address_field, "deviceType", "recipientName", "country")
    return name in known or is_customer_variable(name)


def _personalization(value: Any) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise ValueError("must be an object")
    found = {}
    for name, entry in value.items():
        if not isinstance(name, str) or not 0 < len(name) <= 80 or "\x00" in name:
            raise ValueError("names have 1 to 80 characters")
        if entry is not None:
            found[name] = _value(entry, VALUE_LENGTH_MAX)
    return found


def _value(value: Any, length_max: int) -> str:
    if isinstance(value, bool):
        value = "true" if value else "false"
    if isinstance(value, int | float):
        value = str(value)
    if not isinstance(value, str) or len(value) > length_max or "\x00" in value:
        raise ValueError(f"must be text of at most {length_max} characters")
    return value
