"""API keys as stored."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import sql
from psycopg.rows import class_row

from services.gateway.domain.keys import ApiKey
from services.gateway.store.rows import assignments, columns_of, insertion
from shared.database import Connection

_COLUMNS = columns_of(ApiKey)


async def insert_key(connection: Connection, values: dict[str, Any]) -> ApiKey:
    """The new key."""
    statement = insertion("api_keys", values) + sql.SQL(" RETURNING ") + _COLUMNS
    async with connection.cursor(row_factory=class_row(ApiKey)) as cursor:
        key = await (await cursor.execute(statement, values)).fetchone()
    assert key is not None
    return key


async def find_key(connection: Connection, prefix: str) -> ApiKey | None:
    """The key with this prefix, of whatever tenant."""
    statement = sql.SQL("SELECT {} FROM api_keys WHERE prefix = %s").format(_COLUMNS)
    async with connection.cursor(row_factory=class_row(ApiKey)) as cursor:
        return await (await cursor.execute(statement, (prefix,))).fetchone()


async def find_keys(connection: Connection, user_id: str, after: UUID | None, rows_max: int) -> list[ApiKey]:
    """A tenant's keys, newest first, from before `after`."""
    statement = sql.SQL(
        "SELECT {} FROM api_keys WHERE user_id = %s AND (%s::uuid IS NULL OR id < %s) ORDER BY id DESC LIMIT %s"
    ).format(_COLUMNS)
    async with connection.cursor(row_factory=class_row(ApiKey)) as cursor:
        return await (await cursor.execute(statement, (user_id, after, after, rows_max))).fetchall()


async def lock_key(connection: Connection, user_id: str, key_id: UUID) -> ApiKey | None:
    """A tenant's key, which nobody else changes before the transaction ends."""
    statement = sql.SQL("SELECT {} FROM api_keys WHERE id = %s AND user_id = %s FOR UPDATE").format(_COLUMNS)
    async with connection.cursor(row_factory=class_row(ApiKey)) as cursor:
        return await (await cursor.execute(statement, (key_id, user_id))).fetchone()


async def update_key(connection: Connection, key_id: UUID, values: dict[str, Any]) -> None:
    """Changes what is named."""
    statement = sql.SQL("UPDATE api_keys SET {} WHERE id = %(key_id)s").format(assignments(values))
    await connection.execute(statement, {**values, "key_id": key_id})


async def mark_used(connection: Connection, key_ids: Iterable[UUID], at: datetime) -> None:
    """They were used lately."""
    await connection.execute("UPDATE api_keys SET last_used_at = %s WHERE id = ANY(%s)", (at, sorted(key_ids)))
