"""The states of a campaign, and what makes a template good."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from contracts.channels import Channel
from contracts.content import ContentError, Segments, Template, count_segments, parse
from contracts.events import Content
from contracts.links import sample_link_values, tracked


class Status(StrEnum):
    """The specification's states, and `cancelled`. The table has a CHECK with the same words."""

    DRAFT = "draft"
    SCHEDULED = "scheduled"
    SENDING = "sending"
    PAUSED = "paused"
    SENT = "sent"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Action(StrEnum):
    """What can happen to a campaign: people's commands, and what the fleet finds."""

    SCHEDULE = "schedule"
    SEND = "send"
    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"
    FINISH = "finish"
    FAIL = "fail"


_TRANSITIONS: Mapping[Action, Mapping[Status, Status]] = {
    Action.SCHEDULE: {Status.DRAFT: Status.SCHEDULED, Status.SCHEDULED: Status.SCHEDULED},
    Action.SEND: {Status.DRAFT: Status.SENDING, Status.SCHEDULED: Status.SENDING},
    Action.PAUSE: {Status.SENDING: Status.PAUSED},
    Action.RESUME: {Status.PAUSED: Status.SENDING},
    Action.CANCEL: {
        Status.DRAFT: Status.CANCELLED,
        Status.SCHEDULED: Status.CANCELLED,
        Status.SENDING: Status.CANCELLED,
        Status.PAUSED: Status.CANCELLED,
    },
    Action.FINISH: {Status.SENDING: Status.SENT, Status.PAUSED: Status.SENT},
    Action.FAIL: {Status.SCHEDULED: Status.FAILED, Status.SENDING: Status.FAILED},
}

EDITABLE = frozenset({Status.DRAFT, Status.SCHEDULED})
DELETABLE = frozenset({Status.DRAFT, Status.SCHEDULED, Status.CANCELLED, Status.FAILED})


class NotPossible(ValueError):
    """The campaign's state does not allow it; the text says which states do."""


def move(status: Status, action: Action) -> Status:
    """The state after the action; raises `NotPossible`."""
    found = _TRANSITIONS[action].get(status)
    if found is None:
        allowed = ", ".join(_TRANSITIONS[action])
        raise NotPossible(f"a campaign that is {status} cannot {action}: it must be {allowed}")
    return found


TITLE_GOOD = (30, 50)
BODY_GOOD_MAX = 150
_UNSUBSCRIBE_HINTS = ("stop", "unsubscribe", "abmelden", "opt out", "preferencesurl")

SAMPLE = {
    "firstName": "Alexandra",
    "lastName": "Lindqvist",
    "fullName": "Alexandra Lindqvist",
    "customerId": "C-1001",
    "email": "alexandra@example.com",
    "country": "SE",
    "locale": "en-SE",
}


@dataclass(frozen=True, slots=True)
class Checked:
    """A template's texts, read. `problems` are (field, message) and forbid it, `warnings` do not."""

    problems: list[tuple[str, str]]
    warnings: list[str]
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


def sent(
    channel: Channel, template: Mapping[Any, Any], link_base_url: str
) -> tuple[dict[str, Template], dict[str, str]]:
    """The texts by field as the dispatcher renders them, and values as long as those of the links that it makes."""
    content, destinations = content_of(channel, template), list[str]()
    if content.track_links:
        content, destinations = tracked(content)
    texts = {body_field(channel): content.body, "title": content.title}
    texts |= {"image_url": content.image_url, "action_url": content.action_url}
    templates = {name: parse(text, lambda _: True) for name, text in texts.items() if text is not None}
    return templates, sample_link_values(link_base_url, len(destinations))


def check_template(channel: Channel, values: Mapping[str, Any], link_base_url: str) -> Checked:
    """Reads all texts of a template by the channel's limits and the specification's best practices."""
    problems: list[tuple[str, str]] = []
    parsed: dict[str, Template] = {}
    fields = [(body_field(channel), channel.body_max)]
    if channel.title_max is not None:
        fields += [("title", channel.title_max), ("image_url", 2_000), ("action_url", 2_000)]
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
        text = _sample_text(channel, values, link_base_url) if body_field(channel) in parsed else body
        segments = count_segments(text)
    return Checked(
        problems=problems,
        warnings=_warnings(channel, values, body, segments),
        variables=tuple(sorted({name for one in parsed.values() for name in one.variables})),
        characters=len(body),
        segments=segments,
    )


def _sample_text(channel: Channel, values: Mapping[str, Any], link_base_url: str) -> str:
    body_only = {name: values.get(name) for name in (body_field(channel), "track_links")}
    templates, links = sent(channel, body_only, link_base_url)
    template = templates[body_field(channel)]
    return template.render(dict.fromkeys(template.variables, "sample") | SAMPLE | links)


def _warnings(channel: Channel, values: Mapping[str, Any], body: str, segments: Segments | None) -> list[str]:
    warnings = []
    if segments is not None:
        if segments.count > 1:
            warnings.append(f"takes {segments.count} SMS segments ({segments.encoding}), each of which is charged")
        if not any(hint in body.lower() for hint in _UNSUBSCRIBE_HINTS):
            warnings.append("does not say how to unsubscribe")
    if channel.title_max is not None:
        title = values.get("title") or ""
        if not TITLE_GOOD[0] <= len(title) <= TITLE_GOOD[1]:
            warnings.append(f"titles of {TITLE_GOOD[0]} to {TITLE_GOOD[1]} characters work best; this has {len(title)}")
        if len(body) > BODY_GOOD_MAX:
            warnings.append(f"bodies of at most {BODY_GOOD_MAX} characters work best; this has {len(body)}")
        if not values.get("action_url"):
            warnings.append("has no deep link (actionUrl)")
    return warnings
