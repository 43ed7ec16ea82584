"""Recipients and accounting of a campaign, once per channel."""

# No postponed annotations here: FastAPI reads the address's name, which differs by channel, from the functions.

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends
from fastapi import Query as Parameter
from fastapi.responses import StreamingResponse

from contracts.channels import Channel
from contracts.http.described.words import NotificationStatus, Outcome
from contracts.waiting import describe_waiting
from services.dispatcher.accounting import account_for
from services.dispatcher.store.campaigns import find_ledger
from services.dispatcher.store.recipients import (
    Wanted,
    find_attempts,
    find_recipient,
    find_recipients,
    find_waiting_reason,
    recipients_query,
)
from shared.database import Connection, TenantDatabase
from shared.exports import Exports, Query
from shared.http import CurrentUser, Limit, Problem, cursor_of, page, read_cursor
from shared.names import camel

ErrorClass = Annotated[str | None, Parameter(alias="errorClass", max_length=100)]


def ledger_routes(channel: Channel, database: TenantDatabase, exports: Exports) -> APIRouter:
    """Recipients, explain and accounting."""
    router = APIRouter(prefix=f"/api/notification/{channel.name}")

    def wanted(
        status: NotificationStatus | None = None,
        outcome: Outcome | None = None,
        error_class: ErrorClass = None,
        address: Annotated[str | None, Parameter(alias=channel.address_field, max_length=4096)] = None,
    ) -> Wanted:
        return Wanted(None, status, outcome, error_class, address)

    Filters = Annotated[Wanted, Depends(wanted)]

    async def listed(user_id: str, filters: Wanted, cursor: str | None, limit: int) -> dict[str, Any]:
        async with database.transaction() as connection:
            found = await find_recipients(connection, channel, user_id, filters, read_cursor(cursor), limit)
        return page([_shown(row) for row in found.rows], None if found.after is None else cursor_of(found.after))

    @router.get("/campaigns/{campaign_id}/recipients")
    async def list_recipients(
        campaign_id: UUID,
        user_id: CurrentUser,
        filters: Filters,
        limit: Limit = 100,
        cursor: str | None = None,
    ) -> dict[str, Any]:
        return await listed(user_id, replace(filters, campaign_id=campaign_id), cursor, limit)

    @router.get("/recipients")
    async def list_recipients_of_all_campaigns(
        user_id: CurrentUser,
        filters: Filters,
        limit: Limit = 100,
        cursor: str | None = None,
    ) -> dict[str, Any]:
        return await listed(user_id, filters, cursor, limit)

    @router.get("/campaigns/{campaign_id}/recipients/export")
    async def export_recipients(campaign_id: UUID, user_id: CurrentUser, format: str = "csv") -> StreamingResponse:
        async def ask(_: Connection) -> Query:
            return recipients_query(channel, user_id, campaign_id)

        return await exports.answer(user_id, f"recipients-{campaign_id}", format, ask)

    @router.get("/campaigns/{campaign_id}/recipients/{recipient_id}/explain")
    async def explain_recipient(campaign_id: UUID, recipient_id: UUID, user_id: CurrentUser) -> dict[str, Any]:
        async with database.begin() as connection:
            row = await find_recipient(connection, channel, user_id, campaign_id, recipient_id)
            if row is None:
                raise Problem(404, "No such recipient")
            attempts = await find_attempts(connection, row["lot_id"], recipient_id)
            reason = await find_waiting_reason(connection, row["lot_id"]) if row["status"] == "queued" else None
        return {
            "data": {
                "recipient": _shown(row),
                "waitingReason": reason,
                "waitingText": describe_waiting(reason),
                "attempts": [{camel(name): value for name, value in one.items()} for one in attempts],
            }
        }

    @router.get("/campaigns/{campaign_id}/accounting")
    async def read_accounting(campaign_id: UUID, user_id: CurrentUser) -> dict[str, Any]:
        async with database.transaction() as connection:
            ledger = await find_ledger(connection, channel, user_id, campaign_id)
        if ledger is None:
            raise Problem(404, "Nothing to account for", "the campaign has not been sent, or is not yours")
        return {"data": {"campaignId": campaign_id, "channel": channel.name} | account_for(ledger)}

    return router


def _shown(row: Mapping[Any, Any]) -> dict[str, Any]:
    shown = {camel(name): value for name, value in row.items()}
    del shown["lotId"]
    return shown
