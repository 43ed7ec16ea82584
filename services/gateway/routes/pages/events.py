"""What happened in a campaign, one message at a time, in its order."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, Response

from contracts.channels import Channel
from services.gateway.routes.pages.api import path_of
from services.gateway.routes.pages.desks import AtDesk
from services.gateway.routes.pages.words import CHANNEL_WORDS, EVENTS

LIST_LIMIT = 50


def event_pages(channel: Channel) -> APIRouter:
    """The page under `/{channel}/campaigns/{id}/events`."""
    router = APIRouter(prefix=f"/notification/{channel.name}/campaigns/{{campaign_id}}")
    words = CHANNEL_WORDS[channel.name]

    @router.get("/events")
    async def list_events(desk: AtDesk, campaign_id: UUID, type: str = "", cursor: str = "") -> Response:
        campaign = (await desk.get(path_of(channel.name, "campaigns", campaign_id))).data
        found = await desk.get("/events", campaignId=campaign_id, eventType=type, cursor=cursor, limit=LIST_LIMIT)
        return desk.show(
            "campaigns/events.html",
            words=words,
            campaign=campaign,
            events=found.data,
            kinds=[(kind, name) for kind, (name, _) in EVENTS.items()],
            query={"type": type},
            cursor=cursor,
            next_cursor=found.body["nextCursor"],
        )

    return router
