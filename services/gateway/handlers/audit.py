"""Writing down who changed what: before it is done, and what came of it before anybody is told."""

from __future__ import annotations

from uuid import UUID

from services.gateway.domain.audit import Actor, Deed, Origin
from services.gateway.domain.sessions import SignInProblem
from services.gateway.store import audit as store
from shared.database import Database

DONE, REPEATED, REFUSED = 200, 208, 401
"""The statuses of what is written down when it has been done, had been done before, or was not."""


async def begin_deed(database: Database, actor: Actor, deed: Deed, origin: Origin) -> UUID:
    """Somebody is about to do something. An entry that stays without an outcome was cut off by a crash."""
    async with database.transaction() as connection:
        return await store.insert_deed(connection, actor, deed, origin)


async def end_deed(database: Database, entry_id: UUID, status: int, made_id: str | None) -> None:
    """What came of it, and what was made."""
    async with database.transaction() as connection:
        await store.mark_outcome(connection, entry_id, status, made_id)


async def record_refused_sign_in(database: Database, refused: SignInProblem, origin: Origin) -> None:
    """Somebody could not sign in. What was tried while they had to wait was not looked at and leaves no entry."""
    if refused.email:
        action = "sign in, refused and locked" if refused.locks else "sign in, refused"
        async with database.transaction() as connection:
            await store.insert_refused_sign_in(connection, refused.email, action, origin, REFUSED)


async def record_deed(database: Database, actor: Actor, deed: Deed, origin: Origin, status: int = DONE) -> None:
    """Something was done that no request of its own stands for, such as looking at a whole phone number."""
    async with database.transaction() as connection:
        await store.insert_deed(connection, actor, deed, origin, status)
