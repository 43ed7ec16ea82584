"""What the campaign service hears."""

from __future__ import annotations

from functools import partial

from contracts import topics
from services.campaign.handlers import hearing
from shared.database import Database
from shared.kafka import Subscription


def subscriptions(database: Database) -> list[Subscription]:
    """What audience and dispatcher report, and which accounts there are."""
    return [
        Subscription(topics.AUDIENCE_RESOLVED, partial(hearing.on_audience_resolved, database)),
        Subscription(topics.CAMPAIGN_PROGRESS, partial(hearing.on_campaign_progressed, database)),
        Subscription(topics.PROVIDER_CHANGES, partial(hearing.on_providers_changed, database), fetch_wait_ms=100),
    ]
