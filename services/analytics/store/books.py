"""What log and aggregates say, each by itself, for those who compare."""

from __future__ import annotations

from uuid import UUID

from shared.database import Connection


async def count_events(connection: Connection, user_id: str, campaign_id: UUID) -> dict[str, int]:
    """Events of a campaign by type, counted in the log itself."""
    cursor = await connection.execute(
        "SELECT event_type, count(*) FROM notification_events WHERE user_id = %b AND campaign_id = %b GROUP BY 1",
        (user_id, campaign_id),
    )
    return dict(await cursor.fetchall())


async def count_ends(connection: Connection, user_id: str, campaign_id: UUID) -> dict[str, int]:
    """Recipients of a campaign by where the log says that they ended, joined by rank as the ledger joins receipts."""
    cursor = await connection.execute(
        """
        SELECT end_state, count(*) FROM (
            SELECT CASE WHEN bool_or(event_type IN ('delivered', 'opened', 'clicked')) THEN 'delivered'
                        WHEN bool_or(event_type = 'bounced') THEN 'bounced'
                        WHEN bool_or(event_type = 'opted_out') THEN 'opted_out'
                        WHEN bool_or(event_type = 'failed') THEN
                            CASE WHEN bool_or(event_type = 'sent') THEN 'failed_later' ELSE 'failed' END
                        ELSE 'accepted' END AS end_state
            FROM notification_events WHERE user_id = %b AND campaign_id = %b GROUP BY recipient_id) ends
        GROUP BY 1
        """,
        (user_id, campaign_id),
    )
    return dict(await cursor.fetchall())


async def find_totals(connection: Connection, user_id: str, campaign_id: UUID) -> dict[str, int]:
    """A campaign's aggregates by event type."""
    cursor = await connection.execute(
        "SELECT event_type, events FROM campaign_totals WHERE user_id = %b AND campaign_id = %b", (user_id, campaign_id)
    )
    return dict(await cursor.fetchall())


async def find_costs(connection: Connection, user_id: str, campaign_id: UUID) -> dict[str, int]:
    """A campaign's cost in millionths, by currency."""
    cursor = await connection.execute(
        "SELECT currency, cost_micros FROM campaign_costs WHERE user_id = %b AND campaign_id = %b AND cost_micros <> 0",
        (user_id, campaign_id),
    )
    return dict(await cursor.fetchall())
