"""From content and a recipient to the message that leaves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from contracts.channels import Channel
from contracts.content import LINK_VARIABLES, EmptyText, Template, parse
from contracts.events import Content
from contracts.links import link_values
from contracts.masked import DeviceToken, PhoneNumber
from services.dispatcher.store.claims import Claimed
from shared.links import PREFERENCES, TRACKED, LinkCodes
from shared.providers.provider import Message
from shared.security import References

_ADDRESSES: Mapping[str, type[PhoneNumber] | type[DeviceToken]] = {
    "phone_number": PhoneNumber,
    "device_token": DeviceToken,
}


def _any_variable(_name: str) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Links:
    """What the links of a content need that are made for each recipient; `numbers` are those whose clicks count."""

    codes: LinkCodes
    base_url: str
    numbers: tuple[int, ...] = ()

    def values(self, channel: str, recipient_id: UUID) -> dict[str, str]:
        """The values of their variables for one recipient."""
        tracked_codes = {
            place: self.codes.make(TRACKED, channel, recipient_id, number) for place, number in enumerate(self.numbers)
        }
        return link_values(self.base_url, self.codes.make(PREFERENCES, channel, recipient_id), tracked_codes)


@dataclass(frozen=True, slots=True)
class Rendering:
    """A content parsed once for many recipients. `links` is None where the content has none."""

    channel: Channel
    body: Template
    title: Template | None
    image_url: Template | None
    action_url: Template | None
    data: dict[str, Template] | None
    callback_prefix: str
    report_prefix: str
    references: References
    links: Links | None
    collapse_id: str
    urgent: bool

    def message(self, claimed: Claimed, ttl_seconds: int | None) -> Message:
        """The message for one recipient; raises `contracts.content.Unsendable`."""
        values = claimed.variables or {}
        if self.links is not None:
            values = values | self.links.values(self.channel.name, claimed.id)
        text = self.body.render(values)
        if not text.strip():
            raise EmptyText
        reference = self.references.sign(self.channel.name, claimed.id)
        return Message(
            recipient_id=claimed.id,
            address=_ADDRESSES[self.channel.address_column](claimed.address),
            text=text,
            reference=reference,
            title=None if self.title is None else self.title.render(values),
            image_url=None if self.image_url is None else self.image_url.render(values),
            action_url=None if self.action_url is None else self.action_url.render(values),
            data=None if self.data is None else {name: text.render(values) for name, text in self.data.items()},
            callback_url=self.callback_prefix + reference,
            report_url=self.report_prefix + reference,
            ttl_seconds=ttl_seconds,
            collapse_id=self.collapse_id,
            urgent=self.urgent,
        )


def rendering(
    channel: Channel,
    content: Content,
    links: Links,
    provider_type: str,
    account_id: str,
    base_url: str,
    references: References,
    campaign_id: UUID,
    urgent: bool,
) -> Rendering:
    """Parses a content whose links that count have placeholders; its texts were checked when the template was made.

    `base_url` is our public address for callbacks and reports.
    """
    base = f"{base_url}/api/notification"
    body, data = parse(content.body, _any_variable), content.data
    title, image_url, action_url = (_optional(text) for text in (content.title, content.image_url, content.action_url))
    templates = None if data is None else {name: parse(text, _any_variable) for name, text in data.items()}
    texts = [one for one in (body, title, image_url, action_url, *(templates or {}).values()) if one is not None]
    has_links = bool(links.numbers) or any(LINK_VARIABLES & set(one.variables) for one in texts)
    return Rendering(
        channel=channel,
        body=body,
        title=title,
        image_url=image_url,
        action_url=action_url,
        data=templates,
        callback_prefix=f"{base}/callbacks/{provider_type}/{account_id}?ref=",
        report_prefix=f"{base}/t/",
        references=references,
        links=links if has_links else None,
        collapse_id=campaign_id.hex,
        urgent=urgent,
    )


def _optional(source: str | None) -> Template | None:
    return None if source is None else parse(source, _any_variable)
