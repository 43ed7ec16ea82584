"""From content and a recipient to the message that leaves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec

from contracts.channels import Channel
from contracts.content import Template, parse
from contracts.events import Content
from contracts.masked import DeviceToken, PhoneNumber
from services.dispatcher.store.claims import Claimed
from shared.providers.provider import Message
from shared.security import References

_ADDRESSES: Mapping[str, type[PhoneNumber] | type[DeviceToken]] = {
    "phone_number": PhoneNumber,
    "device_token": DeviceToken,
}


def _any_variable(_name: str) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Rendering:
    """A content parsed once for many recipients. `base_url` is our public address for callbacks and reports."""

    channel: Channel
    body: Template
    title: Template | None
    image_url: Template | None
    action_url: Template | None
    data: dict[str, Template] | None
    callback_prefix: str
    report_prefix: str
    references: References
    collapse_id: str
    urgent: bool

    def message(self, claimed: Claimed, ttl_seconds: int | None) -> Message:
        """The message for one recipient; raises `contracts.content.MissingVariable`."""
        values = claimed.variables or {}
        reference = self.references.sign(self.channel.name, claimed.id)
        return Message(
            recipient_id=claimed.id,
            address=_ADDRESSES[self.channel.address_column](claimed.address),
            text=self.body.render(values),
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
    content: Mapping[str, Any],
    provider_type: str,
    account_id: str,
    base_url: str,
    references: References,
    campaign_id: UUID,
    urgent: bool,
) -> Rendering:
    """Reads a content snapshot; its texts were checked when the template was made."""
    read = msgspec.convert(content, Content)
    base = f"{base_url}/api/notification"
    return Rendering(
        channel=channel,
        body=parse(read.body, _any_variable),
        title=_optional(read.title),
        image_url=_optional(read.image_url),
        action_url=_optional(read.action_url),
        data=None if read.data is None else {name: parse(text, _any_variable) for name, text in read.data.items()},
        callback_prefix=f"{base}/callbacks/{provider_type}/{account_id}?ref=",
        report_prefix=f"{base}/t/",
        references=references,
        collapse_id=campaign_id.hex,
        urgent=urgent,
    )


def _optional(source: str | None) -> Template | None:
    return None if source is None else parse(source, _any_variable)
