"""Read copies and the queries behind the dashboard."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.rows import dict_row

from contracts.channels import CHANNELS
from contracts.events import CampaignChanged, ProviderChanged, TemplateChanged
from shared.database import Connection

_SUMS = ("sent", "delivered", "opened", "clicked", "failed")


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
    totals = {name: dict.fromkeys(_SUMS, 0) for name in CHANNELS}
    cursor = await connection.execute(
        "SELECT campaign_type, event_type, sum(events)::bigint FROM campaign_totals WHERE user_id = %b GROUP BY 1, 2",
        (user_id,),
    )
    for channel, event_type, events in await cursor.fetchall():
        if event_type in _SUMS:
            totals[channel][event_type] = events
    costs: dict[str, dict[str, int]] = {name: {} for name in CHANNELS}
    cursor = await connection.execute(
        "SELECT campaign_type, currency, sum(cost_micros)::bigint FROM campaign_costs WHERE user_id = %b GROUP BY 1, 2",
        (user_id,),
    )
    for channel, currency, cost_micros in await cursor.fetchall():
        costs[channel][currency] = cost_micros
    campaigns = {name: {"total": 0, "active": 0} for name in CHANNELS}
    by_status: dict[str, int] = {}
    cursor = await connection.execute(
        "SELECT channel, status, count(*) FROM campaigns WHERE user_id = %b AND NOT deleted GROUP BY 1, 2", (user_id,)
    )
    for channel, status, count in await cursor.fetchall():
        campaigns[channel]["total"] += count
        campaigns[channel]["active"] += count if status == "sending" else 0
        by_status[status] = by_status.get(status, 0) + count
    things = {(kind, name): 0 for kind in ("template", "provider") for name in CHANNELS}
    cursor = await connection.execute(
        "SELECT kind, channel, count(*) FROM things WHERE user_id = %b AND NOT deleted GROUP BY 1, 2", (user_id,)
    )
    for kind, channel, count in await cursor.fetchall():
        things[kind, channel] = count
    return {"totals": totals, "costs": costs, "campaigns": campaigns, "by_status": by_status, "things": things}


async def find_campaigns(
    connection: Connection, user_id: str, channel: str, best_first: bool, rows_max: int
) -> list[dict[str, Any]]:
    """A tenant's campaigns with their numbers: the newest, or those with the best share of deliveries."""
    sums = ", ".join(f"coalesce(sum(t.events) FILTER (WHERE t.event_type = '{s}'), 0)::bigint AS {s}" for s in _SUMS)
    order = "delivered::float8 / greatest(sent, 1) DESC, sent DESC" if best_first else "created_at DESC"
    having = "WHERE sent > 0" if best_first else ""
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            f"""
            SELECT * FROM (
                SELECT c.id, c.campaign_name, c.status, c.created_at, c.scheduled_send_time, c.sent_at, {sums}
                FROM campaigns c LEFT JOIN campaign_totals t ON t.campaign_id = c.id
                WHERE c.user_id = %b AND c.channel = %b AND NOT c.deleted GROUP BY c.id) numbered
            {having} ORDER BY {order} LIMIT %b
            """,  # noqa: S608
            (user_id, channel, rows_max),
        )
        return await cursor.fetchall()


async def find_events(
    connection: Connection,
    user_id: str,
    campaign_id: UUID | None,
    recipient_id: UUID | None,
    event_type: str | None,
    since: datetime | None,
    until: datetime | None,
    after: UUID | None,
    rows_max: int,
) -> list[dict[str, Any]]:
    """A tenant's events in order of id, from after `after`."""
    conditions = {
        "campaign_id = %(campaign_id)b": campaign_id,
        "recipient_id = %(recipient_id)b": recipient_id,
        "event_type = %(event_type)b": event_type,
        "event_timestamp >= %(since)b": since,
        "event_timestamp < %(until)b": until,
        "id > %(after)b": after,
    }
    wanted = " AND ".join(["user_id = %(user_id)b", *(c for c, value in conditions.items() if value is not None)])
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            f"""
            SELECT id, campaign_id, recipient_id, campaign_type, user_id, event_type, event_timestamp, metadata
            FROM notification_events WHERE {wanted} ORDER BY id LIMIT %(rows_max)b
            """,  # noqa: S608
            {
                "user_id": user_id,
                "campaign_id": campaign_id,
                "recipient_id": recipient_id,
                "event_type": event_type,
                "since": since,
                "until": until,
                "after": after,
                "rows_max": rows_max,
            },
        )
        return await cursor.fetchall()
