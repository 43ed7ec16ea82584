"""The analytics service's part of the API; only the gateway calls it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query

from contracts.channels import CHANNELS
from services.analytics.domain import RECENT_MAX, dashboard
from services.analytics.store.dashboard import find_campaigns, find_events, find_numbers
from services.analytics.store.events import count_ends, count_events, find_costs, find_totals
from shared.database import TenantDatabase
from shared.http import CurrentUser, cursor_of, page, read_cursor

LIMIT_MAX = 1000


def analytics_routes(database: TenantDatabase, exchange_rates: Mapping[str, float]) -> APIRouter:
    """Dashboard, events, and the sums that a verification compares."""
    router = APIRouter()

    @router.get("/api/notification/dashboard")
    async def read_dashboard(user_id: CurrentUser) -> dict[str, Any]:
        async with database.transaction() as connection:
            numbers = await find_numbers(connection, user_id)
            lists = {
                f"{name}_{channel}": await find_campaigns(connection, user_id, channel, best, RECENT_MAX)
                for channel in CHANNELS
                for name, best in (("recent", False), ("top", True))
            }
        return {"data": dashboard(numbers, lists, exchange_rates)}

    @router.get("/api/notification/events")
    async def list_events(
        user_id: CurrentUser,
        campaign_id: Annotated[UUID | None, Query(alias="campaignId")] = None,
        recipient_id: Annotated[UUID | None, Query(alias="recipientId")] = None,
        event_type: Annotated[str | None, Query(alias="eventType")] = None,
        since: Annotated[datetime | None, Query(alias="from")] = None,
        until: Annotated[datetime | None, Query(alias="to")] = None,
        limit: Annotated[int, Query(ge=1, le=LIMIT_MAX)] = 100,
        cursor: str | None = None,
    ) -> dict[str, Any]:
        async with database.transaction() as connection:
            rows = await find_events(
                connection,
                user_id,
                campaign_id,
                recipient_id,
                event_type,
                since,
                until,
                read_cursor(cursor),
                limit + 1,
            )
        return page(
            [_shown(row) for row in rows[:limit]], cursor_of(rows[limit - 1]["id"]) if len(rows) > limit else None
        )

    @router.get("/internal/event-totals/{campaign_id}")
    async def read_totals(campaign_id: UUID, _user_id: CurrentUser) -> dict[str, Any]:
        """What log and aggregates say about a campaign, each by itself."""
        async with database.transaction() as connection:
            await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            aggregates = await find_totals(connection, campaign_id)
            costs = await find_costs(connection, campaign_id)
            events = await count_events(connection, campaign_id)
            ends = await count_ends(connection, campaign_id)
        cost = [{"costMicros": micros, "currency": currency} for currency, micros in sorted(costs.items())]
        return {"data": {"events": events, "aggregates": aggregates, "ends": ends, "cost": cost}}

    return router


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": row["id"],
        "campaignId": row["campaign_id"],
        "recipientId": row["recipient_id"],
        "campaignType": row["campaign_type"],
        "userId": row["user_id"],
        "eventType": row["event_type"],
        "eventTimestamp": row["event_timestamp"],
        "metadata": row["metadata"],
    }
