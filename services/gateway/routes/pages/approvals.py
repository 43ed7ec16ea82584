"""Campaigns that wait for a second person."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, Response

from services.gateway.routes.pages.api import path_of
from services.gateway.routes.pages.desks import AtDesk, Desk
from services.gateway.routes.pages.words import APPROVAL_STATES, DECISIONS
from shared.http import Problem

LIST_LIMIT = 25
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
    names = {}
    for one in found.data:
        campaign = await desk.unless_missing(path_of(one["channel"], "campaigns", one["campaignId"]))
        names[one["campaignId"]] = campaign["campaignName"] if campaign else "A campaign that was deleted"
    return desk.show(
        "approvals.html",
        status=200 if problem is None else problem.status,
        approvals=found.data,
        names=names,
        states=APPROVAL_STATES,
        query={"state": state},
        cursor=cursor,
        next_cursor=found.body["nextCursor"],
        problem=problem,
    )
