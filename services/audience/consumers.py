"""What the audience service hears."""

from __future__ import annotations

from functools import partial

from contracts import topics
from services.audience.handlers import consent, expanding, requesting
from shared.database import Database
from shared.kafka import Subscription


def subscriptions(database: Database) -> list[Subscription]:
    """All subscriptions, bound to the database."""
    return [
        Subscription(topics.CAMPAIGN_LIFECYCLE, partial(expanding.on_lifecycle, database), fetch_wait_ms=100),
        Subscription(
            topics.SEND_REQUESTS, partial(requesting.on_send_requested, database), records_max=200, fetch_wait_ms=50
        ),
        Subscription(topics.INBOUND_MESSAGES, partial(consent.on_inbound_messages, database)),
        Subscription(topics.ADDRESS_VERDICTS, partial(consent.on_addresses_judged, database)),
    ]
