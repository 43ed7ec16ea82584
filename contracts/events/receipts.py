"""What the delivery_receipt service says."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from contracts.events.event import Event, Record

RECEIPT_KINDS = ("accepted", "delivered", "failed", "bounced", "opened", "clicked", "opted_out")


class Receipt(Record, frozen=True, kw_only=True):
    """What a provider, or the customer's own app, states about one recipient's message.

    `kind` is one of `RECEIPT_KINDS`; `accepted` proves only that the provider has it. Receipts come late, early,
    twice and out of order: readers join them by rank. Where the provider knows only the batch, `recipient_id` is any
    recipient of it and `address` says which one is meant. Where it reports on each part of a long text, `part` is its
    id of the one that is meant.
    """

    recipient_id: UUID
    kind: str
    at: datetime
    address: str | None = None
    part: str | None = None
    provider_message_id: str | None = None
    error_class: str | None = None
    code: str | None = None
    cost_micros: int | None = None
    currency: str | None = None


class ReceiptsRecorded(Event, frozen=True, kw_only=True):
    """Verified receipts of one channel and provider, up to 500 at a time."""

    channel: str
    provider: str
    receipts: list[Receipt]


class InboundMessageReceived(Event, frozen=True, kw_only=True):
    """A customer wrote to one of a tenant's numbers; `intent` is stop, start, help or other."""

    user_id: str
    channel: str
    provider_id: UUID
    address: str
    to: str
    text: str
    intent: str
    provider_message_id: str | None = None
