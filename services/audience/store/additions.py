"""Recipients added to campaigns before their launch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec
from psycopg.rows import dict_row

from contracts.channels import Channel
from services.audience.domain.additions import Addition
from shared.database import Connection


async def insert_additions(
    connection: Connection, campaign_id: UUID, user_id: str, channel: str, additions: Sequence[Addition]
) -> int:
    """Adds people once each; returns how many the campaign has now. Others who add to it wait."""
    chosen = sorted({addition.digest: addition for addition in additions}.items())
    cursor = await connection.execute(
        """
        WITH inserted AS (
            INSERT INTO additions (campaign_id, user_id, channel, digest, customer_id, address, device_type,
                                   recipient_name, personalization_data)
            SELECT %(campaign)b, %(user)b, %(channel)b, *
            FROM unnest(%(digests)b::uuid[], %(customers)b::text[], %(addresses)b::text[], %(types)b::text[],
                        %(names)b::text[], %(data)b::jsonb[])
            ON CONFLICT DO NOTHING RETURNING 1
        )
        INSERT INTO addition_counts AS c (campaign_id, user_id, channel, added)
        SELECT %(campaign)b, %(user)b, %(channel)b, count(*) FROM inserted
        ON CONFLICT (campaign_id, user_id, channel) DO UPDATE SET added = c.added + excluded.added
        RETURNING added
        """,
        {
            "campaign": campaign_id,
            "user": user_id,
            "channel": channel,
            "digests": [digest for digest, _ in chosen],
            "customers": [addition.customer_id for _, addition in chosen],
            "addresses": [addition.address for _, addition in chosen],
            "types": [addition.device_type for _, addition in chosen],
            "names": [addition.recipient_name for _, addition in chosen],
            "data": [msgspec.json.encode(addition.personalization_data).decode() for _, addition in chosen],
        },
    )
    row = await cursor.fetchone()
    assert row is not None
    return int(row[0])


async def count_added(connection: Connection, campaign_id: UUID, user_id: str, channel: str) -> int:
    """How many people were added to a campaign; those who were erased since are still counted."""
    cursor = await connection.execute(
        "SELECT added FROM addition_counts WHERE campaign_id = %b AND user_id = %b AND channel = %b",
        (campaign_id, user_id, channel),
    )
    row = await cursor.fetchone()
    return 0 if row is None else int(row[0])


async def find_additions(
    connection: Connection, campaign_id: UUID, user_id: str, channel: Channel, after: UUID | None, rows_max: int
) -> list[dict[str, Any]]:
    """Those who were added to a campaign, in a lasting order, from after a digest."""
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            """
            SELECT digest, campaign_id, customer_id, address, recipient_name, personalization_data FROM additions
            WHERE campaign_id = %b AND user_id = %b AND channel = %b AND (%b::uuid IS NULL OR digest > %b)
            ORDER BY digest LIMIT %b
            """,
            (campaign_id, user_id, channel.name, after, after, rows_max),
        )
        return await cursor.fetchall()
