"""The audit log: rows are added, and their outcome is added once; a trigger refuses all else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from psycopg import sql
from psycopg.rows import dict_row

from services.gateway.domain.audit import Actor, Deed, Origin
from shared.database import Connection
from shared.ids import new_id

KEPT_DAYS = 731
"""The trigger refuses to delete what is younger than a year."""

PURGE_MAX = 10_000

_COLUMNS = sql.SQL(
    "id, at, actor_kind, actor_id, actor_name, action, resource_type, resource_id, source, request_id, status"
)


async def insert_deed(
    connection: Connection, actor: Actor, deed: Deed, origin: Origin, status: int | None = None
) -> UUID:
    """Something begins, or has been done where the status is known; returns the entry's id."""
    entry_id = new_id()
    await connection.execute(
        """
        INSERT INTO audit_log (id, user_id, actor_kind, actor_id, actor_name, action, resource_type, resource_id,
                               source, request_id, status)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
        """,
        (
            entry_id,
            actor.user_id,
            actor.kind,
            actor.id,
            actor.name,
            deed.action,
            deed.resource_type,
            deed.resource_id,
            origin.source,
            origin.request_id,
            status,
        ),
    )
    return entry_id


async def insert_refused_sign_in(connection: Connection, email: str, action: str, origin: Origin, status: int) -> None:
    """Somebody tried the account with this address, if there is one. It takes as long where there is none, also to
    commit, so that nobody learns it; a crash may lose the entry."""
    await connection.execute("SET LOCAL synchronous_commit TO off")
    await connection.execute(
        """
        INSERT INTO audit_log (id, user_id, actor_kind, actor_id, actor_name, action, resource_type,
                               source, request_id, status)
        SELECT %s, user_id, 'unknown', id::text, email, %s, 'session', %s, %s, %s FROM people WHERE email = %s
        """,
        (new_id(), action, origin.source, origin.request_id, status, email),
    )


async def mark_outcome(connection: Connection, entry_id: UUID, status: int, resource_id: str | None) -> None:
    """What came of it, once."""
    await connection.execute(
        "UPDATE audit_log SET status = %s, resource_id = coalesce(resource_id, %s) WHERE id = %s AND status IS NULL",
        (status, resource_id, entry_id),
    )


async def find_deeds(
    connection: Connection, user_id: str, filters: Mapping[str, Any], after: UUID | None, rows_max: int
) -> list[dict[str, Any]]:
    """A tenant's entries, newest first, from before `after`. Filters: columns with their value, `from` and `to`; a
    type of resource stands for those below it too, as `customers` does for `customers/import`."""
    conditions: list[sql.Composable] = [sql.SQL("user_id = %(user_id)s")]
    for name in filters:
        if name in ("from", "to"):
            conditions.append(sql.SQL("at >= %(from)s" if name == "from" else "at < %(to)s"))
        elif name == "resource_type":
            conditions.append(
                sql.SQL("(resource_type = %(resource_type)s OR starts_with(resource_type, %(resource_type)s || '/'))")
            )
        else:
            conditions.append(sql.SQL("{} = {}").format(sql.Identifier(name), sql.Placeholder(name)))
    if after is not None:
        conditions.append(sql.SQL("id < %(after)s"))
    statement = sql.SQL("SELECT {} FROM audit_log WHERE {} ORDER BY id DESC LIMIT %(rows_max)s").format(
        _COLUMNS, sql.SQL(" AND ").join(conditions)
    )
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(statement, {**filters, "user_id": user_id, "after": after, "rows_max": rows_max})
        return await cursor.fetchall()


async def delete_old_deeds(connection: Connection) -> None:
    """Forgets a bounded number of entries that are older than they need to be."""
    await connection.execute(
        """
        DELETE FROM audit_log WHERE id IN (
            SELECT id FROM audit_log WHERE at < now() - %s * interval '1 day' ORDER BY at LIMIT %s
        )
        """,
        (KEPT_DAYS, PURGE_MAX),
    )
