"""Reading what comes from outside: account values and vendors' JSON, without ever raising over it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, TypeVar
from urllib.parse import urlsplit

import msgspec

from contracts.masked import Secret
from shared.providers.forms import form_pairs
from shared.providers.provider import Problem

Shape = TypeVar("Shape")

MICROS_MAX = 1_000_000 * 1_000_000
"""No message costs a million."""


_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def decoded(decoder: msgspec.json.Decoder[Shape], body: bytes) -> Shape | None:
    """The body in the decoder's shape, None for anything else."""
    try:
        return decoder.decode(body.removeprefix(_BYTE_ORDER_MARK))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def text_of(values: Mapping[str, Any], name: str) -> str:
    """A field's text without surrounding space, "" where it is missing or no text."""
    value = values.get(name)
    return str(value).strip() if isinstance(value, str) else ""


def config_of(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """The account's `config`, {} where it is missing or no object."""
    config = values.get("config")
    return config if isinstance(config, Mapping) else {}


def missing(values: Mapping[str, Any], *names: str) -> list[Problem]:
    """One problem per field that has no text."""
    return [Problem(name, "is required") for name in names if not text_of(values, name)]


def with_control_characters(values: Mapping[str, Any], *names: str) -> list[Problem]:
    """One problem per field that could not go into a header or URL."""
    return [
        Problem(name, "must not hold control characters")
        for name in names
        if any(character < " " or character == "\x7f" for character in text_of(values, name))
    ]


def secrets_of(config: Mapping[str, Any], name: str) -> tuple[Secret, ...]:
    """The secrets in a field of the account's `config`: one, or a list of all that are good at the moment."""
    value = config.get(name)
    given = value if isinstance(value, list) else [value]
    return tuple(Secret(one.strip()) for one in given if isinstance(one, str) and one.strip())


def query_of(url: str) -> dict[str, str]:
    """The query's fields, of a repeated one the last."""
    return dict(form_pairs(url.partition("#")[0].partition("?")[2]))


def time_of(text: str | None) -> datetime | None:
    """A time in ISO 8601, as UTC where it names no zone; None for anything else."""
    try:
        moment = datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment


def micros_of(amount: str | float | None, currency: str | None) -> tuple[int, str] | None:
    """An amount of money in millionths, with its currency; None for what is none."""
    if amount is None or not currency:
        return None
    try:
        micros = int((Decimal(str(amount)) * 1_000_000).to_integral_value())
    except (ArithmeticError, ValueError):
        return None
    return (abs(micros), currency) if abs(micros) < MICROS_MAX else None


def seen_before(time: datetime | None, earliest: datetime) -> bool:
    """True where the time is known and earlier."""
    return time is not None and time < earliest


def is_plain_url(url: str) -> bool:
    """An http(s) URL of a host and perhaps a port and a path, to which a path can be added."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    has_more = parts.username is not None or any(character in url for character in "?#\\ ") or not url.isprintable()
    return parts.scheme in ("http", "https") and bool(parts.hostname) and port != 0 and not has_more


def host_of(url: str) -> str:
    """The host in lower case, or "" for what is no http(s) URL."""
    try:
        parts = urlsplit(url)
        return (parts.hostname or "") if parts.scheme in ("http", "https") else ""
    except ValueError:
        return ""
