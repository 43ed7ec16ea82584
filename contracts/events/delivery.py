"""What the dispatcher says."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from contracts.events.event import Event, Record

EVENT_TYPES = ("sent", "delivered", "opened", "clicked", "failed", "bounced", "opted_out")
"""The specification's types; the position is the code in `notification_event_id`."""


def notification_event_id(recipient_id: UUID, event_type: str) -> UUID:
    """The id of the one event of this type that a recipient can have.

    Recipient ids end in a zero byte, which the code of the type fills; so a repeated fact has a repeated id, and
    ids keep the time order of UUIDv7 (by which the event log is partitioned).
    """
    return UUID(int=recipient_id.int + EVENT_TYPES.index(event_type) + 1)


class NotificationEvent(Record, frozen=True, kw_only=True):
    """One fact about one recipient.

    `code` is the provider's own code, `error_class` the normalised class or the reason of a skip. Cost is in
    millionths of `currency`, as estimated or as the provider states it.
    """

    id: UUID
    recipient_id: UUID
    event_type: str
    event_timestamp: datetime
    provider_message_id: str | None = None
    error_class: str | None = None
    code: str | None = None
    segments: int | None = None
    cost_micros: int | None = None
    currency: str | None = None


class Repricing(Record, frozen=True, kw_only=True):
    """The provider has said what a message cost that was counted with another cost before, or with none."""

    id: UUID
    recipient_id: UUID
    at: datetime
    cost_micros: int
    currency: str
    before_cost_micros: int | None = None
    before_currency: str | None = None


class NotificationsRecorded(Event, frozen=True, kw_only=True):
    """What the ledger recorded about recipients of one campaign (or send request), up to 500 at a time.

    The public stream of events: every event of the specification's list appears here, and at least once. `provider`
    is the type of the provider that said so, `app` for the customer's own app, `link` for a link of ours that was
    followed, `none` where nobody was asked and `any` where the ledger itself gave up. `lane` is bulk or
    transactional. `repricings` correct the cost of messages whose `sent` event was said before.
    """

    campaign_id: UUID
    user_id: str
    channel: str
    provider: str
    lane: str
    events: list[NotificationEvent]
    repricings: list[Repricing] = msgspec.field(default_factory=list)


class MessageReference(Record, frozen=True, kw_only=True):
    """Which recipient a provider's id of a message stands for; of a batch, any recipient."""

    provider_message_id: str
    recipient_id: UUID


class MessagesReferenced(Event, frozen=True, kw_only=True):
    """Ids of messages at a provider whose receipts will not hold our reference, up to 500 at a time."""

    user_id: str
    channel: str
    provider: str
    references: list[MessageReference]


class TrackedLink(Record, frozen=True, kw_only=True):
    """Where a link of ours leads; `number` never changes its destination."""

    number: int
    destination: str


class LinksTracked(Event, frozen=True, kw_only=True):
    """Links of a tenant that stand in messages which are about to leave, up to 500 at a time."""

    user_id: str
    links: list[TrackedLink]


class CampaignProgressed(Event, frozen=True, kw_only=True):
    """Where a campaign stands; `version` rises, the newest wins.

    `terms` counts recipients by term of the accounting identity. `final` means that no recipient waits or is in
    flight and all lots have arrived.
    """

    campaign_id: UUID
    user_id: str
    channel: str
    version: int
    terms: dict[str, int]
    final: bool
    waiting_reason: str | None = None
    eta: datetime | None = None


class CampaignHalted(Event, frozen=True, kw_only=True):
    """The dispatcher has stopped a campaign by itself; somebody has to look at the reason and resume it."""

    campaign_id: UUID
    user_id: str
    channel: str
    reason: str


class AddressVerdict(Record, frozen=True, kw_only=True):
    """What a provider's answer says about an address: `dead`, or `opted_out` on the provider's side."""

    address: str
    verdict: str
    at: datetime
    customer_id: str | None = None


class AddressesJudged(Event, frozen=True, kw_only=True):
    """Addresses of one tenant and channel that should not be tried again, up to 500 at a time."""

    user_id: str
    channel: str
    verdicts: list[AddressVerdict]


class ProviderChanged(Event, frozen=True, kw_only=True):
    """The current state of a provider account; key is the provider, the newest record wins.

    `sealed` holds credentials and configuration, encrypted with the fleet's key. `deleted` says that it is gone.
    """

    provider_id: UUID
    user_id: str
    channel: str
    version: int
    provider_name: str
    provider_type: str
    is_active: bool
    sealed: bytes
    deleted: bool = False
