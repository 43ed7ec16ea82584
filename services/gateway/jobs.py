"""The loops of the gateway."""

from __future__ import annotations

from services.gateway.store.answers import delete_old_answers
from services.gateway.store.sessions import delete_ended
from shared.database import Database
from shared.runtime import JobContext

PURGE_SECONDS = 600.0


async def forget(database: Database, hours: int, context: JobContext) -> None:
    """Forgets stored answers, sessions, invitations and wrong passwords after their time."""
    while not await context.sleep(PURGE_SECONDS):
        async with database.transaction() as connection:
            await delete_old_answers(connection, hours)
            await delete_ended(connection)
