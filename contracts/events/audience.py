"""What the audience service says."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from contracts.events.campaigns import Content
from contracts.events.event import Event, Record


class Recipient(Record, frozen=True, kw_only=True):
    """One person at one address. `variables` holds only what the content's placeholders name."""

    recipient_id: UUID
    address: str
    customer_id: str | None = None
    name: str | None = None
    device_type: str | None = None
    variables: dict[str, str] | None = None


class LotResolved(Event, frozen=True, kw_only=True):
    """Up to 500 recipients to be sent to together.

    `lot_id` identifies it for ever. Recipient ids rise strictly within a lot and no other lot's ids lie between
    its first and last. In the bulk lane `campaign_id` is a campaign; in the transactional lane it is the id
    given to the send request, and `content` or `template_id` says what to send. Where `skip_reason` says why nobody
    in it is sent to, it has neither, and an address may be empty.
    """

    lot_id: UUID
    campaign_id: UUID
    user_id: str
    channel: str
    lane: str
    recipients: list[Recipient]
    due_at: datetime | None = None
    expires_at: datetime | None = None
    category: str | None = None
    provider_id: UUID | None = None
    template_id: UUID | None = None
    content: Content | None = None
    skip_reason: str | None = None


class AudienceResolved(Event, frozen=True, kw_only=True):
    """The expansion of a campaign is complete: `audience` = `recipients` + the sum of `excluded`.

    `excluded` counts people by reason (opted_out, invalid_address, no_device, duplicate, suppressed,
    missing_variable, …). `lots` is how many `LotResolved` there are.
    """

    campaign_id: UUID
    user_id: str
    channel: str
    audience: int
    recipients: int
    lots: int
    excluded: dict[str, int]


class OptOutChange(Record, frozen=True, kw_only=True):
    """Whether an address may get messages of a scope, as of `at`.

    A scope is `all`, a category such as `marketing`, or `*`: every category but `transactional` of which nothing
    newer was said by name.
    """

    address: str
    scope: str
    opted_out: bool
    at: datetime
    customer_id: str | None = None


class PreferencesChanged(Event, frozen=True, kw_only=True):
    """People changed their mind; up to 500 changes of one tenant and channel."""

    user_id: str
    channel: str
    changes: list[OptOutChange]
