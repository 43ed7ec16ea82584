"""A campaign's course, from the sums by minute and by failure."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from shared.database import Connection

FAILURES_MAX = 100
"""How many kinds of failures are listed, the most frequent first; providers have more codes than anybody reads."""


async def has_campaign(connection: Connection, user_id: str, channel: str, campaign_id: UUID) -> bool:
    """Whether the tenant has this campaign of this channel."""
    cursor = await connection.execute(
        "SELECT FROM campaigns WHERE id = %b AND user_id = %b AND channel = %b AND NOT deleted",
        (campaign_id, user_id, channel),
    )
    return await cursor.fetchone() is not None


async def find_span(connection: Connection, user_id: str, campaign_id: UUID) -> tuple[datetime, datetime] | None:
    """The first and the last minute in which something happened."""
    cursor = await connection.execute(
        """
        SELECT min(minute), max(minute) FROM campaign_minutes
        WHERE user_id = %b AND campaign_id = %b AND events <> 0
        """,
        (user_id, campaign_id),
    )
    row = await cursor.fetchone()
    return None if row is None or row[0] is None else (row[0], row[1])


async def find_counts(
    connection: Connection, user_id: str, campaign_id: UUID, bucket_seconds: int
) -> list[tuple[datetime, str, int]]:
    """(beginning of the bucket, event type, how many); buckets are counted from 1970."""
    cursor = await connection.execute(
        """
        SELECT date_bin(%b * interval '1 second', minute, 'epoch'), event_type, sum(events)::bigint
        FROM campaign_minutes WHERE user_id = %b AND campaign_id = %b AND events <> 0 GROUP BY 1, 2
        """,
        (bucket_seconds, user_id, campaign_id),
    )
    return await cursor.fetchall()


async def find_failures(connection: Connection, user_id: str, campaign_id: UUID) -> list[dict[str, Any]]:
    """Failed and bounced messages by class and provider's code, the most frequent first."""
    cursor = await connection.execute(
        """
        SELECT nullif(error_class, ''), nullif(code, ''), events FROM campaign_failures
        WHERE user_id = %b AND campaign_id = %b AND events <> 0 ORDER BY events DESC, error_class, code LIMIT %b
        """,
        (user_id, campaign_id, FAILURES_MAX),
    )
    return [
        {"errorClass": error_class, "code": code, "count": events}
        for error_class, code, events in await cursor.fetchall()
    ]
