"""Attempts whose outcome is unknown, for those who can find it out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from contracts.channels import Channel
from shared.database import Connection


@dataclass(frozen=True, slots=True)
class UnknownAttempt:
    """One recipient who may or may not have been sent to."""

    id: UUID
    lot_id: UUID
    campaign_id: UUID
    user_id: str
    address: str
    name: str | None
    customer_id: str | None
    attempts: int
    attempted_at: datetime
    variables: dict[str, str] | None
    provider_id: UUID
    content: dict[str, Any]
    unknown_policy: str
    lane: str


async def find_unknowns(
    connection: Connection, channel: Channel, older_than_seconds: float, after: UUID | None, rows_max: int
) -> list[UnknownAttempt]:
    """Unknown attempts that no receipt has settled for so long, in order of id."""
    table = f"{channel.name}_campaign_recipients"
    cursor = await connection.execute(
        f"""
        SELECT r.id, r.lot_id, r.campaign_id, r.user_id, r.{channel.address_column}, r.recipient_name, r.customer_id,
               r.attempts, r.attempted_at, r.personalization_data,
               coalesce(l.provider_id, c.provider_id), coalesce(l.content, c.content),
               coalesce(c.unknown_policy, %(policy)b), l.lane
        FROM lots l LEFT JOIN campaigns c ON c.id = l.campaign_id
        JOIN {table} r ON r.id BETWEEN l.first_id AND l.last_id AND r.lot_id = l.id
        WHERE l.unknown > 0 AND l.channel = %(channel)b AND r.outcome = 'unknown'
          AND r.attempted_at < now() - %(age)b * interval '1 second'
          AND (%(after)b::uuid IS NULL OR r.id > %(after)b)
          AND coalesce(l.provider_id, c.provider_id) IS NOT NULL AND coalesce(l.content, c.content) IS NOT NULL
        ORDER BY r.id LIMIT %(rows_max)b
        """,  # noqa: S608
        {
            "channel": channel.name,
            "policy": channel.unknown_policy,
            "age": older_than_seconds,
            "after": after,
            "rows_max": rows_max,
        },
    )
    return [UnknownAttempt(*row) for row in await cursor.fetchall()]
