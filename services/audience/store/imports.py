"""Imports and what they refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.audience.domain.customers import FieldError
from services.audience.tables import IMPORTS
from shared.database import Connection
from shared.exports import Query

RowError = tuple[int, FieldError]


async def insert_import(
    connection: Connection, import_id: UUID, user_id: str, kind: str, campaign_id: UUID | None
) -> bool:
    """An import begins; False when there is one of this id."""
    cursor = await connection.execute(
        "INSERT INTO imports (id, user_id, kind, campaign_id) VALUES (%b, %b, %b, %b) ON CONFLICT DO NOTHING",
        (import_id, user_id, kind, campaign_id),
    )
    return cursor.rowcount == 1


SILENT_SECONDS_MAX = 60.0
"""A running import is touched much more often; one that was not for so long was cut off by a crash."""

_IS_CUT_OFF = f"state = 'running' AND touched_at < clock_timestamp() - interval '{SILENT_SECONDS_MAX} seconds'"


async def mark_alive(connection: Connection, import_id: UUID) -> None:
    """The import goes on, though no row may come in."""
    await connection.execute("UPDATE imports SET touched_at = clock_timestamp() WHERE id = %b", (import_id,))


async def mark_cut_off(connection: Connection) -> None:
    """Ends the imports of whoever died over them."""
    await connection.execute(
        f"""
        UPDATE imports SET state = 'failed', problem = 'it was cut off; what came before is kept: send the file again',
                           finished_at = touched_at
        WHERE {_IS_CUT_OFF}
        """  # noqa: S608
    )


async def is_coming_in(connection: Connection, user_id: str, campaign_id: UUID) -> bool:
    """Whether people for the campaign still come in by a file."""
    cursor = await connection.execute(
        f"""
        SELECT EXISTS (
            SELECT FROM imports WHERE user_id = %b AND campaign_id = %b AND state = 'running' AND NOT ({_IS_CUT_OFF})
        )
        """,  # noqa: S608
        (user_id, campaign_id),
    )
    row = await cursor.fetchone()
    return row is not None and bool(row[0])


async def mark_batch(
    connection: Connection,
    import_id: UUID,
    imported: int,
    rejected: int,
    consent_assumed: int,
    consent_left_out: Sequence[str],
    bytes_read: int,
    errors: Sequence[tuple[int, str, str, str | None]],
) -> None:
    """Counts a batch and keeps its errors (row, field, reason, original), in the transaction that stores its rows."""
    await connection.execute(
        """
        UPDATE imports SET imported = imported + %b, rejected = rejected + %b,
                           consent_assumed = consent_assumed + %b,
                           consent_left_out = ARRAY(SELECT DISTINCT unnest(consent_left_out || %b::text[])),
                           bytes_read = %b, touched_at = clock_timestamp()
        WHERE id = %b
        """,
        (imported, rejected, consent_assumed, list(consent_left_out), bytes_read, import_id),
    )
    await connection.execute(
        """
        INSERT INTO import_errors (import_id, row_number, field, reason, original)
        SELECT %b, * FROM unnest(%b::bigint[], %b::text[], %b::text[], %b::text[]) ON CONFLICT DO NOTHING
        """,
        (import_id, *([error[column] for error in errors] for column in range(4))),
    )


async def mark_finished(connection: Connection, import_id: UUID, state: str, problem: str | None) -> None:
    """Ends the import; `problem` is why it failed."""
    await connection.execute(
        "UPDATE imports SET state = %b, problem = %b, finished_at = clock_timestamp() WHERE id = %b",
        (state, problem, import_id),
    )


async def find_import(connection: AsyncConnection, user_id: str, import_id: UUID) -> Row[Any] | None:
    """One import of the tenant, or None."""
    statement = select(IMPORTS).where(IMPORTS.c.id == import_id, IMPORTS.c.user_id == user_id)
    return (await connection.execute(statement)).one_or_none()


async def find_imports(
    connection: AsyncConnection, user_id: str, after: UUID | None, rows_max: int
) -> Sequence[Row[Any]]:
    """The tenant's imports in falling order of id, from behind `after`."""
    statement = select(IMPORTS).where(IMPORTS.c.user_id == user_id).order_by(IMPORTS.c.id.desc()).limit(rows_max)
    if after is not None:
        statement = statement.where(IMPORTS.c.id < after)
    return (await connection.execute(statement)).all()


def errors_query(import_id: UUID) -> Query:
    """All errors of an import, in order."""
    return Query(
        """
        SELECT row_number, field, reason, coalesce(original, '') FROM import_errors
        WHERE import_id = %(import_id)b ORDER BY row_number, field
        """,
        {"import_id": import_id},
        ("row", "field", "message", "original"),
    )


async def delete_errors(connection: Connection, kept_seconds: float, rows_max: int) -> int:
    """Forgets what was wrong in imports that ended a while ago: it shows parts of people's data."""
    cursor = await connection.execute(
        """
        DELETE FROM import_errors WHERE ctid = ANY(ARRAY(
            SELECT e.ctid FROM imports i JOIN import_errors e ON e.import_id = i.id
            WHERE i.finished_at < now() - %b * interval '1 second' LIMIT %b
        ))
        """,
        (kept_seconds, rows_max),
    )
    return cursor.rowcount
