"""Campaigns that wait for a second person."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, Response

from contracts.channels import CHANNELS
from services.gateway.routes.pages.api import Json, path_of
from services.gateway.routes.pages.campaigns import account_of, plan_of
from services.gateway.routes.pages.desks import AtDesk, Desk
from services.gateway.routes.pages.previews import text_field
from services.gateway.routes.pages.words import APPROVAL_STATES, DECISIONS
from shared.http import Problem

LIST_LIMIT = 25
PLANS_MAX = 5
"""Of what waits, so many are shown with text and cost: each asks for a forecast."""

HOME = "/notification/approvals"
router = APIRouter(prefix=HOME)


@router.get("")
async def list_approvals(desk: AtDesk, state: str = "pending", cursor: str = "") -> Response:
    """What waits, or what was decided."""
    return await _page(desk, state, cursor)


@router.post("/{approval_id}/{decision}")
async def decide(desk: AtDesk, approval_id: UUID, decision: str) -> Response:
    """The campaign goes, or it does not."""
    if decision not in DECISIONS:
        raise Problem(404, "Not found")
    try:
        await desk.do("POST", path_of("approvals", approval_id, decision))
    except Problem as problem:
        if problem.status not in (403, 409, 422):
            raise
        return await _page(desk, "pending", "", problem)
    return desk.go(HOME, DECISIONS[decision])


async def _page(desk: Desk, state: str, cursor: str, problem: Problem | None = None) -> Response:
    found = await desk.get("/approvals", state=state, cursor=cursor, limit=LIST_LIMIT)
    pending = [one["id"] for one in found.data if one["state"] == "pending"][:PLANS_MAX]
    return desk.show(
        "approvals.html",
        status=200 if problem is None else problem.status,
        approvals=[one | await _campaign_of(desk, one, one["id"] in pending) for one in found.data],
        states=APPROVAL_STATES,
        query={"state": state},
        cursor=cursor,
        next_cursor=found.body["nextCursor"],
        problem=problem,
    )


async def _campaign_of(desk: Desk, approval: Json, with_plan: bool) -> Json:
    """What somebody decides about: the campaign's name, its text, account and cost, as far as they are known."""
    channel, at = CHANNELS[approval["channel"]], path_of(approval["channel"], "campaigns", approval["campaignId"])
    campaign = await desk.unless_missing(at)
    if campaign is None or not with_plan:
        return {"name": campaign["campaignName"] if campaign else "A campaign that was deleted", "plan": None}
    plan = await plan_of(desk, channel, campaign)
    template = plan["template"]
    text = template and ": ".join(filter(None, (template.get("title"), template[text_field(channel)])))
    found = {"name": campaign["campaignName"], "plan": plan, "text": text, "forecast": None}
    try:
        forecast = (await desk.do("POST", f"{at}/forecast")).data
    except Problem:  # it cannot be sent as it is, or nobody can say now
        return found
    plan["account"] = plan["account"] or await account_of(desk, channel, forecast["providerId"])
    return found | {"forecast": forecast if forecast["complete"] else None}
