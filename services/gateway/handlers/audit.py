"""Writing down who changed what: before it is done, and what came of it before anybody is told."""

from __future__ import annotations

from uuid import UUID

from services.gateway.domain.audit import Actor, Deed, Origin
from services.gateway.store import audit as store
from shared.database import Database

DONE = 200
"""The status of what is written down when it has been done."""


async def begin_deed(database: Database, actor: Actor, deed: Deed, origin: Origin) -> UUID:
    """Somebody is about to do something. An entry that stays without an outcome was cut off by a crash."""
    async with database.transaction() as connection:
        return await store.insert_deed(connection, actor, deed, origin)


async def end_deed(database: Database, entry_id: UUID, status: int, made_id: str | None) -> None:
    """What came of it, and what was made."""
    async with database.transaction() as connection:
        await store.mark_outcome(connection, entry_id, status, made_id)


async def record_deed(database: Database, actor: Actor, deed: Deed, origin: Origin, status: int = DONE) -> None:
    """Something was done that no request of its own stands for, such as looking at a whole phone number."""
    async with database.transaction() as connection:
        await store.insert_deed(connection, actor, deed, origin, status)
