"""What the analytics service hears."""

from __future__ import annotations

from functools import partial

from contracts import topics
from services.analytics import handlers
from shared.database import Database
from shared.kafka import Subscription

FULL_BATCH_BYTES = 64 * 1024


def subscriptions(database: Database) -> list[Subscription]:
    """The public stream of events, and the changes behind the dashboard."""
    return [
        Subscription(
            topics.NOTIFICATION_EVENTS,
            partial(handlers.on_notifications_recorded, database),
            records_max=20,
            fetch_wait_ms=100,
            fetch_bytes_min=FULL_BATCH_BYTES,
        ),
        Subscription(topics.CAMPAIGN_CHANGES, partial(handlers.on_campaigns_changed, database)),
        Subscription(topics.TEMPLATE_CHANGES, partial(handlers.on_templates_changed, database)),
        Subscription(topics.PROVIDER_CHANGES, partial(handlers.on_providers_changed, database)),
    ]
