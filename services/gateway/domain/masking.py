"""Addresses of people in answers to people: a part of each, until somebody asks for one in full and is written down."""

from __future__ import annotations

from typing import Any

from contracts.masked import masked_phone_number

ADDRESS_FIELDS = frozenset({"phoneNumber", "deviceToken"})
TOKEN_SHOWN = 6


def masked_address(address: str) -> str:
    """A phone number without its middle, the end of a device token. What is masked already stays as it is."""
    return masked_phone_number(address) if address.startswith("+") else f"…{address[-TOKEN_SHOWN:]}"


def without_addresses(answer: Any) -> Any:
    """The JSON document with every address in it masked."""
    if isinstance(answer, list):
        return [without_addresses(one) for one in answer]
    if not isinstance(answer, dict):
        return answer
    return {
        name: masked_address(value) if name in ADDRESS_FIELDS and isinstance(value, str) else without_addresses(value)
        for name, value in answer.items()
    }
