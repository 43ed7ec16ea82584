"""The event log and its aggregates: each event once, counted in the transaction that writes it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec
from psycopg import sql

from contracts.events import NotificationEvent, NotificationsRecorded
from services.analytics.domain import first_id_of, months_from
from shared.database import Connection

_METADATA = ("provider_message_id", "error_class", "code", "segments", "cost_micros", "currency")


def _metadata(event: NotificationEvent, provider: str) -> str:
    values = {name: value for name in _METADATA if (value := getattr(event, name)) is not None}
    return msgspec.json.encode(values | {"provider": provider}).decode()


async def insert_events(connection: Connection, records: Sequence[NotificationsRecorded]) -> list[tuple[str, str, int]]:
    """Writes what is new and counts it; returns (channel, event type, how many) of the new ones.

    The totals are locked in order of their key, so that parallel batches cannot deadlock.
    """
    rows = sorted(((event.id, record, event) for record in records for event in record.events), key=lambda row: row[0])
    cursor = await connection.execute(
        """
        WITH incoming AS (
            SELECT * FROM unnest(%b::uuid[], %b::uuid[], %b::uuid[], %b::text[], %b::text[], %b::text[],
                                 %b::timestamptz[], %b::jsonb[], %b::text[], %b::bigint[], %b::text[])
                AS i (id, campaign_id, recipient_id, campaign_type, user_id, event_type, event_timestamp, metadata,
                      lane, cost_micros, currency)
        ), fresh AS (
            INSERT INTO notification_events (id, campaign_id, recipient_id, campaign_type, user_id, event_type,
                                             event_timestamp, metadata)
            SELECT id, campaign_id, recipient_id, campaign_type, user_id, event_type, event_timestamp, metadata
            FROM incoming
            ON CONFLICT (id) DO NOTHING
            RETURNING id
        ), new AS MATERIALIZED (
            SELECT DISTINCT ON (incoming.id) incoming.* FROM incoming JOIN fresh USING (id)
        ), counted AS (
            SELECT campaign_id, event_type, user_id, campaign_type, min(lane) AS lane, count(*) AS events
            FROM new GROUP BY 1, 2, 3, 4
        ), summed AS (
            INSERT INTO campaign_totals (campaign_id, event_type, user_id, campaign_type, lane, events)
            SELECT campaign_id, event_type, user_id, campaign_type, lane, events
            FROM counted ORDER BY campaign_id, event_type
            ON CONFLICT (campaign_id, event_type) DO UPDATE SET events = campaign_totals.events + excluded.events
        ), costs AS (
            INSERT INTO campaign_costs (campaign_id, currency, user_id, campaign_type, cost_micros)
            SELECT campaign_id, currency, user_id, campaign_type, sum(cost_micros)::bigint
            FROM new WHERE cost_micros IS NOT NULL AND currency IS NOT NULL GROUP BY 1, 2, 3, 4
            ORDER BY campaign_id, currency
            ON CONFLICT (campaign_id, currency) DO UPDATE SET
                cost_micros = campaign_costs.cost_micros + excluded.cost_micros
        )
        SELECT campaign_type, event_type, sum(events)::bigint FROM counted GROUP BY 1, 2
        """,
        (
            [event.id for _, _, event in rows],
            [record.campaign_id for _, record, _ in rows],
            [event.recipient_id for _, _, event in rows],
            [record.channel for _, record, _ in rows],
            [record.user_id for _, record, _ in rows],
            [event.event_type for _, _, event in rows],
            [event.event_timestamp for _, _, event in rows],
            [_metadata(event, record.provider) for _, record, event in rows],
            [record.lane for _, record, _ in rows],
            [event.cost_micros for _, _, event in rows],
            [event.currency for _, _, event in rows],
        ),
    )
    return await cursor.fetchall()


async def insert_repricings(connection: Connection, records: Sequence[NotificationsRecorded]) -> None:
    """Writes what is new of the corrected prices, and moves the campaigns' costs by it."""
    rows = sorted(((one.id, record, one) for record in records for one in record.repricings), key=lambda row: row[0])
    if not rows:
        return
    await connection.execute(
        """
        WITH incoming AS (
            SELECT DISTINCT ON (id) * FROM unnest(%b::uuid[], %b::uuid[], %b::uuid[], %b::text[], %b::text[],
                                                  %b::timestamptz[], %b::bigint[], %b::text[], %b::bigint[], %b::text[])
                AS i (id, campaign_id, recipient_id, campaign_type, user_id, at, cost_micros, currency,
                      before_cost_micros, before_currency)
        ), fresh AS (
            INSERT INTO repricings (id, campaign_id, recipient_id, user_id, at, cost_micros, currency,
                                    before_cost_micros, before_currency)
            SELECT id, campaign_id, recipient_id, user_id, at, cost_micros, currency, before_cost_micros,
                   before_currency
            FROM incoming ON CONFLICT (id) DO NOTHING RETURNING id
        ), moves AS (
            SELECT campaign_id, user_id, campaign_type, m.currency, sum(m.micros)::bigint AS micros
            FROM incoming JOIN fresh USING (id),
                 LATERAL (VALUES (currency, cost_micros), (before_currency, -before_cost_micros)) m (currency, micros)
            WHERE m.currency IS NOT NULL AND m.micros IS NOT NULL GROUP BY 1, 2, 3, 4
        )
        INSERT INTO campaign_costs (campaign_id, currency, user_id, campaign_type, cost_micros)
        SELECT campaign_id, currency, user_id, campaign_type, micros FROM moves ORDER BY campaign_id, currency
        ON CONFLICT (campaign_id, currency) DO UPDATE SET
            cost_micros = campaign_costs.cost_micros + excluded.cost_micros
        """,
        (
            [one.id for _, _, one in rows],
            [record.campaign_id for _, record, _ in rows],
            [one.recipient_id for _, _, one in rows],
            [record.channel for _, record, _ in rows],
            [record.user_id for _, record, _ in rows],
            [one.at for _, _, one in rows],
            [one.cost_micros for _, _, one in rows],
            [one.currency for _, _, one in rows],
            [one.before_cost_micros for _, _, one in rows],
            [one.before_currency for _, _, one in rows],
        ),
    )


