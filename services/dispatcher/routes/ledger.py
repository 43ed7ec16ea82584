"""Recipients and accounting of a campaign, once per channel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query

from contracts.channels import Channel
from services.dispatcher.accounting import account_for
from services.dispatcher.store.campaigns import find_ledger
from services.dispatcher.store.recipients import find_attempts, find_recipient, find_recipients
from shared.database import TenantDatabase
from shared.http import CurrentUser, Problem, cursor_of, page, read_cursor

LIMIT_MAX = 1000


def ledger_routes(channel: Channel, database: TenantDatabase) -> APIRouter:
    """Recipients, explain and accounting."""
    router = APIRouter(prefix=f"/api/notification/{channel.name}/campaigns")

    @router.get("/{campaign_id}/recipients")
    async def list_recipients(
        campaign_id: UUID,
        user_id: CurrentUser,
        limit: Annotated[int, Query(ge=1, le=LIMIT_MAX)] = 100,
        cursor: str | None = None,
        status: str | None = None,
        outcome: str | None = None,
        address: Annotated[str | None, Query(alias=channel.address_field, max_length=4096)] = None,
    ) -> dict[str, Any]:
        wanted = {"status": status, "outcome": outcome, channel.address_column: address}
        filters = {name: value for name, value in wanted.items() if value is not None}
        async with database.begin() as connection:
            rows = await find_recipients(
                connection, channel, user_id, campaign_id, filters, read_cursor(cursor), limit + 1
            )
        shown = [_shown(row) for row in rows[:limit]]
        return page(shown, cursor_of(rows[limit - 1]["id"]) if len(rows) > limit else None)

    @router.get("/{campaign_id}/recipients/{recipient_id}/explain")
    async def explain_recipient(campaign_id: UUID, recipient_id: UUID, user_id: CurrentUser) -> dict[str, Any]:
        async with database.begin() as connection:
            row = await find_recipient(connection, channel, user_id, campaign_id, recipient_id)
            if row is None:
                raise Problem(404, "No such recipient")
            attempts = await find_attempts(connection, row["lot_id"], recipient_id)
        return {"data": {"recipient": _shown(row), "attempts": [_camel(attempt) for attempt in attempts]}}

    @router.get("/{campaign_id}/accounting")
    async def read_accounting(campaign_id: UUID, user_id: CurrentUser) -> dict[str, Any]:
        async with database.transaction() as connection:
            ledger = await find_ledger(connection, channel, user_id, campaign_id)
        if ledger is None:
            raise Problem(404, "Nothing to account for", "the campaign has not been sent, or is not yours")
        return {"data": {"campaignId": campaign_id, "channel": channel.name} | account_for(ledger)}

    return router


def _camel(row: Mapping[Any, Any]) -> dict[str, Any]:
    return {_camel_name(name): value for name, value in row.items()}


def _camel_name(name: str) -> str:
    head, *tail = name.split("_")
    return head + "".join(part.title() for part in tail)


def _shown(row: Mapping[Any, Any]) -> dict[str, Any]:
    shown = _camel(row)
    del shown["lotId"]
    return shown
