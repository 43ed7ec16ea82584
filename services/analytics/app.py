"""Composes the analytics service."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from services.analytics.consumers import subscriptions
from services.analytics.domain import exchange_rates
from services.analytics.jobs import keep_partitions
from services.analytics.routes import analytics_routes
from services.analytics.settings import AnalyticsSettings
from services.analytics.store.partitions import create_partitions
from shared.codec import now
from shared.database import TenantDatabase, open_database
from shared.http import internal_app, only_with_token
from shared.runtime import Job, Service

NAME = "analytics"


@asynccontextmanager
async def build(settings: AnalyticsSettings) -> AsyncIterator[Service]:
    """The service with everything it needs, until the end of the block."""
    async with open_database(settings.database_url, settings.database_connections_max, NAME) as database:
        async with database.transaction() as connection:
            await create_partitions(connection, now(), settings.partitions_ahead_months + 1)
        app = internal_app(NAME)
        app.include_router(analytics_routes(TenantDatabase(database), exchange_rates(settings.exchange_rates)))
        yield Service(
            name=NAME,
            routes=only_with_token(app, settings.internal_token.get_secret_value()),
            database=database,
            subscriptions=subscriptions(database),
            jobs=[
                Job(
                    "partitions",
                    partial(keep_partitions, database, settings.partitions_ahead_months, settings.events_kept_months),
                )
            ],
        )
