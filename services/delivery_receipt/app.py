"""Composes the delivery_receipt service."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from services.delivery_receipt.consumers import subscriptions
from services.delivery_receipt.handlers import Accounts
from services.delivery_receipt.jobs import Intake, purge_callbacks
from services.delivery_receipt.routes import intake_routes
from services.delivery_receipt.settings import DeliveryReceiptSettings
from shared.database import open_database
from shared.runtime import Job, Service
from shared.security import references, seal

NAME = "delivery_receipt"


@asynccontextmanager
async def build(settings: DeliveryReceiptSettings) -> AsyncIterator[Service]:
    """The service with everything it needs, until the end of the block."""
    secrets_key = settings.secrets_key.get_secret_value()
    async with open_database(settings.database_url, settings.database_connections_max, NAME) as database:
        accounts = Accounts(seal(secrets_key))
        async with database.pool.connection() as connection:
            await accounts.load(connection)
        intake = Intake(database, settings.waiting_max, settings.group_max)
        yield Service(
            name=NAME,
            routes=intake_routes(
                intake, accounts, references(secrets_key), settings.public_base_url, settings.body_bytes_max
            ),
            database=database,
            subscriptions=subscriptions(database, accounts),
            jobs=[
                Job("intake", intake.write),
                Job("old callbacks", partial(purge_callbacks, database, settings.kept_days)),
            ],
        )
