"""What the audience service hears."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from contracts import topics
from services.audience.handlers import consent, expanding, requesting
from shared.database import Database
from shared.kafka import Subscription


def subscriptions(database: Database, on_work: Callable[[], None]) -> list[Subscription]:
    """All subscriptions; `on_work` is called when there may be something to expand."""

    async def on_lifecycle(events: list[Any]) -> None:
        await expanding.on_lifecycle(database, events)
        on_work()

    return [
        Subscription(topics.CAMPAIGN_LIFECYCLE, on_lifecycle, fetch_wait_ms=100),
        Subscription(
            topics.SEND_REQUESTS, partial(requesting.on_send_requested, database), records_max=200, fetch_wait_ms=100
        ),
        Subscription(topics.INBOUND_MESSAGES, partial(consent.on_inbound_messages, database)),
        Subscription(topics.ADDRESS_VERDICTS, partial(consent.on_addresses_judged, database)),
    ]
