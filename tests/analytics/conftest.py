"""A migrated database of the analytics service, and its API as the gateway asks it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from pydantic import SecretStr

from services.analytics.domain import exchange_rates
from services.analytics.routes import analytics_routes
from services.analytics.store.partitions import create_partitions
from shared.codec import now
from shared.database import Database, open_database
from shared.http import internal_app
from tests.analytics.records import USER
from tests.asking import Client


@pytest_asyncio.fixture
async def database(database_of) -> AsyncIterator[Database]:
    async with open_database(SecretStr(database_of("analytics")), 6, "test") as opened:
        async with opened.transaction() as connection:
            await create_partitions(connection, now(), 2)
        yield opened


@pytest.fixture
def client(database) -> Client:
    app = internal_app("analytics")
    app.include_router(analytics_routes(database, exchange_rates("USD=1,EUR=1.5")))
    return Client(app, "/api/notification", {"X-User-Id": USER})
