"""A dispatcher that is broken on purpose: it commits an attempt after the call instead of before it.

`python -m tests.proofs.broken_ledger` runs in the place of the dispatcher. A kill between call and commit leaves no
trace of the attempt, so the next worker sends again: what the proof of crashes must find.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from services.dispatcher.app import NAME, build
from services.dispatcher.jobs import parts, sending
from services.dispatcher.settings import DispatcherSettings
from services.dispatcher.store.claims import MicroLot, claim_recipients
from services.dispatcher.store.outcomes import mark_outcomes
from shared.database import Connection
from shared.runtime import main

_uncommitted: dict[UUID, tuple[Any, ...]] = {}


async def claim_and_forget(connection: Connection, *arguments: Any) -> MicroLot:
    """The claim, rolled back at once."""
    micro_lot = await claim_recipients(connection, *arguments)
    await connection.rollback()
    _uncommitted[micro_lot.attempt_id] = arguments
    return micro_lot


async def claim_and_mark(
    connection: Connection, channel: Any, lot_id: UUID, attempt_id: UUID | None, outcomes: Any
) -> dict[UUID, str]:
    """The claim again, this time to be kept, and what became of it."""
    arguments = _uncommitted.pop(attempt_id, None) if attempt_id is not None else None
    if arguments is not None:
        await claim_recipients(connection, *arguments)
    return await mark_outcomes(connection, channel, lot_id, attempt_id, outcomes)


if __name__ == "__main__":
    sending.claim_recipients = claim_and_forget
    parts.mark_outcomes = claim_and_mark
    main(NAME, build, DispatcherSettings)
