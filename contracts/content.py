"""The language of message texts: placeholders, rendering, and how many SMS segments a text takes.

Placeholders are `{{firstName}}`, `{{attributes.plan}}`, `{{unsubscribeUrl}}`, or with a fallback `{{firstName|there}}`.
Segment rules: GSM 03.38 (160 septets alone, 153 a part) and UCS-2 (70 units alone, 67 a part).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

VARIABLES_MAX = 50
LINK_VARIABLES = frozenset({"unsubscribeUrl", "preferencesUrl"})
"""Links that are made for each recipient (`contracts.links`)."""

CUSTOMER_VARIABLES = frozenset({"firstName", "lastName", "fullName", "customerId", "email", "country", "locale"})

SAMPLE_VALUES = {
    "firstName": "Alexandra",
    "lastName": "Lindqvist",
    "fullName": "Alexandra Lindqvist",
    "customerId": "C-1001",
    "email": "alexandra@example.com",
    "country": "SE",
    "locale": "en-SE",
}
"""Of a customer who does not exist, for previews and tests."""

PLACEHOLDER = re.compile(r"\{\{\s*([A-Za-z][A-Za-z0-9_.]{0,79})\s*(?:\|([^{}]{0,80}))?\}\}")
_STRAY = re.compile(r"\{\{|\}\}")
_ATTRIBUTE = re.compile(r"attributes\.[A-Za-z0-9_]{1,64}")


class ContentError(ValueError):
    """A text that cannot become a template; the message names what to change."""


class Unsendable(ValueError):
    """A text cannot be sent to a recipient, for the reason `code`."""

    code: ClassVar[str]


class EmptyText(Unsendable):
    """Nothing is left of a text when the recipient's values are filled in."""

    code = "empty_text"


class MissingVariable(Unsendable):
    """A recipient has no value for a placeholder that has no fallback."""

    code = "missing_variable"

    def __init__(self, name: str) -> None:
        super().__init__(f"no value for {{{{{name}}}}}")
        self.name = name


@dataclass(frozen=True, slots=True)
class Template:
    """A parsed text. `required` are the variables without a fallback, `variables` all of them, both sorted."""

    source: str
    variables: tuple[str, ...]
    required: tuple[str, ...]
    _literals: tuple[str, ...]
    _slots: tuple[tuple[str, str | None], ...]

    def render(self, values: Mapping[str, str]) -> str:
        """The text for one recipient; raises `MissingVariable` rather than leaving a hole."""
        if not self._slots:
            return self.source
        parts = [self._literals[0]]
        for (name, fallback), literal in zip(self._slots, self._literals[1:], strict=True):
            value = values.get(name) or fallback
            if value is None:
                raise MissingVariable(name)
            parts.append(value)
            parts.append(literal)
        return "".join(parts)


def parse(source: str, is_known: Callable[[str], bool] | None = None) -> Template:
    """Reads a text; raises `ContentError` naming the first unknown variable or stray brace pair."""
    known = is_known or is_variable
    literals: list[str] = []
    slots: list[tuple[str, str | None]] = []
    end = 0
    for match in PLACEHOLDER.finditer(source):
        name = match.group(1)
        if not known(name):
            raise ContentError(
                f"unknown variable {{{{{name}}}}}: use {', '.join(sorted(CUSTOMER_VARIABLES | LINK_VARIABLES))}"
                " or attributes.<name>"
            )
        literals.append(source[end : match.start()])
        slots.append((name, match.group(2)))
        end = match.end()
    literals.append(source[end:])
    for literal in literals:
        if stray := _STRAY.search(literal):
            raise ContentError(f"'{stray.group()}' does not belong to a placeholder such as {{{{firstName}}}}")
    if len(slots) > VARIABLES_MAX:
        raise ContentError(f"{len(slots)} placeholders: at most {VARIABLES_MAX} are allowed")
    return Template(
        source=source,
        variables=tuple(sorted({name for name, _ in slots})),
        required=tuple(sorted({name for name, fallback in slots if fallback is None})),
        _literals=tuple(literals),
        _slots=tuple(slots),
    )


def is_variable(name: str) -> bool:
    """True for all that a text may name: what we know of a customer, and links that are made for each recipient."""
    return name in LINK_VARIABLES or is_customer_variable(name)


def is_customer_variable(name: str) -> bool:
    """True for the fields every customer can have and for `attributes.<name>`."""
    return name in CUSTOMER_VARIABLES or _ATTRIBUTE.fullmatch(name) is not None


_GSM_BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM_EXTENDED = "^{}\\[~]|€\f"
_GSM_COST = {ord(character): 1 for character in _GSM_BASIC} | {ord(character): 2 for character in _GSM_EXTENDED}
_ONE_SEPTET = re.compile("[" + re.escape(_GSM_BASIC) + "]*")


@dataclass(frozen=True, slots=True)
class Segments:
    """How a text travels by SMS. `units` are septets (GSM-7) or UTF-16 code units (UCS-2)."""

    encoding: str
    units: int
    count: int


def count_segments(text: str) -> Segments:
    """Segments of one SMS; an escape pair or a surrogate pair is never split between two parts."""
    if _ONE_SEPTET.fullmatch(text):
        length = len(text)
        return Segments("GSM-7", length, 1 if length <= 160 else -(-length // 153))
    costs = [_GSM_COST.get(ord(character), 0) for character in text]
    if all(costs):
        return _pack("GSM-7", costs, alone=160, part=153)
    return _pack("UCS-2", [2 if ord(character) > 0xFFFF else 1 for character in text], alone=70, part=67)


def _pack(encoding: str, costs: list[int], alone: int, part: int) -> Segments:
    units = sum(costs)
    if units <= alone:
        return Segments(encoding, units, 1)
    count, room = 1, part
    for cost in costs:
        if cost > room:
            count, room = count + 1, part
        room -= cost
    return Segments(encoding, units, count)
