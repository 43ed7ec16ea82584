"""Puts the audience service together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.audience.consumers import subscriptions
from services.audience.jobs import jobs
from services.audience.routes import make_routes
from services.audience.settings import AudienceSettings
from shared.database import TenantDatabase, open_database
from shared.http import only_with_token
from shared.runtime import Service


@asynccontextmanager
async def build(settings: AudienceSettings) -> AsyncIterator[Service]:
    """The service with its database open."""
    async with open_database(settings.database_url, settings.database_connections_max, "audience") as database:
        work, forecasts = asyncio.Event(), asyncio.Event()
        yield Service(
            "audience",
            only_with_token(
                make_routes(TenantDatabase(database), settings, forecasts), settings.internal_token.get_secret_value()
            ),
            database,
            subscriptions(database, work.set),
            jobs(database, settings, work, forecasts),
        )
