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

RowError = tuple[int, FieldError]


async def insert_import(
    connection: Connection, import_id: UUID, user_id: str, kind: str, campaign_id: UUID | None
) -> None:
    """An import begins."""
    await connection.execute(
        "INSERT INTO imports (id, user_id, kind, campaign_id) VALUES (%b, %b, %b, %b)",
        (import_id, user_id, kind, campaign_id),
    )


async def mark_batch(
    connection: Connection, import_id: UUID, imported: int, rejected: int, errors: Sequence[RowError]
) -> None:
    """Counts a batch and keeps its errors, in the transaction that stores its rows."""
    await connection.execute(
        "UPDATE imports SET imported = imported + %b, rejected = rejected + %b WHERE id = %b",
        (imported, rejected, import_id),
    )
    await connection.execute(
        """
        INSERT INTO import_errors (import_id, row_number, field, reason)
        SELECT %b, * FROM unnest(%b::bigint[], %b::text[], %b::text[]) ON CONFLICT DO NOTHING
        """,
        (import_id, [row for row, _ in errors], [e.field for _, e in errors], [e.reason for _, e in errors]),
    )


async def mark_finished(connection: Connection, import_id: UUID, state: str) -> tuple[int, int]:
    """Ends the import; returns how many rows were imported and rejected."""
    cursor = await connection.execute(
        "UPDATE imports SET state = %b, finished_at = now() WHERE id = %b RETURNING imported, rejected",
        (state, import_id),
    )
    row = await cursor.fetchone()
    assert row is not None
    return row[0], row[1]


async def find_import(connection: AsyncConnection, user_id: str, import_id: UUID) -> Row[Any] | None:
    """One import of the tenant, or None."""
    statement = select(IMPORTS).where(IMPORTS.c.id == import_id, IMPORTS.c.user_id == user_id)
    return (await connection.execute(statement)).one_or_none()


async def find_errors(
    connection: Connection, import_id: UUID, after: tuple[int, str], rows_max: int
) -> list[tuple[int, str, str]]:
    """(row, field, reason) in order, after a row and field."""
    cursor = await connection.execute(
        """
        SELECT row_number, field, reason FROM import_errors
        WHERE import_id = %b AND (row_number, field) > (%b, %b) ORDER BY row_number, field LIMIT %b
        """,
        (import_id, *after, rows_max),
    )
    return await cursor.fetchall()
