"""What the dispatcher hears."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from contracts import topics
from services.dispatcher import handlers
from services.dispatcher.guard import Guard
from shared.database import Database
from shared.kafka import Subscription

FULL_BATCH_BYTES = 64 * 1024


def subscriptions(database: Database, guard: Guard, on_work: Callable[[], None]) -> list[Subscription]:
    """All subscriptions; `on_work` is called when lots may have become due."""

    async def on_lots(events: list[Any]) -> None:
        await handlers.on_lots_resolved(database, events)
        on_work()

    async def on_lifecycle(events: list[Any]) -> None:
        await handlers.on_lifecycle(database, events)
        on_work()

    return [
        Subscription(topics.LOTS, on_lots, records_max=10, fetch_wait_ms=100),
        Subscription(topics.TRANSACTIONAL_LOTS, on_lots, records_max=200, fetch_wait_ms=100),
        Subscription(topics.CAMPAIGN_LIFECYCLE, on_lifecycle, fetch_wait_ms=100),
        Subscription(topics.AUDIENCE_RESOLVED, partial(handlers.on_audience_resolved, database)),
        Subscription(topics.PREFERENCE_CHANGES, partial(handlers.on_preferences_changed, database), fetch_wait_ms=100),
        Subscription(topics.TEMPLATE_CHANGES, partial(handlers.on_templates_changed, database)),
        Subscription(
            topics.RECEIPTS,
            partial(handlers.on_receipts_recorded, database, guard),
            records_max=20,
            fetch_wait_ms=100,
            fetch_bytes_min=FULL_BATCH_BYTES,
        ),
    ]
