"""How many requests may be under way for an account, over all processes: each process leases a share of the number.

A process that needs the account holds a row; whoever comes gets an equal part as soon as the others have made room. A
share must outlive every request that was begun under it: then what a dead process held is given to others when its last
request has ended, and no sooner.
"""

from __future__ import annotations

from uuid import UUID

from shared.database import Connection


async def claim_share(
    connection: Connection, account_id: UUID, worker: UUID, most: int, under_way: int, seconds: float
) -> int:
    """Takes or renews a worker's share of `most`, which others may have made smaller; 0 while there is no room.

    While more are under way than the share allows, they stay counted.
    """
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%b::text, 3))", (account_id,))
    cursor = await connection.execute(
        """
        WITH gone AS (
            DELETE FROM shares WHERE account_id = %(account)b AND expires_at <= clock_timestamp()
        ), others AS (
            SELECT count(*)::int AS workers, coalesce(sum(slots), 0)::int AS held FROM shares
            WHERE account_id = %(account)b AND worker <> %(worker)b AND expires_at > clock_timestamp()
        ), mine AS (
            SELECT greatest(0, least((%(most)b::int + workers) / (workers + 1), %(most)b - held)) AS slots FROM others
        ), renewed AS (
            INSERT INTO shares (account_id, worker, slots, expires_at)
            SELECT %(account)b, %(worker)b, greatest(slots, %(under_way)b::int),
                   clock_timestamp() + %(seconds)b::float8 * interval '1 second' FROM mine
            ON CONFLICT (account_id, worker) DO UPDATE SET slots = excluded.slots, expires_at = excluded.expires_at
        )
        SELECT slots FROM mine
        """,
        {"account": account_id, "worker": worker, "most": most, "under_way": under_way, "seconds": seconds},
    )
    row = await cursor.fetchone()
    assert row is not None
    slots: int = row[0]
    return slots


async def release_share(connection: Connection, account_id: UUID, worker: UUID) -> None:
    """Gives a share back of which nothing is under way."""
    await connection.execute("DELETE FROM shares WHERE account_id = %b AND worker = %b", (account_id, worker))
