"""The loops of the analytics service."""

from __future__ import annotations

from services.analytics.domain import month_before
from services.analytics.store.partitions import close_month, create_partitions, find_months_before
from shared.codec import now
from shared.database import Database
from shared.runtime import JobContext

CHECK_SECONDS = 3600.0


async def keep_partitions(database: Database, months_ahead: int, months_kept: int, context: JobContext) -> None:
    """Makes the event log's partitions before they are needed, and closes those that are no longer kept."""
    while not await context.sleep(CHECK_SECONDS):
        async with database.transaction() as connection:
            await create_partitions(connection, now(), months_ahead + 1)
            old = await find_months_before(connection, month_before(now(), months_kept))
        for month in old:
            async with database.transaction() as connection:
                await close_month(connection, month)
