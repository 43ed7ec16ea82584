"""Recipients added to a campaign before its launch; one router per channel."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from contracts.channels import Channel
from services.audience.handlers.importing import AlreadyLaunched, TooManyRecipients, recipients_of, save_list
from services.audience.routes.bodies import (
    answer_import,
    answer_list,
    campaign_id_of,
    cannot_be_added,
    read_rows,
)
from services.audience.settings import AudienceSettings
from shared.database import Database
from shared.http import CurrentUser


def make_router(database: Database, settings: AudienceSettings, channel: Channel) -> APIRouter:
    """The routes under `/{channel}/campaigns/{id}/recipients`."""
    router = APIRouter(prefix=f"/{channel.name}/campaigns")

    @router.post("/{campaign_id}/recipients")
    async def add_recipients(request: Request, campaign_id: str, user_id: CurrentUser) -> JSONResponse:
        kind = recipients_of(user_id, channel, campaign_id_of(campaign_id))
        rows = await read_rows(request, "recipients")
        try:
            return answer_list(await save_list(database, kind, rows), "recipients")
        except (AlreadyLaunched, TooManyRecipients) as error:
            raise cannot_be_added(error) from None

    @router.post("/{campaign_id}/recipients/import")
    async def import_recipients(
        request: Request, campaign_id: str, user_id: CurrentUser, format: str | None = None
    ) -> JSONResponse:
        kind = recipients_of(user_id, channel, campaign_id_of(campaign_id))
        return await answer_import(request, database, settings, user_id, kind, format)

    return router
