"""The loops of the analytics service."""

from __future__ import annotations

from services.analytics.store.events import create_partitions
from shared.codec import now
from shared.database import Database
from shared.runtime import JobContext

CHECK_SECONDS = 3600.0


async def keep_partitions(database: Database, months_ahead: int, context: JobContext) -> None:
    """Makes the event log's partitions before they are needed."""
    while not await context.sleep(CHECK_SECONDS):
        async with database.transaction() as connection:
            await create_partitions(connection, now(), months_ahead + 1)
