"""What is asked of a campaign before its launch: its added recipients, and that its forecast stops."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse

from contracts.channels import Channel
from services.audience.handlers.importing import AlreadyLaunched, TooManyRecipients, recipients_of, save_list
from services.audience.routes.bodies import (
    LIST_MAX,
    answer_import,
    answer_list,
    cannot_be_added,
    read_rows,
)
from services.audience.settings import AudienceSettings
from services.audience.store import additions
from services.audience.store.forecasts import mark_cancelled
from shared.database import TenantDatabase
from shared.http import CurrentUser, Problem, keyset_cursor, page, read_keyset

Limit = Annotated[int, Query(ge=1, le=LIST_MAX)]


def make_router(database: TenantDatabase, settings: AudienceSettings, channel: Channel) -> APIRouter:
    """The routes under `/{channel}/campaigns/{id}/recipients`."""
    router = APIRouter(prefix=f"/{channel.name}/campaigns")

    @router.get("/{campaign_id}/recipients")
    async def list_recipients(
        campaign_id: UUID, user_id: CurrentUser, limit: Limit = 100, cursor: str | None = None
    ) -> dict[str, Any]:
        after = None if cursor is None else read_keyset(cursor, UUID)[0]
        async with database.transaction() as connection:
            rows = await additions.find_additions(connection, campaign_id, user_id, channel, after, limit + 1)
        more = keyset_cursor(str(rows[limit - 1]["digest"])) if len(rows) > limit else None
        return page([_as_json(row, channel) for row in rows[:limit]], more)

    @router.post("/{campaign_id}/recipients")
    async def add_recipients(request: Request, campaign_id: UUID, user_id: CurrentUser) -> JSONResponse:
        kind = recipients_of(user_id, channel, campaign_id)
        rows = await read_rows(request, "recipients")
        try:
            return answer_list(await save_list(database, kind, rows), "recipients")
        except (AlreadyLaunched, TooManyRecipients) as error:
            raise cannot_be_added(error) from None

    @router.post("/{campaign_id}/recipients/import")
    async def import_recipients(
        request: Request,
        campaign_id: UUID,
        user_id: CurrentUser,
        format: str | None = None,
        import_id: Annotated[UUID | None, Query(alias="importId")] = None,
    ) -> JSONResponse:
        kind = recipients_of(user_id, channel, campaign_id)
        return await answer_import(request, database, settings, user_id, kind, format, import_id)

    @router.delete("/{campaign_id}/forecast", status_code=204)
    async def cancel_forecast(campaign_id: UUID, user_id: CurrentUser) -> Response:
        async with database.transaction() as connection:
            if not await mark_cancelled(connection, campaign_id, user_id):
                raise Problem(404, "No forecast of this campaign is running")
        return Response(status_code=204)

    return router


def _as_json(row: Mapping[str, Any], channel: Channel) -> dict[str, Any]:
    """As the ledger will show it, as far as it is known yet: an added customer's address is found at the launch."""
    return {
        "id": row["digest"],
        "campaignId": row["campaign_id"],
        "customerId": row["customer_id"],
        channel.address_field: row["address"],
        "recipientName": row["recipient_name"],
        "status": "queued",
        "outcome": None,
        "personalizationData": row["personalization_data"],
    }
