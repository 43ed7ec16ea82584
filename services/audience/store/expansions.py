"""Expansion of campaigns: which one is next, and its checkpoint.

All functions that take an `Expansion` must run in the transaction that claimed it.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

import msgspec

from contracts.events import CampaignLaunched
from services.audience.store.walking import WALK_COLUMNS, Walk, read_walk
from shared.database import Connection


@dataclass(slots=True)
class Expansion(Walk):
    """The walk that makes a launched campaign's lots."""

    lots: int


async def insert_expansion(connection: Connection, launched: CampaignLaunched) -> bool:
    """Makes the expansion of a campaign; False when it had one. Waits for recipients that are being added."""
    await lock_additions(connection, launched.campaign_id, exclusive=True)
    cursor = await connection.execute(
        """
        INSERT INTO expansions (campaign_id, user_id, channel, category, content, audience_filter)
        VALUES (%b, %b, %b, %b, %b::jsonb, %b::jsonb) ON CONFLICT DO NOTHING
        """,
        (
            launched.campaign_id,
            launched.user_id,
            launched.channel,
            launched.category,
            msgspec.json.encode(launched.content).decode(),
            msgspec.json.encode(launched.audience_filter).decode() if launched.audience_filter else None,
        ),
    )
    return cursor.rowcount == 1


async def lock_additions(connection: Connection, campaign_id: UUID, *, exclusive: bool) -> None:
    """Keeps launching and adding apart until the transaction ends, so that an addition is in time or refused."""
    function = "pg_advisory_xact_lock" if exclusive else "pg_advisory_xact_lock_shared"
    await connection.execute(f"SELECT {function}(hashtextextended(%b, 0))", (str(campaign_id),))


async def find_state(connection: Connection, campaign_id: UUID) -> str | None:
    """The state of a campaign's expansion, or None before its launch."""
    cursor = await connection.execute("SELECT state FROM expansions WHERE campaign_id = %b", (campaign_id,))
    row = await cursor.fetchone()
    return None if row is None else str(row[0])


async def claim_expansion(connection: Connection, campaign_id: UUID | None = None) -> Expansion | None:
    """Locks the running expansion that has waited longest and that nobody else holds, or the named one."""
    cursor = await connection.execute(
        f"""
        SELECT campaign_id, {WALK_COLUMNS}, lots FROM expansions
        WHERE state = 'running' AND (%b::uuid IS NULL OR campaign_id = %b) ORDER BY touched_at LIMIT 1
        FOR UPDATE {"SKIP LOCKED" if campaign_id is None else ""}
        """,  # noqa: S608
        (campaign_id, campaign_id),
    )
    row = await cursor.fetchone()
    if row is None:
        return None
    return read_walk(Expansion, row)


async def mark_progress(connection: Connection, expansion: Expansion) -> None:
    """Writes the checkpoint."""
    await connection.execute(
        """
        UPDATE expansions SET phase = %b, cursor = %b, audience = %b, recipients = %b, lots = %b,
                              excluded = %b::jsonb, touched_at = clock_timestamp()
        WHERE campaign_id = %b
        """,
        (
            expansion.phase,
            expansion.cursor,
            expansion.audience,
            expansion.recipients,
            expansion.lots,
            msgspec.json.encode(expansion.excluded).decode(),
            expansion.campaign_id,
        ),
    )


async def mark_finished(connection: Connection, expansion: Expansion, state: str) -> None:
    """Ends the expansion as done or cancelled."""
    await connection.execute(
        "UPDATE expansions SET state = %b, finished_at = now() WHERE campaign_id = %b",
        (state, expansion.campaign_id),
    )


async def delete_addresses(connection: Connection, kept_seconds: float, rows_max: int) -> int:
    """Forgets addresses of expansions that ended a while ago, and of forecasts at once; returns how many."""
    cursor = await connection.execute(
        """
        DELETE FROM expansion_addresses WHERE ctid = ANY(ARRAY(
            SELECT a.ctid FROM (
                SELECT campaign_id FROM expansions
                WHERE state <> 'running' AND finished_at < now() - %b * interval '1 second'
                UNION ALL
                SELECT id FROM forecasts WHERE state <> 'running'
            ) ended JOIN expansion_addresses a USING (campaign_id) LIMIT %b
        ))
        """,
        (kept_seconds, rows_max),
    )
    return cursor.rowcount
