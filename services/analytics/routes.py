"""The analytics service's part of the API; only the gateway calls it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import AwareDatetime

from contracts.channels import CHANNELS, Channel
from contracts.events.delivery import EVENT_TYPES
from services.analytics.domain import (
    BUCKETS_SECONDS,
    LISTED_MAX,
    EventFilter,
    EventPosition,
    bucket_seconds,
    dashboard,
    event_ids_of,
    points,
)
from services.analytics.store.books import count_ends, count_events, find_costs, find_totals
from services.analytics.store.dashboard import find_campaigns, find_numbers
from services.analytics.store.events import find_events
from services.analytics.store.timeline import find_counts, find_failures, find_span, has_campaign
from shared.database import Connection, TenantDatabase
from shared.http import CurrentUser, Problem, keyset_cursor, page, read_keyset
from shared.names import camel

LIMIT_MAX = 1000

EventType = Literal["sent", "delivered", "opened", "clicked", "failed", "bounced", "opted_out"]


def analytics_routes(database: TenantDatabase, exchange_rates: Mapping[str, float]) -> APIRouter:
    """Dashboard, events, and the sums that a verification compares."""
    router = APIRouter()

    @router.get("/api/notification/dashboard")
    async def read_dashboard(user_id: CurrentUser) -> dict[str, Any]:
        async with database.transaction() as connection:
            await _at_one_instant(connection)
            numbers = await find_numbers(connection, user_id)
            campaigns = await find_campaigns(connection, user_id, LISTED_MAX)
        return {"data": dashboard(numbers, campaigns, exchange_rates)}

    @router.get("/api/notification/events")
    async def list_events(
        user_id: CurrentUser,
        campaign_id: Annotated[UUID | None, Query(alias="campaignId")] = None,
        recipient_id: Annotated[UUID | None, Query(alias="recipientId")] = None,
        event_type: Annotated[EventType | None, Query(alias="eventType")] = None,
        since: Annotated[AwareDatetime | None, Query(alias="from")] = None,
        until: Annotated[AwareDatetime | None, Query(alias="to")] = None,
        limit: Annotated[int, Query(ge=1, le=LIMIT_MAX)] = 100,
        cursor: str | None = None,
    ) -> dict[str, Any]:
        after = None if cursor is None else EventPosition(*read_keyset(cursor, datetime.fromisoformat, UUID))
        wanted = EventFilter(
            types=EVENT_TYPES if event_type is None else (event_type,),
            campaign_id=campaign_id,
            ids=None if recipient_id is None else event_ids_of(recipient_id),
            since=since,
            until=until,
        )
        async with database.transaction() as connection:
            rows = await find_events(connection, user_id, wanted, after, limit + 1)
        shown = [{camel(name): value for name, value in row.items()} for row in rows[:limit]]
        return page(shown, _cursor_of(rows[limit - 1]) if len(rows) > limit else None)

    @router.get("/internal/event-totals/{campaign_id}")
    async def read_totals(campaign_id: UUID, user_id: CurrentUser) -> dict[str, Any]:
        """What log and aggregates say about a campaign, each by itself."""
        async with database.transaction() as connection:
            await _at_one_instant(connection)
            aggregates = await find_totals(connection, user_id, campaign_id)
            costs = await find_costs(connection, user_id, campaign_id)
            events = await count_events(connection, user_id, campaign_id)
            ends = await count_ends(connection, user_id, campaign_id)
        cost = [{"costMicros": micros, "currency": currency} for currency, micros in sorted(costs.items())]
        return {"data": {"events": events, "aggregates": aggregates, "ends": ends, "cost": cost}}

    for channel in CHANNELS.values():
        router.include_router(_timeline_routes(channel, database))
    return router


def _timeline_routes(channel: Channel, database: TenantDatabase) -> APIRouter:
    router = APIRouter(prefix=f"/api/notification/{channel.name}/campaigns")

    @router.get("/{campaign_id}/timeline")
    async def read_timeline(campaign_id: UUID, user_id: CurrentUser) -> dict[str, Any]:
        async with database.transaction() as connection:
            await _at_one_instant(connection)
            if not await has_campaign(connection, user_id, channel.name, campaign_id):
                raise Problem(404, "No such campaign")
            span = await find_span(connection, user_id, campaign_id)
            seconds = bucket_seconds(*span) if span else BUCKETS_SECONDS[0]
            counts = await find_counts(connection, user_id, campaign_id, seconds)
            failures = await find_failures(connection, user_id, campaign_id)
            costs = await find_costs(connection, user_id, campaign_id)
        return {
            "data": {
                "bucketSeconds": seconds,
                "points": points(span, seconds, counts) if span else [],
                "failures": failures,
                "costs": [{"currency": currency, "micros": micros} for currency, micros in sorted(costs.items())],
            }
        }

    return router


async def _at_one_instant(connection: Connection) -> None:
    """What this transaction reads belongs together."""
    await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")


def _cursor_of(row: Mapping[str, Any]) -> str:
    return keyset_cursor(row["event_timestamp"].isoformat(), str(row["id"]))
