"""Campaigns of one channel: the list, and one campaign with everybody in it accounted for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Response

from contracts.channels import Channel
from services.gateway.routes.pages.api import path_of
from services.gateway.routes.pages.dashboard import LastEventId
from services.gateway.routes.pages.desks import AtDesk, Desk, Sent
from services.gateway.routes.pages.live import Watch
from services.gateway.routes.pages.pictures import curve_of, parts_of, steps_of
from services.gateway.routes.pages.words import CHANNEL_WORDS, CURVES, STATUSES
from shared.http import Problem

LIST_LIMIT = 25
MOVING = frozenset({"sending", "paused"})
UNSENT = frozenset({"draft", "scheduled"})


def campaign_pages(channel: Channel) -> APIRouter:
    """The pages under `/{channel}/campaigns`."""
    router = APIRouter(prefix=f"/notification/{channel.name}/campaigns")
    words = CHANNEL_WORDS[channel.name]

    @router.get("")
    async def list_campaigns(desk: AtDesk, status: str = "", search: str = "", cursor: str = "") -> Response:
        query = {"status": status, "search": search}
        found = await desk.get(path_of(channel.name, "campaigns"), **query, cursor=cursor, limit=LIST_LIMIT)
        return desk.show(
            "campaigns/list.html",
            words=words,
            campaigns=found.data,
            query=query,
            cursor=cursor,
            next_cursor=found.body["nextCursor"],
            statuses=STATUSES,
        )

    @router.get("/{campaign_id}")
    async def show_campaign(desk: AtDesk, campaign_id: UUID) -> Response:
        found = await look_up(desk, channel, campaign_id)
        return desk.show("campaigns/one.html", words=words, **shown(found))

    @router.get("/{campaign_id}/live")
    async def watch_campaign(desk: AtDesk, campaign_id: UUID, last_event_id: LastEventId = None) -> Response:
        watch: Watch = desk.request.app.state.watch

        async def ask() -> Any:
            return await look_up(desk, channel, campaign_id)

        def render(data: Any) -> str:
            return desk.render("campaigns/one_live.html", words=words, **shown(data))

        return watch.stream(desk.caller.user_id, str(campaign_id), ask, render, last_event_id)

    @router.get("/{campaign_id}/{action}")
    async def ask_before(desk: AtDesk, campaign_id: UUID, action: str) -> Response:
        found = await look_up(desk, channel, campaign_id)
        return desk.show("campaigns/before.html", words=words, action=_known(action), problem=None, **shown(found))

    @router.post("/{campaign_id}/{action}")
    async def act(desk: AtDesk, sent: Sent, campaign_id: UUID, action: str) -> Response:
        at = path_of(channel.name, "campaigns", campaign_id)
        try:
            await desk.do("POST", f"{at}/{_known(action)}")
        except Problem as problem:
            if problem.status not in (409, 422):
                raise
            found = await look_up(desk, channel, campaign_id)
            values = {"words": words, "action": action, "problem": problem, **shown(found)}
            return desk.show("campaigns/before.html", problem.status, **values)
        return desk.go(f"/notification{at}", DONE[action])

    return router


DONE: Mapping[str, str] = {
    "pause": "The campaign is paused. Messages that were already handed to the provider cannot be taken back.",
    "resume": "The campaign goes on.",
    "cancel": "The campaign is cancelled. Nobody further is contacted.",
    "clone": "This is the copy. Nothing of it has been sent.",
}


def _known(action: str) -> str:
    if action not in DONE:
        raise Problem(404, "Not found")
    return action


async def look_up(desk: Desk, channel: Channel, campaign_id: UUID) -> dict[str, Any]:
    """The campaign, what became of everybody, and how it went over time, as far as they exist."""
    at = path_of(channel.name, "campaigns", campaign_id)
    campaign = (await desk.get(at)).data
    if campaign["launchedAt"] is None:
        return {"campaign": campaign, "accounting": None, "timeline": None}
    return {
        "campaign": campaign,
        "accounting": await desk.unless_missing(f"{at}/accounting"),
        "timeline": await desk.unless_missing(f"{at}/timeline"),
    }


def shown(found: Mapping[str, Any]) -> dict[str, Any]:
    """What was found, with its pictures."""
    accounting, timeline = found["accounting"], found["timeline"]
    is_known = accounting is not None and accounting["audience"] is not None
    done = None
    if is_known:
        open_ones = accounting["waiting"] + accounting["inFlight"]
        planned = accounting["audience"] - sum(accounting["excluded"].values())
        done = 100.0 if not planned else 100 * (planned - open_ones) / planned
    parts = parts_of(accounting) if is_known else []
    return {
        **found,
        "is_known": is_known,
        "done": done,
        "parts": parts,
        "bar_label": "; ".join(f"{part.words} {part.count:,}" for part in parts),
        "steps": steps_of(accounting) if is_known else [],
        "curve": curve_of(timeline["points"], timeline["bucketSeconds"], tuple(CURVES)) if timeline else None,
        "is_moving": found["campaign"]["status"] in MOVING,
        "is_unsent": found["campaign"]["status"] in UNSENT,
    }
