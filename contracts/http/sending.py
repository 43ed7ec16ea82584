"""`POST /send`: messages to single people, from internal services that prefer HTTP."""

from __future__ import annotations

import re
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field, StringConstraints, ValidationInfo, field_validator, model_validator

from contracts.http.campaigns import Category
from contracts.http.model import Model
from contracts.http.templates import Link, Text

MESSAGES_MAX = 1_000

_ADDRESSES = {
    "sms": (
        re.compile(r"\s*(?:[+＋]|00)\W*\d.{5,}", re.S),
        "must be a phone number with its country code: +491511234567",
    ),
    "push": (re.compile(r"[!-~]+"), "must be a device token: printable ASCII without spaces"),
}
"""What an address looks like, by channel; whether its country has such a number is found out later."""

Value = Annotated[str, StringConstraints(max_length=500)]


class SendContent(Model):
    """A text that is sent as it is, with placeholders for `variables`."""

    body: Text
    title: Text | None = None
    image_url: Link | None = None
    action_url: Link | None = None
    data: dict[str, Value] | None = Field(None, max_length=50)
    track_links: bool = False


class SendMessage(Model):
    """One message to one person. A repeated `requestId` is the same request and is sent once."""

    request_id: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = None
    channel: Literal["sms", "push"]
    customer_id: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = None
    address: Annotated[str, StringConstraints(min_length=1, max_length=4_096)] | None = None
    template_id: UUID | None = None
    content: SendContent | None = None
    variables: dict[str, Value] | None = Field(None, max_length=50)
    category: Category = "transactional"
    provider_id: UUID | None = None
    expires_at: AwareDatetime | None = None

    @field_validator("address")
    @classmethod
    def _looks_like_an_address(cls, address: str | None, info: ValidationInfo) -> str | None:
        if address is None or "channel" not in info.data:
            return address
        pattern, message = _ADDRESSES[info.data["channel"]]
        if not pattern.fullmatch(address):
            raise ValueError(message)
        return address

    @model_validator(mode="after")
    def _says_to_whom_and_what(self) -> SendMessage:
        if (self.customer_id is None) == (self.address is None):
            raise ValueError("give either customerId or address")
        if (self.template_id is None) == (self.content is None):
            raise ValueError("give either templateId or content")
        return self


class SendWrite(Model):
    """Up to 1,000 messages."""

    messages: Annotated[list[SendMessage], Field(min_length=1, max_length=MESSAGES_MAX)]
