"""The loops of the gateway."""

from __future__ import annotations

from services.gateway.handlers.approvals import Approvals
from services.gateway.handlers.keys import Keys
from services.gateway.store.answers import delete_old_answers
from services.gateway.store.audit import delete_old_deeds
from services.gateway.store.limits import delete_full_buckets
from services.gateway.store.sessions import delete_ended
from services.gateway.store.testing import delete_old_test_days
from shared.database import Database
from shared.runtime import JobContext

PURGE_SECONDS = 600.0
PERFORM_SECONDS = 10.0
USED_SECONDS = 15.0
"""How exact the last use of a key is."""


async def forget(database: Database, hours: int, context: JobContext) -> None:
    """Forgets what is kept for a time only, after its time."""
    while not await context.sleep(PURGE_SECONDS):
        async with database.transaction() as connection:
            await delete_old_answers(connection, hours)
            await delete_ended(connection)
            await delete_full_buckets(connection)
            await delete_old_deeds(connection)
            await delete_old_test_days(connection)


async def perform_approved(approvals: Approvals, context: JobContext) -> None:
    """Goes on with what was approved where a gateway died or an owner did not answer."""
    while not await context.sleep(PERFORM_SECONDS):
        context.heartbeat.begin()
        await approvals.perform_left()
        context.heartbeat.end()


async def mark_used_keys(keys: Keys, context: JobContext) -> None:
    """Writes down which keys are used, also at the end."""
    while not await context.sleep(USED_SECONDS):
        await keys.mark_used()
    await keys.mark_used()
