"""Composes the delivery_receipt service."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from services.delivery_receipt import handlers, metrics
from services.delivery_receipt.accounts import Accounts
from services.delivery_receipt.clicks import TrackedLinks
from services.delivery_receipt.consumers import subscriptions
from services.delivery_receipt.documents import Documents
from services.delivery_receipt.intake import Intake
from services.delivery_receipt.jobs import convert_rejected, forget_old, hand_on_parts, place_early, write_callbacks
from services.delivery_receipt.routes import intake_routes, quick_intake
from services.delivery_receipt.settings import DeliveryReceiptSettings
from shared.database import open_database
from shared.links import link_codes
from shared.providers.wire import open_wire
from shared.runtime import Job, Service
from shared.security import references, seal

NAME = "delivery_receipt"
DOCUMENT_SECONDS = 5.0
"""How long a vendor may take to hand out a certificate; below the time that it waits for our answer."""

DOCUMENT_CONNECTIONS_MAX = 8


@asynccontextmanager
async def build(settings: DeliveryReceiptSettings) -> AsyncIterator[Service]:
    """The service with everything it needs, until the end of the block."""
    secrets_key = settings.secrets_key.get_secret_value()
    async with (
        open_database(settings.database_url, settings.database_connections_max, NAME) as database,
        open_wire(timeout_seconds=DOCUMENT_SECONDS, connections_max=DOCUMENT_CONNECTIONS_MAX) as wire,
    ):
        documents = Documents(wire, settings.lookups_max)
        accounts = Accounts(database, seal(secrets_key), settings.lookups_max)
        await accounts.load()
        intake = Intake(settings.waiting_max)
        metrics.WAITING.set_function(lambda: len(intake))
        refs = references(secrets_key)
        record = partial(handlers.record_callbacks, database)
        yield Service(
            name=NAME,
            routes=intake_routes(
                settings, accounts, refs, documents, intake, link_codes(secrets_key), TrackedLinks(database)
            ),
            quick=quick_intake(settings, accounts, refs, documents, intake),
            database=database,
            subscriptions=subscriptions(database, accounts, settings.previous_secrets_seconds),
            jobs=[
                Job("callbacks", partial(write_callbacks, intake, record, settings)),
                Job("early", partial(place_early, database, accounts, refs, settings.public_base_url)),
                Job("rejected", partial(convert_rejected, database, accounts, refs, settings.public_base_url)),
                Job("parts", partial(hand_on_parts, database, settings.parts_wait_seconds)),
                Job("forgetting", partial(forget_old, database, accounts, settings)),
            ],
        )
