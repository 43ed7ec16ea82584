"""Campaigns of one channel: the list, and one campaign with everybody in it accounted for."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Response

from contracts.channels import Channel
from services.gateway.routes.pages.api import path_of
from services.gateway.routes.pages.dashboard import LastEventId
from services.gateway.routes.pages.desks import AtDesk, Desk, Sent
from services.gateway.routes.pages.filters import audience_words
from services.gateway.routes.pages.live import Watch
from services.gateway.routes.pages.pictures import Curve, curve_of, parts_of, steps_of
from services.gateway.routes.pages.words import CHANNEL_WORDS, CURVES, STATUSES, UNTRIED
from shared.codec import now
from shared.http import Problem

LIST_LIMIT = 25
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
        plan = await plan_of(desk, channel, found["campaign"])
        return desk.show("campaigns/one.html", words=words, plan=plan, **shown(found))

    @router.get("/{campaign_id}/live")
    async def watch_campaign(desk: AtDesk, campaign_id: UUID, last_event_id: LastEventId = None) -> Response:
        watch: Watch = desk.request.app.state.watch
        plan = await plan_of(desk, channel, (await desk.get(path_of(channel.name, "campaigns", campaign_id))).data)

        async def ask() -> Any:
            return await look_up(desk, channel, campaign_id)

        def render(data: Any) -> str:
            return desk.render("campaigns/one_live.html", words=words, plan=plan, **shown(data))

        return watch.stream(desk.caller.user_id, str(campaign_id), ask, render, last_event_id)

    @router.get("/{campaign_id}/{action}")
    async def ask_before(desk: AtDesk, campaign_id: UUID, action: str) -> Response:
        desk.require("write" if action == "clone" else "send")
        found = await look_up(desk, channel, campaign_id)
        return desk.show("campaigns/before.html", words=words, action=_known(action), problem=None, **shown(found))

    @router.post("/{campaign_id}/{action}")
    async def act(desk: AtDesk, sent: Sent, campaign_id: UUID, action: str) -> Response:
        at = path_of(channel.name, "campaigns", campaign_id)
        try:
            shown_next = (await desk.do("POST", f"{at}/{_known(action)}")).data["id"]
        except Problem as problem:
            if problem.status not in (409, 422):
                raise
            found = await look_up(desk, channel, campaign_id)
            values = {"words": words, "action": action, "problem": problem, **shown(found)}
            return desk.show("campaigns/before.html", problem.status, **values)
        return desk.go(f"/notification{path_of(channel.name, 'campaigns', shown_next)}", DONE[action])

    return router


DONE: Mapping[str, str] = {
    "pause": "Done. Messages that were already handed to the provider cannot be taken back.",
    "resume": "The campaign goes on.",
    "cancel": "The campaign is cancelled. Nobody further is contacted.",
    "clone": "This is the copy. Nothing of it has been sent.",
}


def _known(action: str) -> str:
    if action not in DONE:
        raise Problem(404, "Not found")
    return action


async def plan_of(desk: Desk, channel: Channel, campaign: Mapping[str, Any]) -> dict[str, Any]:
    """What the campaign is made of: its template, the account it names, and who gets it in words."""
    template, account = await asyncio.gather(
        desk.unless_missing(path_of(channel.name, "templates", campaign["templateId"])),
        account_of(desk, channel, campaign["providerId"]),
    )
    return {"template": template, "account": account, "audience": audience_words(campaign["audienceFilter"])}


async def account_of(desk: Desk, channel: Channel, account_id: str | None) -> Any:
    """The account; None where none is named or it is gone."""
    return await desk.unless_missing(path_of(channel.name, "providers", account_id)) if account_id else None


async def approval_of(desk: Desk, campaign: Mapping[str, Any]) -> Any:
    """What waits for a second person before the campaign goes out; None where nothing does."""
    waiting = (await desk.get("/approvals", state="pending", campaignId=campaign["id"], limit=1)).data
    return waiting[0] if waiting else None


async def look_up(desk: Desk, channel: Channel, campaign_id: UUID) -> dict[str, Any]:
    """The campaign, what became of everybody, and how it went over time, as far as they exist."""
    at = path_of(channel.name, "campaigns", campaign_id)
    campaign = (await desk.get(at)).data
    if campaign["launchedAt"] is None:
        waiting = await approval_of(desk, campaign)
        return {"campaign": campaign, "approval": waiting, "accounting": None, "timeline": None}
    return {
        "campaign": campaign,
        "approval": None,
        "accounting": await desk.unless_missing(f"{at}/accounting"),
        "timeline": await desk.unless_missing(f"{at}/timeline"),
    }


def shown(found: Mapping[str, Any]) -> dict[str, Any]:
    """What was found, with its pictures."""
    campaign, accounting, timeline = found["campaign"], found["accounting"], found["timeline"]
    is_known = accounting is not None and accounting["audience"] is not None
    parts = parts_of(accounting) if is_known else []
    return {
        **found,
        "is_known": is_known,
        "progress": _progress(campaign, accounting) if is_known else None,
        "parts": parts,
        "bar_label": "; ".join(f"{part.words} {part.count:,}" for part in parts),
        "failures": [one for one in timeline["failures"] if one["errorClass"] not in UNTRIED] if timeline else [],
        "steps": steps_of(accounting) if is_known else [],
        "curve": _curve(campaign, timeline, accounting if is_known else None) if timeline else None,
        "is_unsent": campaign["status"] in UNSENT,
    }


def _progress(campaign: Mapping[str, Any], accounting: Mapping[str, Any]) -> dict[str, Any]:
    """How far it is; `seconds` are those from the first to the last recipient, or to the last one's expected turn."""
    left = accounting["waiting"] + accounting["inFlight"]
    planned = accounting["audience"] - sum(accounting["excluded"].values())
    untried = sum(accounting["skipped"].values()) + sum(accounting[reason] for reason in UNTRIED)
    is_moving = accounting["ratePerSecond"] is not None
    begin, end = (now(), accounting["eta"]) if is_moving else (campaign["launchedAt"], campaign["sentAt"])
    return {
        "left": left,
        "planned": planned,
        "tried": planned - left - untried,
        "untried": untried,
        "done": 100 * (planned - left) / planned if planned else 100.0,
        "seconds": (_moment(end) - _moment(begin)).total_seconds() if begin and end else None,
    }


def _curve(
    campaign: Mapping[str, Any], timeline: Mapping[str, Any], accounting: Mapping[str, Any] | None
) -> Curve | None:
    begin, accepted = _moment(campaign["launchedAt"]), accounting["accepted"] if accounting else {}
    totals = {"sent": accepted["total"], "delivered": accepted["delivered"]} if accepted else {}
    return curve_of(timeline["points"], timeline["bucketSeconds"], tuple(CURVES), begin, now(), totals)


def _moment(value: str | datetime) -> datetime:
    return datetime.fromisoformat(value) if isinstance(value, str) else value
