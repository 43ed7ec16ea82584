"""Forecasts: the newest one of a campaign, the next one to work on, and its checkpoint."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from contracts.events import Content
from services.audience.domain.forecasts import Tally
from services.audience.store.walking import WALK_COLUMNS, Walk, read_walk
from shared.database import Connection
from shared.ids import new_id


@dataclass(slots=True)
class Forecast(Walk):
    """The walk that sends nothing. `asked_for` is equal for equal questions."""

    tally: Tally
    asked_for: UUID
    state: str
    started_at: datetime
    finished_at: datetime | None


_COLUMNS = f"id, {WALK_COLUMNS}, tally, asked_for, state, started_at, finished_at"


def _read(row: tuple[Any, ...]) -> Forecast:
    forecast = read_walk(Forecast, row)
    forecast.tally = msgspec.convert(forecast.tally, Tally, str_keys=True)
    return forecast


async def lock_campaign(connection: Connection, campaign_id: UUID) -> None:
    """Lets one transaction at a time decide whether a campaign needs a new forecast."""
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%b, 1))", (str(campaign_id),))


async def insert_forecast(
    connection: Connection,
    campaign_id: UUID,
    user_id: str,
    channel: str,
    category: str,
    content: Content,
    audience_filter: dict[str, Any] | None,
    asked_for: UUID,
) -> UUID:
    """Begins a forecast and cancels those of the campaign that still run; returns its id."""
    await mark_cancelled(connection, campaign_id, user_id)
    forecast_id = new_id()
    await connection.execute(
        """
        INSERT INTO forecasts (id, campaign_id, user_id, channel, category, content, audience_filter, asked_for)
        VALUES (%b, %b, %b, %b, %b, %b::jsonb, %b::jsonb, %b)
        """,
        (
            forecast_id,
            campaign_id,
            user_id,
            channel,
            category,
            msgspec.json.encode(content).decode(),
            msgspec.json.encode(audience_filter).decode() if audience_filter else None,
            asked_for,
        ),
    )
    return forecast_id


async def find_newest(connection: Connection, campaign_id: UUID, user_id: str) -> Forecast | None:
    """The newest forecast of a tenant's campaign that was not cancelled."""
    cursor = await connection.execute(
        f"""
        SELECT {_COLUMNS} FROM forecasts WHERE campaign_id = %b AND user_id = %b AND state <> 'cancelled'
        ORDER BY id DESC LIMIT 1
        """,  # noqa: S608
        (campaign_id, user_id),
    )
    row = await cursor.fetchone()
    return None if row is None else _read(row)


async def claim_forecast(connection: Connection) -> Forecast | None:
    """Locks the running forecast that has waited longest and that nobody else holds."""
    cursor = await connection.execute(
        f"""
        SELECT {_COLUMNS} FROM forecasts WHERE state = 'running' ORDER BY touched_at LIMIT 1 FOR UPDATE SKIP LOCKED
        """  # noqa: S608
    )
    row = await cursor.fetchone()
    return None if row is None else _read(row)


async def mark_progress(connection: Connection, forecast: Forecast, is_done: bool) -> None:
    """Writes the checkpoint of a claimed forecast, or its end."""
    await connection.execute(
        """
        UPDATE forecasts SET phase = %b, cursor = %b, audience = %b, recipients = %b, excluded = %b::jsonb,
                             tally = %b::jsonb, touched_at = clock_timestamp(),
                             state = CASE WHEN %b THEN 'done' ELSE state END,
                             finished_at = CASE WHEN %b THEN clock_timestamp() END
        WHERE id = %b
        """,
        (
            forecast.phase,
            forecast.cursor,
            forecast.audience,
            forecast.recipients,
            msgspec.json.encode(forecast.excluded).decode(),
            msgspec.json.encode(forecast.tally).decode(),
            is_done,
            is_done,
            forecast.claims_id,
        ),
    )


async def mark_cancelled(connection: Connection, campaign_id: UUID, user_id: str) -> bool:
    """Ends the campaign's running forecasts; False when none was running."""
    cursor = await connection.execute(
        """
        UPDATE forecasts SET state = 'cancelled', finished_at = clock_timestamp()
        WHERE campaign_id = %b AND user_id = %b AND state = 'running'
        """,
        (campaign_id, user_id),
    )
    return cursor.rowcount > 0


async def delete_forecasts(connection: Connection, kept_seconds: float, rows_max: int) -> int:
    """Forgets forecasts that ended a while ago and whose addresses are forgotten; returns how many."""
    cursor = await connection.execute(
        """
        DELETE FROM forecasts WHERE id = ANY(ARRAY(
            SELECT f.id FROM forecasts f
            WHERE f.state <> 'running' AND f.finished_at < now() - %b * interval '1 second'
              AND (SELECT true FROM expansion_addresses a WHERE a.campaign_id = f.id LIMIT 1) IS NULL
            ORDER BY f.finished_at LIMIT %b
        ))
        """,
        (kept_seconds, rows_max),
    )
    return cursor.rowcount
