"""One body for many recipients: it holds what their texts share, and names as parameters what differs.

https://developers.sinch.com/docs/sms/resources/message-info/message-parameterization
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from shared.providers.provider import Message

TEXT_MAX = 2000
"""Characters of a body."""

_VALUE_MAX = 160
"""Characters of a parameter's value: the limit of Sinch's earlier documentation, where that of today names none."""

_SHARED_MAX = 1600
"""Characters of a body that leave room for the names of parameters."""

_PLACEHOLDER = re.compile(r"\$\{([A-Za-z0-9._-]{1,16})\}")

Parameters = Mapping[str, Mapping[str, str]]
"""By name and address."""


def may_be_too_long(text: str) -> bool:
    """Whether Sinch could refuse it: what is not ASCII may count twice."""
    return len(text) * (1 if text.isascii() else 2) > TEXT_MAX


def bytes_of(text: str) -> int:
    """The most that a text takes up in JSON, should all that is not ASCII be written as `\\uXXXX`."""
    return 5 * len(text.encode()) - 4 * len(text)


def written(messages: Sequence[Message]) -> tuple[str, Parameters]:
    """The body and the parameters that give each recipient their own text."""
    texts = [message.text for message in messages]
    first = texts[0]
    if len(first) > TEXT_MAX or ("${" not in first and all(text == first for text in texts)):
        return first, {}
    prefix, suffix = _shared(texts)
    values = {str(message.address): message.text[len(prefix) : len(message.text) - len(suffix)] for message in messages}
    size = _VALUE_MAX if all(map(str.isascii, values.values())) else _VALUE_MAX // 2
    starts = range(0, max(map(len, values.values())), size)
    parameters = {
        f"t{start}": {address: value[start : start + size] for address, value in values.items()} for start in starts
    }
    return prefix + "".join([f"${{{name}}}" for name in parameters]) + suffix, parameters


def text_to(address: str, body: str, parameters: Parameters) -> str:
    """What the recipient is sent; Sinch may have left the plus sign out of an address."""
    if not parameters:
        return body
    digits = address.lstrip("+")

    def value(match: re.Match[str]) -> str:
        values = parameters.get(match[1], {})
        return values.get(digits, values.get(f"+{digits}", values.get("default", match[0])))

    return _PLACEHOLDER.sub(value, body)


def _shared(texts: Sequence[str]) -> tuple[str, str]:
    """How all texts begin and end: nothing that could be taken for a parameter, and something is left of each."""
    most = max(min(min(map(len, texts)) - 1, _SHARED_MAX), 0)
    prefix = _beginning(texts)[:most].rstrip("$")
    left = most - len(prefix)
    suffix = _beginning([text[len(text) - left :][::-1] for text in texts])[::-1]
    return ("", "") if "${" in prefix or "${" in suffix else (prefix, suffix)


def _beginning(texts: Sequence[str]) -> str:
    least, most = min(texts), max(texts)
    differing = (at for at, (one, other) in enumerate(zip(least, most, strict=False)) if one != other)
    return least[: next(differing, len(least))]
