"""The links that are made anew for each recipient: to their own preferences, and those whose clicks are counted.

Each ends in a signed code of a fixed length, so that a forecast can count what a text will take.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from contracts.content import PLACEHOLDER
from contracts.events.campaigns import Content

PREFERENCES_PATH = "/preferences/"
UNSUBSCRIBE_PATH = "/u/"
TRACKED_PATH = "/l/"

PREFERENCE_CODE_CHARACTERS = 30
TRACKED_CODE_CHARACTERS = 32

_PATHS: Mapping[str, str] = MappingProxyType({"unsubscribeUrl": UNSUBSCRIBE_PATH, "preferencesUrl": PREFERENCES_PATH})
"""What the code follows, by the variables of `contracts.content.LINK_VARIABLES`."""

TRACKED_MAX = 20
"""Links of one content that are counted; further ones stay as they are."""

_LINK = re.compile(r"https?://(?:\{\{[^{}]*\}\}|[^\s{}<>\"'])+", re.IGNORECASE)
_COUNTABLE = re.compile(r"[Hh][Tt][Tt][Pp][Ss]?://[!-z~]+")
_TRAILING = ".,;:!?)]"


def tracked_variable(number: int) -> str:
    """The placeholder's name of a content's link that is counted."""
    return f"trackedLink.{number}"


def tracked(content: Content) -> tuple[Content, list[str]]:
    """The content with a placeholder for each http(s) link of body and action URL, and where those lead, in order.

    A link that differs by recipient, because it holds a placeholder, or that is not plain ASCII stays as it is.
    """
    destinations: list[str] = []

    def placeholder(match: re.Match[str]) -> str:
        link = match.group().rstrip(_TRAILING)
        if not is_countable(link) or (link not in destinations and len(destinations) == TRACKED_MAX):
            return match.group()
        if link not in destinations:
            destinations.append(link)
        name = tracked_variable(destinations.index(link))
        return f"{{{{{name}}}}}{match.group()[len(link) :]}"

    def replaced(text: str | None) -> str | None:
        return None if text is None else _LINK.sub(placeholder, text)

    body, action_url = _LINK.sub(placeholder, content.body), replaced(content.action_url)
    return msgspec.structs.replace(content, body=body, action_url=action_url), destinations


def is_countable(link: str) -> bool:
    """Whether the link can be kept as a destination: http or https, plain ASCII, the same for everybody."""
    return _COUNTABLE.fullmatch(link) is not None


def link_values(base_url: str, preference_code: str, tracked_codes: Mapping[int, str] | None = None) -> dict[str, str]:
    """What the variables of links stand for; `tracked_codes` by number of the content's link."""
    values = {name: base_url + path + preference_code for name, path in _PATHS.items()}
    codes = tracked_codes or {}
    return values | {tracked_variable(number): base_url + TRACKED_PATH + code for number, code in codes.items()}


def with_sample_links(content: Content, base_url: str) -> Content:
    """The content with links that lead nowhere but are as long as real ones, for previews, counts and forecasts."""
    destinations: list[str] = []
    if content.track_links:
        content, destinations = tracked(content)
    codes = dict.fromkeys(range(len(destinations)), "0" * TRACKED_CODE_CHARACTERS)
    values = link_values(base_url, "0" * PREFERENCE_CODE_CHARACTERS, codes)

    def filled(text: str | None) -> str | None:
        return text and PLACEHOLDER.sub(lambda match: values.get(match.group(1), match.group()), text)

    return msgspec.structs.replace(
        content,
        body=filled(content.body),
        title=filled(content.title),
        image_url=filled(content.image_url),
        action_url=filled(content.action_url),
        data=content.data and {name: filled(text) for name, text in content.data.items()},
        track_links=False,
    )
