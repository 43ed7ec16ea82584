"""What the delivery_receipt service hears."""

from __future__ import annotations

from functools import partial

from contracts import topics
from services.delivery_receipt import handlers
from services.delivery_receipt.accounts import Accounts
from shared.database import Database
from shared.kafka import Subscription


def subscriptions(database: Database, accounts: Accounts, previous_secrets_seconds: float) -> list[Subscription]:
    """All subscriptions."""
    return [
        Subscription(
            topics.PROVIDER_CHANGES,
            partial(handlers.on_providers_changed, database, accounts, previous_secrets_seconds),
        ),
        Subscription(topics.MESSAGE_REFERENCES, partial(handlers.on_messages_referenced, database), fetch_wait_ms=100),
        Subscription(topics.TRACKED_LINKS, partial(handlers.on_links_tracked, database), fetch_wait_ms=100),
    ]
