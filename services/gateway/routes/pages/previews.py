"""A text as real people would see it, before it is saved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from contracts.channels import Channel
from contracts.content import SAMPLE_VALUES, ContentError, MissingVariable, Segments, Template, count_segments, parse
from contracts.events import Content
from contracts.links import with_sample_links

SAMPLE_LIMIT = 50
"""Customers among whom the interesting ones are looked for."""

MADE_UP: Mapping[str, Any] = SAMPLE_VALUES
"""Stands in where there is no customer yet."""

_PLAIN_FIELDS = ("customerId", "email", "firstName", "lastName", "country", "locale")


@dataclass(frozen=True, slots=True)
class Rendered:
    """The text for one customer. `missing` names what they lack; the text then shows its place."""

    who: str
    text: str
    title: str | None
    segments: Segments
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Preview:
    """The chosen people's texts by why they were chosen, or what is wrong with the text itself."""

    people: dict[str, Rendered]
    problems: dict[str, str]
    characters: int
    variables: tuple[str, ...]
    is_made_up: bool = False


def text_field(channel: Channel) -> str:
    """The field that holds a template's text."""
    return "content" if channel.title_max is None else "body"


def preview_of(
    channel: Channel, values: Mapping[str, str], customers: Sequence[Mapping[str, Any]], link_base_url: str
) -> Preview:
    """The text for the next customer, the longest one, one with missing data and one in another alphabet.

    Links are as long as those that will be sent.
    """
    problems: dict[str, str] = {}
    body_field = text_field(channel)
    body = _parsed(body_field, values.get(body_field, ""), channel.body_max, problems)
    title = None
    if channel.title_max is not None:
        title = _parsed("title", values.get("title", ""), channel.title_max, problems)
    if problems or body is None:
        return Preview({}, problems, len(values.get(body_field, "")), ())
    sent = with_sample_links(Content(body=body.source, title=None if title is None else title.source), link_base_url)
    sent_body, sent_title = parse(sent.body), None if sent.title is None else parse(sent.title)
    rendered = [_rendered(sent_body, sent_title, customer) for customer in customers or [MADE_UP]]
    variables = tuple(sorted({*body.variables, *(title.variables if title else ())}))
    return Preview(_chosen(rendered), problems, len(body.source), variables, not customers)


def _parsed(field: str, text: str, length_max: int, problems: dict[str, str]) -> Template | None:
    if len(text) > length_max:
        problems[field] = f"has {len(text)} characters: at most {length_max} are allowed"
    try:
        return parse(text)
    except ContentError as error:
        problems[field] = str(error)
        return None


def _rendered(body: Template, title: Template | None, customer: Mapping[str, Any]) -> Rendered:
    values = values_of(customer)
    missing: set[str] = set()
    text = _filled(body, values, missing)
    shown_title = _filled(title, values, missing) if title else None
    who = values.get("fullName") or customer["customerId"]
    return Rendered(who, text, shown_title, count_segments(text), tuple(sorted(missing)))


def _filled(template: Template, values: Mapping[str, str], missing: set[str]) -> str:
    """The text; what is missing is shown by its name."""
    known = dict(values)
    for _ in range(len(template.variables) + 1):
        try:
            return template.render(known)
        except MissingVariable as error:
            missing.add(error.name)
            known[error.name] = f"[{error.name}?]"
    return template.source


def values_of(customer: Mapping[str, Any]) -> dict[str, str]:
    """What a text can say about a customer."""
    values = {name: str(customer[name]) for name in _PLAIN_FIELDS if customer.get(name)}
    full = " ".join(values[name] for name in ("firstName", "lastName") if name in values)
    attributes = {f"attributes.{name}": str(value) for name, value in (customer.get("attributes") or {}).items()}
    return values | attributes | ({"fullName": full} if full else {})


def _chosen(rendered: Sequence[Rendered]) -> dict[str, Rendered]:
    if not rendered:
        return {}
    chosen = {
        "next": rendered[0],
        "longest": max(rendered, key=lambda one: (one.segments.count, len(one.text))),
        "missing": next((one for one in rendered if one.missing), None),
        "otherAlphabet": next((one for one in rendered if one.segments.encoding == "UCS-2"), None),
    }
    return {name: one for name, one in chosen.items() if one is not None}
