"""What a campaign would do if it were sent now, as its service tells the others through the gateway."""

from __future__ import annotations

from datetime import datetime
from hashlib import blake2b
from typing import Any
from uuid import UUID

import msgspec

from contracts.events.campaigns import Content
from contracts.events.event import Record


class Finding(Record, frozen=True, kw_only=True):
    """Something about a template or a campaign that a person should see; `code` is for programs."""

    code: str
    field: str
    message: str


OVER_ONE_SEGMENT = "over_one_segment"
"""The finding that a text is charged more than once: of a template as it is with sample values, of a forecast as it is
for the people who get it."""


class CampaignPlan(Record, frozen=True, kw_only=True):
    """Content and audience of a campaign. With `blockers` it cannot be sent, with `warnings` it can.

    `content` is None where the template is gone, `provider_id` where there is no account to send with.
    """

    campaign_id: UUID
    status: str
    scheduled_send_time: datetime | None = None
    category: str
    unknown_policy: str = "hold"
    content: Content | None = None
    provider_id: UUID | None = None
    audience_filter: dict[str, Any] | None = None
    blockers: list[Finding] = msgspec.field(default_factory=list)
    warnings: list[Finding] = msgspec.field(default_factory=list)

    @property
    def digest(self) -> str:
        """Equal for plans that do the same: what people get, from which account, and how they are found."""
        parts = (self.category, self.unknown_policy, self.content, self.provider_id, self.audience_filter)
        return blake2b(msgspec.json.encode(parts, order="sorted"), digest_size=16).hexdigest()


class Addressee(Record, frozen=True, kw_only=True):
    """Whom a test goes to: a customer, or an address with the values of the placeholders."""

    customer_id: str | None = None
    address: str | None = None
    variables: dict[str, str] | None = None


class Trial(Record, frozen=True, kw_only=True):
    """A plan that is to be tried on few."""

    plan: CampaignPlan
    recipients: list[Addressee]