async def create_partitions(connection: Connection, now: datetime, months: int) -> None:
    """Makes the partitions of this month and the next ones, where they are missing."""
    for first, following in months_from(now, months):
        name = sql.Identifier(f"notification_events_{first:%Y_%m}")
        cursor = await connection.execute("SELECT to_regclass(%b) IS NULL", (f"notification_events_{first:%Y_%m}",))
        row = await cursor.fetchone()
        if row is not None and row[0]:
            statement = sql.SQL("CREATE TABLE {} PARTITION OF notification_events FOR VALUES FROM ({}) TO ({})")
            bounds = (sql.Literal(str(first_id_of(first))), sql.Literal(str(first_id_of(following))))
            await connection.execute(statement.format(name, *bounds))


async def count_events(connection: Connection, campaign_id: UUID) -> dict[str, int]:
    """Events of a campaign by type, counted in the log itself."""
    cursor = await connection.execute(
        "SELECT event_type, count(*) FROM notification_events WHERE campaign_id = %b GROUP BY 1", (campaign_id,)
    )
    return dict(await cursor.fetchall())


async def count_ends(connection: Connection, campaign_id: UUID) -> dict[str, int]:
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
            FROM notification_events WHERE campaign_id = %b GROUP BY recipient_id) ends
        GROUP BY 1
        """,
        (campaign_id,),
    )
    return dict(await cursor.fetchall())


async def find_totals(connection: Connection, campaign_id: UUID) -> dict[str, int]:
    """A campaign's aggregates by event type."""
    cursor = await connection.execute(
        "SELECT event_type, events FROM campaign_totals WHERE campaign_id = %b", (campaign_id,)
    )
    return dict(await cursor.fetchall())


async def find_costs(connection: Connection, campaign_id: UUID) -> dict[str, int]:
    """A campaign's cost in millionths, by currency."""
    cursor = await connection.execute(
        "SELECT currency, cost_micros FROM campaign_costs WHERE campaign_id = %b AND cost_micros <> 0", (campaign_id,)
    )
    return dict(await cursor.fetchall())
