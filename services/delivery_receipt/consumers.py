"""What the delivery_receipt service hears."""

from __future__ import annotations

from functools import partial

from contracts import topics
from services.delivery_receipt.handlers import Accounts, on_providers_changed
from shared.database import Database
from shared.kafka import Subscription


def subscriptions(database: Database, accounts: Accounts) -> list[Subscription]:
    """Account changes; everything else comes over HTTP."""
    return [Subscription(topics.PROVIDER_CHANGES, partial(on_providers_changed, database, accounts))]
