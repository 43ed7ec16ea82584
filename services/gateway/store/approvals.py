"""Approvals as stored."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from psycopg import sql
from psycopg.rows import kwargs_row

from services.gateway.domain.approvals import Approval, State
from services.gateway.store.rows import assignments, columns_of, insertion
from shared.database import Connection

_COLUMNS = columns_of(Approval)

ENDED = frozenset({State.PERFORMED, State.FAILED, State.REJECTED, State.VOID})


async def lock_campaign(connection: Connection, campaign_id: UUID) -> None:
    """Lets nobody else ask for the campaign until the end of the transaction."""
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 1))", (str(campaign_id),))


async def insert_approval(connection: Connection, values: dict[str, Any]) -> Approval:
    """The new approval, of a campaign of which none is open."""
    (made,) = await _found(connection, insertion("approvals", values) + sql.SQL(" RETURNING ") + _COLUMNS, values)
    return made


async def find_approval(connection: Connection, user_id: str, approval_id: UUID) -> Approval | None:
    """A tenant's approval."""
    statement = sql.SQL("SELECT {} FROM approvals WHERE id = %(id)s AND user_id = %(user_id)s").format(_COLUMNS)
    found = await _found(connection, statement, {"id": approval_id, "user_id": user_id})
    return found[0] if found else None


async def claim_open(connection: Connection, user_id: str, campaign_id: UUID) -> Approval | None:
    """What waits for the campaign; nobody decides about it until the end of the transaction."""
    statement = sql.SQL(
        "SELECT {} FROM approvals WHERE campaign_id = %(campaign)s AND user_id = %(user)s AND ended_at IS NULL"
        " FOR UPDATE"
    ).format(_COLUMNS)
    found = await _found(connection, statement, {"campaign": campaign_id, "user": user_id})
    return found[0] if found else None


async def find_approvals(
    connection: Connection, user_id: str, state: str | None, campaign_id: UUID | None, after: UUID | None, rows_max: int
) -> list[Approval]:
    """A tenant's approvals, or those of one campaign, newest first, from before `after`."""
    statement = sql.SQL(
        "SELECT {} FROM approvals WHERE user_id = %(user)s AND (%(state)s::text IS NULL OR state = %(state)s)"
        " AND (%(campaign)s::uuid IS NULL OR campaign_id = %(campaign)s)"
        " AND (%(after)s::uuid IS NULL OR id < %(after)s) ORDER BY id DESC LIMIT %(rows_max)s"
    ).format(_COLUMNS)
    values = {"user": user_id, "state": state, "campaign": campaign_id, "after": after, "rows_max": rows_max}
    return await _found(connection, statement, values)


async def find_unperformed(connection: Connection, seconds: float, rows_max: int) -> list[Approval]:
    """Those of whatever tenant that were approved so long ago and not performed: a gateway died, or an owner did."""
    statement = sql.SQL(
        "SELECT {} FROM approvals WHERE state = 'approved'"
        " AND decided_at < clock_timestamp() - %(seconds)s * interval '1 second' ORDER BY decided_at LIMIT %(rows_max)s"
    ).format(_COLUMNS)
    return await _found(connection, statement, {"seconds": seconds, "rows_max": rows_max})


async def mark_state(
    connection: Connection, approval_id: UUID, old: State, new: State, values: dict[str, Any]
) -> Approval | None:
    """The approval in its new state; None when it is not in the old one any more."""
    changes = {"state": new.value, **values}
    ended = sql.SQL(", ended_at = now()" if new in ENDED else "")
    statement = sql.SQL("UPDATE approvals SET {}{} WHERE id = %(id)s AND state = %(old)s RETURNING {}").format(
        assignments(changes), ended, _COLUMNS
    )
    found = await _found(connection, statement, {**changes, "id": approval_id, "old": old.value})
    return found[0] if found else None


async def _found(connection: Connection, statement: sql.Composed, values: dict[str, Any]) -> list[Approval]:
    async with connection.cursor(row_factory=kwargs_row(_approval)) as cursor:
        await cursor.execute(statement, values)
        return await cursor.fetchall()


def _approval(**values: Any) -> Approval:
    return Approval(**values | {"state": State(values["state"])})
