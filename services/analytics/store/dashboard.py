"""Read copies and the queries behind the dashboard."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from psycopg.rows import dict_row

from contracts.channels import CHANNELS
from contracts.events import CampaignChanged, ProviderChanged, TemplateChanged
from contracts.events.delivery import EVENT_TYPES
from services.analytics.domain import CAMPAIGN_STATUSES
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
    cursor = await connection.execute(
        """
        SELECT 'totals', campaign_type, event_type, events FROM tenant_totals WHERE user_id = %(user_id)b
        UNION ALL
        SELECT 'costs', campaign_type, currency, cost_micros FROM tenant_costs
        WHERE user_id = %(user_id)b AND cost_micros <> 0
        UNION ALL
        SELECT 'campaigns', channel, status, count(*) FROM campaigns
        WHERE user_id = %(user_id)b AND NOT deleted GROUP BY channel, status
        UNION ALL
        SELECT 'things', channel, kind, count(*) FROM things
        WHERE user_id = %(user_id)b AND NOT deleted GROUP BY channel, kind
        """,
        {"user_id": user_id},
    )
    nothing = {
        "totals": dict.fromkeys(EVENT_TYPES, 0),
        "costs": {},
        "campaigns": dict.fromkeys(CAMPAIGN_STATUSES, 0),
        "things": dict.fromkeys(("template", "provider"), 0),
    }
    numbers = {kind: {channel: dict(zero) for channel in CHANNELS} for kind, zero in nothing.items()}
    for kind, channel, name, number in await cursor.fetchall():
        numbers[kind][channel][name] = number
    return numbers


_COUNTS = ", ".join(
    f"coalesce(sum(events) FILTER (WHERE event_type = '{event_type}'), 0)::bigint AS {event_type}"
    for event_type in EVENT_TYPES
)
_SUCCESSES = " ".join(f"WHEN '{channel.name}' THEN {channel.success}" for channel in CHANNELS.values())


async def find_campaigns(connection: Connection, user_id: str, rows_max: int) -> list[dict[str, Any]]:
    """The first of a tenant's campaigns by two ranks in each channel, with their counts.

    `recent` ranks by age, `best` by the share of successes, where anything was sent.
    """
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            f"""
            SELECT * FROM (
                SELECT *, row_number() OVER (PARTITION BY channel ORDER BY created_at DESC) AS recent,
                       CASE WHEN sent > 0 THEN row_number() OVER (
                           PARTITION BY channel, sent > 0
                           ORDER BY CASE channel {_SUCCESSES} END::float8 / nullif(sent, 0) DESC, sent DESC) END AS best
                FROM unnest(%(channels)b::text[]) AS wanted (channel), LATERAL (
                    SELECT id, campaign_name, status, created_at, scheduled_send_time, sent_at FROM campaigns
                    WHERE user_id = %(user_id)b AND campaigns.channel = wanted.channel AND NOT deleted
                    ORDER BY created_at DESC LIMIT %(newest)b) newest, LATERAL (
                    SELECT {_COUNTS} FROM campaign_totals
                    WHERE user_id = %(user_id)b AND campaign_id = newest.id) counted
            ) ranked WHERE recent <= %(rows_max)b OR best <= %(rows_max)b
            """,  # noqa: S608
            {"user_id": user_id, "channels": list(CHANNELS), "newest": RANKED_MAX, "rows_max": rows_max},
        )
        return await cursor.fetchall()
