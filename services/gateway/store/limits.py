"""The buckets of all callers, which the replicas share."""

from __future__ import annotations

from services.gateway.domain.limits import Rate
from shared.database import Connection


async def take_tokens(connection: Connection, subject: str, rate: Rate, wanted: int) -> tuple[int, float]:
    """(tokens taken, tokens left): as many as there are, up to those wanted."""
    cursor = await connection.execute(
        """
        INSERT INTO rate_buckets AS bucket (subject, tokens) VALUES (%(subject)s, %(capacity)s)
        ON CONFLICT (subject) DO UPDATE SET
            tokens = least(%(capacity)s, bucket.tokens + %(rate)s
                * greatest(0, extract(epoch FROM clock_timestamp() - bucket.refilled_at)::float8)),
            refilled_at = clock_timestamp()
        RETURNING tokens
        """,
        {"subject": subject, "capacity": float(rate.per_minute), "rate": rate.per_second},
    )
    row = await cursor.fetchone()
    assert row is not None
    taken = min(wanted, int(row[0]))
    if taken:
        await connection.execute(
            "UPDATE rate_buckets SET tokens = tokens - %s WHERE subject = %s", (float(taken), subject)
        )
    return taken, row[0] - taken


async def delete_full_buckets(connection: Connection) -> None:
    """Forgets callers who made no request for so long that their bucket is full again."""
    await connection.execute("DELETE FROM rate_buckets WHERE refilled_at < clock_timestamp() - interval '2 minutes'")
