"""The event log: each event once, counted in the statement that writes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from psycopg.rows import dict_row

from contracts.events import NotificationEvent, NotificationsRecorded
from services.analytics.domain import EventFilter, EventPosition
from services.analytics.store.aggregates import counting
from shared.database import Connection

_METADATA = ("provider_message_id", "error_class", "code", "segments", "cost_micros", "currency")


def _metadata(event: NotificationEvent, record: NotificationsRecorded) -> str:
    values = {name: value for name in _METADATA if (value := getattr(event, name)) is not None}
    return msgspec.json.encode(values | {"provider": record.provider, "lane": record.lane}).decode()


_INSERT = f"""
    WITH heard AS (
        SELECT * FROM unnest(%b::uuid[], %b::uuid[], %b::uuid[], %b::text[], %b::text[], %b::text[], %b::timestamptz[],
                             %b::jsonb[])
            AS h (id, campaign_id, recipient_id, campaign_type, user_id, event_type, event_timestamp, metadata)
    ), written AS (
        INSERT INTO notification_events (id, campaign_id, recipient_id, campaign_type, user_id, event_type,
                                         event_timestamp, metadata)
        SELECT * FROM heard ON CONFLICT (id) DO NOTHING RETURNING *
    ), stated AS (
        SELECT * FROM unnest(%b::uuid[], %b::uuid[], %b::uuid[], %b::text[], %b::text[], %b::timestamptz[],
                             %b::bigint[], %b::text[], %b::bigint[], %b::text[])
            AS s (id, campaign_id, recipient_id, campaign_type, user_id, at, cost_micros, currency,
                  before_cost_micros, before_currency)
    ), repriced AS (
        INSERT INTO repricings (id, campaign_id, recipient_id, campaign_type, user_id, at, cost_micros, currency,
                                before_cost_micros, before_currency)
        SELECT * FROM stated ON CONFLICT (id) DO NOTHING RETURNING *
    ), {counting("written", "repriced")}
    SELECT campaign_type, event_type, sum(events)::bigint FROM moves WHERE event_type IS NOT NULL GROUP BY 1, 2
    """  # noqa: S608


async def insert_records(
    connection: Connection, records: Sequence[NotificationsRecorded]
) -> list[tuple[str, str, int]]:
    """Writes what is new and counts it; returns (channel, event type, how many) of the new events."""
    events = sorted(((event, record) for record in records for event in record.events), key=lambda one: one[0].id)
    prices = sorted(((price, record) for record in records for price in record.repricings), key=lambda one: one[0].id)
    cursor = await connection.execute(
        _INSERT,
        (
            [event.id for event, _ in events],
            [record.campaign_id for _, record in events],
            [event.recipient_id for event, _ in events],
            [record.channel for _, record in events],
            [record.user_id for _, record in events],
            [event.event_type for event, _ in events],
            [event.event_timestamp for event, _ in events],
            [_metadata(event, record) for event, record in events],
            [price.id for price, _ in prices],
            [record.campaign_id for _, record in prices],
            [price.recipient_id for price, _ in prices],
            [record.channel for _, record in prices],
            [record.user_id for _, record in prices],
            [price.at for price, _ in prices],
            [price.cost_micros for price, _ in prices],
            [price.currency for price, _ in prices],
            [price.before_cost_micros for price, _ in prices],
            [price.before_currency for price, _ in prices],
        ),
    )
    return await cursor.fetchall()


async def find_events(
    connection: Connection, user_id: str, wanted: EventFilter, after: EventPosition | None, rows_max: int
) -> list[dict[str, Any]]:
    """A tenant's events in order of time and id, from after `after`.

    Each type is read by itself, from an index that ends in time and id, so that no filter and no depth reads more
    than `rows_max` entries of each type; a recipient's events are found by their ids. Rows are read of the page alone.
    """
    conditions = {
        "user_id = %(user_id)b": user_id,
        "campaign_id = %(campaign_id)b": wanted.campaign_id,
        "event_timestamp >= %(since)b": wanted.since,
        "event_timestamp < %(until)b": wanted.until,
        "(event_timestamp, id) > (%(at)b, %(id)b)": after,
    }
    given = " AND ".join(condition for condition, value in conditions.items() if value is not None)
    # OFFSET keeps a recipient's few events apart, lest the planner go through all of a time to find them.
    theirs = "(SELECT * FROM notification_events WHERE id = ANY(%(ids)b::uuid[]) OFFSET 0) theirs"
    searched = "notification_events" if wanted.ids is None else theirs
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            f"""
            WITH page AS MATERIALIZED (
                SELECT found.* FROM unnest(%(types)b::text[]) AS wanted (type), LATERAL (
                    SELECT event_timestamp, id FROM {searched} WHERE event_type = wanted.type AND {given}
                    ORDER BY event_timestamp, id LIMIT %(rows_max)b) found
                ORDER BY event_timestamp, id LIMIT %(rows_max)b
            )
            SELECT id, campaign_id, recipient_id, campaign_type, user_id, event_type, e.event_timestamp, metadata
            FROM page JOIN notification_events e USING (id) ORDER BY e.event_timestamp, id
            """,  # noqa: S608
            {
                "user_id": user_id,
                "campaign_id": wanted.campaign_id,
                "ids": wanted.ids,
                "types": list(wanted.types),
                "since": wanted.since,
                "until": wanted.until,
                "at": after and after.at,
                "id": after and after.id,
                "rows_max": rows_max,
            },
        )
        return await cursor.fetchall()
