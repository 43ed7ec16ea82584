"""What makes a template good: the limits of its channel, and the specification's best practices."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from contracts.channels import Channel
from contracts.content import LINK_VARIABLES, SAMPLE_VALUES, ContentError, Segments, Template, count_segments, parse
from contracts.events import Content
from contracts.http.plans import OVER_ONE_SEGMENT, Finding
from contracts.links import with_sample_links
from services.campaign.domain.images import Image

LINK_MAX = 2_000
NO_UNSUBSCRIBE = "no_unsubscribe"
"""The one warning that only concerns what people can unsubscribe from."""
TITLE_GOOD = (30, 50)
BODY_GOOD_MAX = 150
RATIO_GOOD, RATIO_TOLERANCE = 2.0, 0.05

_UNSUBSCRIBE = re.compile(
    r"\b(?:stopp?|unsubscribe|opt[ -]?out|abmelden|abbestellen|désabonner|désinscri\w+|baja|cancella\w*)\b", re.I
)
"""The word that a customer is to answer, or that a link is called by, in the languages that we know."""
_SENDER = re.compile(
    r"^\W*\w[^:{}]{0,39}:\s|\b(?:from|von|your|ihr|dein)\s+[A-ZÄÖÜ]|[-–—~]\s*[A-ZÄÖÜ][\w&' .]{1,39}$|\bteam\b", re.M
)
"""A name in front of a colon, behind a dash at the end of a line, or behind a word that introduces one."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A template's texts, read. `problems` are (field, message) and forbid it, `warnings` do not."""

    problems: list[tuple[str, str]]
    warnings: list[Finding]
    variables: tuple[str, ...]
    characters: int
    segments: Segments | None


def body_field(channel: Channel) -> str:
    """The name of the field that holds the text: SMS templates call it `content`."""
    return "content" if channel.title_max is None else "body"


def content_of(channel: Channel, template: Mapping[Any, Any]) -> Content:
    """A template as it is sent."""
    return Content(
        body=template[body_field(channel)],
        title=template.get("title"),
        image_url=template.get("image_url"),
        action_url=template.get("action_url"),
        track_links=bool(template.get("track_links")),
    )


def check_template(
    channel: Channel, values: Mapping[Any, Any], link_base_url: str, image: Image | None = None
) -> Checked:
    """Reads all texts of a template; `image` is what its picture was found to be, if it was looked at."""
    problems: list[tuple[str, str]] = []
    parsed: dict[str, Template] = {}
    fields = [(body_field(channel), channel.body_max)]
    if channel.title_max is not None:
        fields += [("title", channel.title_max), ("image_url", LINK_MAX), ("action_url", LINK_MAX)]
    for name, length_max in fields:
        text = values.get(name)
        if text is None:
            continue
        shown = "".join(part.title() if index else part for index, part in enumerate(name.split("_")))
        try:
            parsed[name] = parse(text)
        except ContentError as error:
            problems.append((shown, str(error)))
        if len(text) > length_max:
            problems.append((shown, f"has {len(text)} characters: at most {length_max} are allowed"))
    body = values.get(body_field(channel)) or ""
    segments = None
    if channel.billed_by_segment:
        readable = body_field(channel) in parsed
        segments = count_segments(_sample_text(channel, values, link_base_url) if readable else body)
    found = _text_warnings(body, segments) if segments is not None else _push_warnings(values, body, image)
    return Checked(
        problems=problems,
        warnings=list(found),
        variables=tuple(sorted({name for one in parsed.values() for name in one.variables})),
        characters=len(body),
        segments=segments,
    )


def _sample_text(channel: Channel, values: Mapping[Any, Any], link_base_url: str) -> str:
    template = parse(with_sample_links(content_of(channel, values), link_base_url).body)
    return template.render({name: SAMPLE_VALUES.get(name, "sample") for name in template.variables})


def _warn(code: str, field: str, message: str) -> Finding:
    return Finding(code=code, field=field, message=message)


def _text_warnings(body: str, segments: Segments) -> Iterator[Finding]:
    if segments.count > 1:
        message = f"takes {segments.count} SMS segments ({segments.encoding}), each of which is charged"
        yield _warn(OVER_ONE_SEGMENT, "content", message)
    if not _UNSUBSCRIBE.search(body) and not any(name in body for name in LINK_VARIABLES):
        message = "does not say how to unsubscribe: add for example 'Reply STOP to unsubscribe' or {{unsubscribeUrl}}"
        yield _warn(NO_UNSUBSCRIBE, "content", message)
    if not _SENDER.search(body):
        message = "does not say who writes: begin with your name ('Acme: …') or end with it ('- Acme')"
        yield _warn("no_sender_identity", "content", message)


def _push_warnings(values: Mapping[Any, Any], body: str, image: Image | None) -> Iterator[Finding]:
    title = values.get("title") or ""
    if not TITLE_GOOD[0] <= len(title) <= TITLE_GOOD[1]:
        message = f"titles of {TITLE_GOOD[0]} to {TITLE_GOOD[1]} characters work best; this has {len(title)}"
        yield _warn("title_length", "title", message)
    if len(body) > BODY_GOOD_MAX:
        message = f"bodies of at most {BODY_GOOD_MAX} characters work best; this has {len(body)}"
        yield _warn("body_length", "body", message)
    if not values.get("action_url"):
        yield _warn("no_deep_link", "actionUrl", "has no deep link: say where a tap leads")
    if image is not None and image.trouble is not None:
        yield _warn("image_not_seen", "imageUrl", f"could not be looked at: {image.trouble}")
    elif image is not None and abs(image.width / image.height / RATIO_GOOD - 1) > RATIO_TOLERANCE:
        message = f"images twice as wide as high work best; this has {image.width} × {image.height} pixels"
        yield _warn("image_ratio", "imageUrl", message)
