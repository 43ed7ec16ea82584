"""What sending a campaign would come to: every recipient's text rendered, and counted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from contracts.channels import Channel
from contracts.content import Template, count_segments, parse
from contracts.events import Content
from contracts.masked import masked_phone_number
from services.audience.domain.lots import Unit, variables_of
from services.audience.domain.phones import UNKNOWN_COUNTRY, country_of

SAMPLES_MAX = 3
"""Of those who lack a variable, and of those whose text needs the other alphabet."""

UCS2 = "UCS-2"
COUNTRY = "country"

_COUNTRY_OF_ADDRESS: Mapping[str, Callable[[str], str]] = {"phone_number": country_of}
"""Where the address itself says it; elsewhere the customer does."""


class Sample(msgspec.Struct, rename="camel"):
    """One recipient's message. `segments` and `encoding` are None where the channel is not billed by segment."""

    recipient: str
    customer_id: str | None
    text: str
    title: str | None
    characters: int
    segments: int | None
    encoding: str | None


class Country(msgspec.Struct):
    """What goes to one country."""

    recipients: int = 0
    segments: int = 0


class Tally(msgspec.Struct, rename="camel"):
    """The sums over all recipients so far, and those worth looking at."""

    segments: int = 0
    histogram: dict[int, int] = {}
    encodings: dict[str, int] = {}
    countries: dict[str, Country] = {}
    missing_variables: dict[str, int] = {}
    too_long: int = 0
    longest: Sample | None = None
    shortest: Sample | None = None
    next: Sample | None = None
    missing: list[Sample] = []
    other_alphabet: list[Sample] = []


@dataclass(frozen=True, slots=True)
class Texts:
    """What a recipient reads, parsed once for many."""

    channel: Channel
    body: Template
    title: Template | None
    required: frozenset[str]

    @classmethod
    def of(cls, channel: Channel, content: Content) -> Texts:
        """The texts of a content; raises `ContentError`."""
        title = None if content.title is None else parse(content.title)
        return cls(channel, parse(content.body), title, variables_of(content)[1])

    def sample(self, unit: Unit, values: Mapping[str, str]) -> Sample:
        """The whole message of one recipient."""
        customer_id, address, name, _, _ = unit
        text = self.body.render(values)
        counted = count_segments(text) if self.channel.billed_by_segment else None
        return Sample(
            recipient=name or masked_phone_number(address),
            customer_id=customer_id,
            text=text,
            title=None if self.title is None else self.title.render(values),
            characters=len(text),
            segments=None if counted is None else counted.count,
            encoding=None if counted is None else counted.encoding,
        )


def count_units(tally: Tally, texts: Texts, units: Sequence[Unit]) -> None:
    """Renders and counts recipients; for a million of them, so nothing is made that is not kept."""
    channel, render = texts.channel, texts.body.render
    country_of_address = _COUNTRY_OF_ADDRESS.get(channel.address_column)
    longest = -1 if tally.longest is None else tally.longest.characters
    shortest = None if tally.shortest is None else tally.shortest.characters
    for unit in units:
        values = unit[4] or {}
        text = render(values)
        length, segments = len(text), 1
        if channel.billed_by_segment:
            counted = count_segments(text)
            segments = counted.count
            tally.encodings[counted.encoding] = tally.encodings.get(counted.encoding, 0) + 1
            if counted.encoding == UCS2 and len(tally.other_alphabet) < SAMPLES_MAX:
                tally.other_alphabet.append(texts.sample(unit, values))
        tally.segments += segments
        tally.histogram[segments] = tally.histogram.get(segments, 0) + 1
        code = country_of_address(unit[1]) if country_of_address else values.get(COUNTRY, UNKNOWN_COUNTRY)
        country = tally.countries.get(code)
        if country is None:
            country = tally.countries[code] = Country()
        country.recipients += 1
        country.segments += segments
        if length > channel.body_max or _is_title_too_long(texts, values):
            tally.too_long += 1
        if length > longest:
            longest, tally.longest = length, texts.sample(unit, values)
        if shortest is None or length < shortest:
            shortest, tally.shortest = length, texts.sample(unit, values)
    if units:
        tally.next = texts.sample(units[-1], units[-1][4] or {})


def count_lacking(tally: Tally, texts: Texts, units: Sequence[Unit]) -> None:
    """Counts what those lack who get nothing because of it; their samples show the holes."""
    for unit in units:
        values = unit[4] or {}
        holes = [name for name in texts.required if name not in values]
        for name in holes:
            tally.missing_variables[name] = tally.missing_variables.get(name, 0) + 1
        if len(tally.missing) < SAMPLES_MAX:
            tally.missing.append(texts.sample(unit, values | {name: f"{{{{{name}}}}}" for name in holes}))


def _is_title_too_long(texts: Texts, values: Mapping[str, str]) -> bool:
    title_max = texts.channel.title_max
    return texts.title is not None and title_max is not None and len(texts.title.render(values)) > title_max
