"""Whose a dead letter is, what of its contents people see, and what they can do about it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from contracts.masked import masked_phone_number
from contracts.topics import TOPICS

CONTENTS_BYTES_MAX = 65_536
"""Of longer records nothing is shown."""

_OF_A_TENANT = frozenset(topic.name for topic in TOPICS if topic.key == "user id")
_SHOWN = frozenset(
    {
        "type",
        "eventId",
        "occurredAt",
        "userId",
        "requestId",
        "channel",
        "category",
        "customerId",
        "templateId",
        "providerId",
        "expiresAt",
        "testOf",
    }
)
"""Fields of our events that say what a record is about and hold no address and no text."""

_PLAIN = re.compile(r"[\w.:+-]{1,64}", re.ASCII)
_PHONE_NUMBER = re.compile(r"\+?\d{6,}")


def tenant_of(topic: str, key: bytes, value: bytes) -> str | None:
    """The user id that is the record's key, unless its contents name another one; None where no key is one."""
    if topic not in _OF_A_TENANT:
        return None
    try:
        tenant = key.decode()
    except UnicodeDecodeError:
        return None
    document = _document_of(value)
    return tenant if document is None or document.get("userId", tenant) == tenant else None


def contents_of(value: bytes) -> dict[str, str] | None:
    """The record's fields: those that hold neither addresses nor texts, and of all others what kind they are.

    None where they cannot be told apart, because the record is no JSON object or too long.
    """
    document = _document_of(value) if len(value) <= CONTENTS_BYTES_MAX else None
    if document is None:
        return None
    return {name: _shown(name, one) for name, one in document.items() if _PLAIN.fullmatch(name)}


def advice_for(reason: str) -> str:
    """What to do about a letter."""
    if reason.startswith("not a record of"):
        return (
            "The program that wrote it sent something else than was agreed. Mend that program and let it send again; "
            "putting this one back would end the same way."
        )
    if reason.startswith("unexpected"):
        return "This is a fault of ours. Put it back when your operator says that the fault is mended."
    return (
        "What it asks for was not possible when it came. If that has changed, for example because the customer or "
        "template is there now, put it back. If not, mend the program that sent it."
    )


def _document_of(value: bytes) -> Mapping[str, Any] | None:
    try:
        document = json.loads(value)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _shown(name: str, value: Any) -> str:
    if isinstance(value, str):
        if _PHONE_NUMBER.fullmatch(value):
            return masked_phone_number(value)
        return value if name in _SHOWN and _PLAIN.fullmatch(value) else f"{len(value)} characters"
    if isinstance(value, dict | list):
        return f"{len(value)} {'fields' if isinstance(value, dict) else 'entries'}"
    return "nothing" if value is None else "a number, or yes or no"
