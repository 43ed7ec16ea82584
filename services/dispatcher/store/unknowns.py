"""Attempts whose outcome is unknown, for those who can find it out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from contracts.channels import Channel
from shared.database import Connection

_NEIGHBOURHOOD_SECONDS = 3600.0
_OTHERS_MAX = 1000


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
    connection: Connection,
    channel: Channel,
    older_than_seconds: float,
    younger_than_seconds: float,
    after: UUID,
    rows_max: int,
) -> list[UnknownAttempt]:
    """Unknown attempts of that age that no receipt has settled, in order of id, behind `after`.

    Only those of which the content and the account are known as they were: a template that was named in a send
    request may say something else by now. Lots are looked at one after the other until there are enough; of one that
    nobody worked at so lately no recipient is read, because some attempts stay unknown for ever.
    """
    table = f"{channel.name}_campaign_recipients"
    cursor = await connection.execute(
        f"""
        SELECT r.id, l.id, l.campaign_id, l.user_id, r.{channel.address_column}, r.recipient_name, r.customer_id,
               r.attempts, r.attempted_at, r.personalization_data,
               coalesce(l.provider_id, c.provider_id), coalesce(l.content, c.content),
               coalesce(c.unknown_policy, %(policy)b), l.lane
        FROM lots l LEFT JOIN campaigns c ON c.id = l.campaign_id
        CROSS JOIN LATERAL (
            SELECT * FROM {table} r
            WHERE r.id BETWEEN l.first_id AND l.last_id AND r.lot_id = l.id AND r.outcome = 'unknown'
              AND r.attempted_at < now() - %(older)b * interval '1 second'
              AND r.attempted_at > now() - %(younger)b * interval '1 second'
              AND r.id > %(after)b
            ORDER BY r.id LIMIT %(rows_max)b
        ) r
        WHERE l.unknown > 0 AND l.channel = %(channel)b AND l.last_id > %(after)b
          AND coalesce(l.provider_id, c.provider_id) IS NOT NULL AND coalesce(l.content, c.content) IS NOT NULL
          AND (SELECT max(a.started_at) FROM attempts a WHERE a.lot_id = l.id)
              > now() - %(younger)b * interval '1 second'
        ORDER BY l.first_id, r.id LIMIT %(rows_max)b
        """,  # noqa: S608
        {
            "channel": channel.name,
            "policy": channel.unknown_policy,
            "older": older_than_seconds,
            "younger": younger_than_seconds,
            "after": after,
            "rows_max": rows_max,
        },
    )
    return [UnknownAttempt(*row) for row in await cursor.fetchall()]


async def find_others(connection: Connection, channel: Channel, attempt: UnknownAttempt) -> frozenset[str] | None:
    """The provider's ids of what else went to the address at about that time, None where one of them is not known."""
    cursor = await connection.execute(
        f"""
        SELECT provider_message_id FROM {channel.name}_campaign_recipients
        WHERE {channel.address_column} = %b AND user_id = %b AND id <> %b
          AND attempted_at > %b - %b * interval '1 second' AND outcome IS DISTINCT FROM 'refused'
        LIMIT %b
        """,  # noqa: S608
        (attempt.address, attempt.user_id, attempt.id, attempt.attempted_at, _NEIGHBOURHOOD_SECONDS, _OTHERS_MAX + 1),
    )
    found = [row[0] for row in await cursor.fetchall()]
    return None if None in found or len(found) > _OTHERS_MAX else frozenset(found)
