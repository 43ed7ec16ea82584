"""Reading what comes from outside: account values and vendors' JSON, without ever raising over it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import urlsplit

import msgspec

from shared.providers.provider import Problem

Shape = TypeVar("Shape")


def decoded(decoder: msgspec.json.Decoder[Shape], body: bytes) -> Shape | None:
    """The body in the decoder's shape, None for anything else."""
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
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


def seen_before(time: datetime | None, earliest: datetime) -> bool:
    """True where the time is known and earlier."""
    return time is not None and time < earliest


def host_of(url: str) -> str:
    """The host in lower case, or "" for what is no http(s) URL."""
    try:
        parts = urlsplit(url)
        return (parts.hostname or "") if parts.scheme in ("http", "https") else ""
    except ValueError:
        return ""
