"""Recipients added to campaigns before their launch."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import msgspec

from services.audience.domain.additions import Addition
from shared.database import Connection


async def insert_additions(
    connection: Connection, campaign_id: UUID, user_id: str, channel: str, additions: Sequence[Addition]
) -> int:
    """Adds people once each; returns how many are new."""
    chosen = sorted({addition.digest: addition for addition in additions}.items())
    cursor = await connection.execute(
        """
        INSERT INTO additions (campaign_id, user_id, channel, digest, customer_id, address, device_type,
                               recipient_name, personalization_data)
        SELECT %b, %b, %b, * FROM unnest(%b::uuid[], %b::text[], %b::text[], %b::text[], %b::text[], %b::jsonb[])
        ON CONFLICT DO NOTHING
        """,
        (
            campaign_id,
            user_id,
            channel,
            [digest for digest, _ in chosen],
            [addition.customer_id for _, addition in chosen],
            [addition.address for _, addition in chosen],
            [addition.device_type for _, addition in chosen],
            [addition.recipient_name for _, addition in chosen],
            [msgspec.json.encode(addition.personalization_data).decode() for _, addition in chosen],
        ),
    )
    return cursor.rowcount
