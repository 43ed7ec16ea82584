"""Which events are done already."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from shared.database import Connection

KEPT_DAYS = 31
"""Longer than any topic keeps its records, so that no replay finds the memory gone."""


async def remember(connection: Connection, event_ids: Sequence[UUID]) -> set[UUID]:
    """Marks the ids as done in this transaction and returns those that were not done before."""
    cursor = await connection.execute(
        "INSERT INTO inbox (event_id) SELECT unnest(%b::uuid[]) ON CONFLICT DO NOTHING RETURNING event_id",
        (list(event_ids),),
    )
    return {row[0] for row in await cursor.fetchall()}


async def forget_old(connection: Connection) -> None:
    """Deletes what no topic can replay any more."""
    await connection.execute(f"DELETE FROM inbox WHERE seen_at < now() - interval '{KEPT_DAYS} days'")  # noqa: S608
