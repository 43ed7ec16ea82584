"""Read copies and the queries behind the dashboard."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from psycopg.rows import dict_row

from contracts.channels import CHANNELS, Channel
from contracts.events import CampaignChanged, ProviderChanged, TemplateChanged
from contracts.events.delivery import EVENT_TYPES
from services.analytics.domain import CAMPAIGN_STATUSES
from services.analytics.store.books import find_tenant_costs
from shared.database import Connection

RANKED_MAX = 100
"""The best campaigns are the best of the newest so many, which bounds the work for tenants with thousands."""


async def mark_campaigns(connection: Connection, changes: Sequence[CampaignChanged]) -> None:
    """Keeps the newest version of each campaign."""
    for change in changes:
        await connection.execute(
            """
            INSERT INTO campaigns (id, user_id, channel, version, campaign_name, status, created_at,
                                   scheduled_send_time, sent_at, deleted)
            VALUES (%b, %b, %b, %b, %b, %b, %b, %b, %b, %b)
            ON CONFLICT (id) DO UPDATE SET version = excluded.version, campaign_name = excluded.campaign_name,
                status = excluded.status, scheduled_send_time = excluded.scheduled_send_time,
                sent_at = excluded.sent_at, deleted = excluded.deleted
            WHERE campaigns.version < excluded.version
            """,
            (
                change.campaign_id,
                change.user_id,
                change.channel,
                change.version,
                change.campaign_name,
                change.status,
                change.created_at,
                change.scheduled_send_time,
                change.sent_at,
                change.deleted,
            ),
        )


async def mark_things(
    connection: Connection, kind: str, changes: Sequence[tuple[UUID, TemplateChanged | ProviderChanged]]
) -> None:
    """Keeps what is to be counted of templates and providers."""
    for thing_id, change in changes:
        await connection.execute(
            """
            INSERT INTO things (kind, id, user_id, channel, version, deleted) VALUES (%b, %b, %b, %b, %b, %b)
            ON CONFLICT (kind, id) DO UPDATE SET version = excluded.version, deleted = excluded.deleted
            WHERE things.version < excluded.version
            """,
            (kind, thing_id, change.user_id, change.channel, change.version, change.deleted),
        )


async def find_numbers(connection: Connection, user_id: str) -> dict[str, Any]:
    """All counts of a tenant's dashboard."""
    totals = {name: dict.fromkeys(EVENT_TYPES, 0) for name in CHANNELS}
    cursor = await connection.execute(
        "SELECT campaign_type, event_type, events FROM tenant_totals WHERE user_id = %b", (user_id,)
    )
    for channel, event_type, events in await cursor.fetchall():
        totals[channel][event_type] = events
    campaigns = {name: dict.fromkeys(CAMPAIGN_STATUSES, 0) for name in CHANNELS}
    cursor = await connection.execute(
        "SELECT channel, status, count(*) FROM campaigns WHERE user_id = %b AND NOT deleted GROUP BY 1, 2", (user_id,)
    )
    for channel, status, count in await cursor.fetchall():
        campaigns[channel][status] = count
    things = {(kind, name): 0 for kind in ("template", "provider") for name in CHANNELS}
    cursor = await connection.execute(
        "SELECT kind, channel, count(*) FROM things WHERE user_id = %b AND NOT deleted GROUP BY 1, 2", (user_id,)
    )
    for kind, channel, count in await cursor.fetchall():
        things[kind, channel] = count
    costs = await find_tenant_costs(connection, user_id)
    return {"totals": totals, "costs": costs, "campaigns": campaigns, "things": things}


_NEWEST = """
    SELECT id, campaign_name, status, created_at, scheduled_send_time, sent_at FROM campaigns
    WHERE user_id = %(user_id)b AND channel = %(channel)b AND NOT deleted ORDER BY created_at DESC LIMIT %(newest)b
    """
_COUNTS = ", ".join(
    f"coalesce(sum(events) FILTER (WHERE event_type = '{event_type}'), 0)::bigint AS {event_type}"
    for event_type in EVENT_TYPES
)


async def find_campaigns(
    connection: Connection, user_id: str, channel: Channel, best_first: bool, rows_max: int
) -> list[dict[str, Any]]:
    """A tenant's campaigns with their counts: the newest, or of those the ones with the best share of successes."""
    order = f"{channel.success}::float8 / sent DESC, sent DESC" if best_first else "created_at DESC"
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            f"""
            SELECT * FROM ({_NEWEST}) newest, LATERAL (
                SELECT {_COUNTS} FROM campaign_totals WHERE user_id = %(user_id)b AND campaign_id = newest.id) counted
            {"WHERE sent > 0" if best_first else ""} ORDER BY {order} LIMIT %(rows_max)b
            """,  # noqa: S608
            {
                "user_id": user_id,
                "channel": channel.name,
                "newest": RANKED_MAX if best_first else rows_max,
                "rows_max": rows_max,
            },
        )
        return await cursor.fetchall()
