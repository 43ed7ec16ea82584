"""Records as the dispatcher says them."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from contracts.events import NotificationEvent, NotificationsRecorded, Repricing
from contracts.events.delivery import notification_event_id
from shared.codec import now
from shared.ids import new_id

USER = "ada"


def events_of(
    recipient_id: UUID, *types: str, cost_micros: int | None = None, at: datetime | None = None, **fields: Any
) -> list[NotificationEvent]:
    """One event of each type; the cost, in USD, is that of sending."""
    return [
        NotificationEvent(
            id=notification_event_id(recipient_id, event_type),
            recipient_id=recipient_id,
            event_type=event_type,
            event_timestamp=at or now(),
            cost_micros=cost_micros if event_type == "sent" else None,
            currency="USD" if event_type == "sent" and cost_micros else None,
            **fields,
        )
        for event_type in types
    ]


def record(campaign_id: UUID, events: list[NotificationEvent], **fields: Any) -> NotificationsRecorded:
    """A record of an SMS campaign, unless `fields` say otherwise."""
    usual = NotificationsRecorded(
        event_id=new_id(),
        occurred_at=now(),
        campaign_id=campaign_id,
        user_id=USER,
        channel="sms",
        provider="twilio",
        lane="bulk",
        events=events,
    )
    return msgspec.structs.replace(usual, **fields)


def repriced(
    campaign_id: UUID,
    recipient_id: UUID,
    cost_micros: int,
    currency: str,
    before: int | None = None,
    identity: UUID | None = None,
) -> NotificationsRecorded:
    """A record that says what a message cost, of which `before` (in USD) was counted."""
    price = Repricing(
        id=identity or new_id(),
        recipient_id=recipient_id,
        at=now(),
        cost_micros=cost_micros,
        currency=currency,
        before_cost_micros=before,
        before_currency=None if before is None else "USD",
    )
    return record(campaign_id, [], repricings=[price])
