"""Adding up the ledger's costs."""

from __future__ import annotations

from contracts.channels import Channel
from shared.database import Connection


async def sum_costs(connection: Connection, channel: Channel, user_id: str) -> dict[str, int]:
    """What a tenant's accepted messages have cost, in millionths by currency; reads every one of them."""
    cursor = await connection.execute(
        f"""
        SELECT currency, sum(cost_micros)::bigint FROM {channel.name}_campaign_recipients
        WHERE user_id = %b AND outcome = 'accepted' AND cost_micros <> 0 GROUP BY 1
        """,  # noqa: S608
        (user_id,),
    )
    return dict(await cursor.fetchall())
