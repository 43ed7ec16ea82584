"""Rows that are made once, though a request for them may come again."""

from __future__ import annotations

from typing import Any

from sqlalchemy import RowMapping, Table, select
from sqlalchemy.dialects.postgresql import insert

from shared.database.database import SqlConnection


async def insert_once(connection: SqlConnection, table: Table, values: dict[str, Any]) -> tuple[RowMapping, bool]:
    """The tenant's row as stored, and whether it is new: one with its `id` may be there already."""
    statement = insert(table).values(values).on_conflict_do_nothing(index_elements=["id"]).returning(*table.c)
    row = (await connection.execute(statement)).mappings().one_or_none()
    if row is not None:
        return row, True
    there = select(table).where(table.c.id == values["id"], table.c.user_id == values["user_id"])
    return (await connection.execute(there)).mappings().one(), False
