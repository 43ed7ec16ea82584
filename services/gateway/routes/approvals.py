"""Campaigns that wait for a second person."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

import msgspec
from fastapi import APIRouter, Query, Request

from contracts.http.endpoints import BASE
from services.gateway.domain.approvals import Approval, State
from services.gateway.handlers.approvals import Approvals, launch_of
from services.gateway.routes.entrance import Entrance
from services.gateway.routes.repeating import repeating_router
from services.gateway.store.answers import Answer
from services.gateway.store.approvals import find_approvals
from shared.database import TenantDatabase
from shared.http import Limit, page_by_id, read_cursor


def approval_routes(database: TenantDatabase, entrance: Entrance, approvals: Approvals) -> APIRouter:
    """What waits, and the decision of somebody else than who asked."""
    router = repeating_router(entrance, f"{BASE}/approvals", "approvals")

    @router.get("", summary="Campaigns that wait, or waited, for a second person")
    async def read_all(
        request: Request,
        limit: Limit = 100,
        cursor: str | None = None,
        state: State | None = None,
        campaign_id: Annotated[UUID | None, Query(alias="campaignId")] = None,
    ) -> dict[str, Any]:
        caller = await entrance.enter(request, "read")
        wanted = None if state is None else state.value
        async with database.transaction() as connection:
            found = await find_approvals(
                connection, caller.user_id, wanted, campaign_id, read_cursor(cursor), limit + 1
            )
        return page_by_id(found, limit, show_approval)

    @router.get("/{id}", summary="One approval")
    async def read(id: UUID, request: Request) -> dict[str, Any]:
        caller = await entrance.enter(request, "read")
        return {"data": show_approval(await approvals.find(caller.user_id, id))}

    @router.post("/{id}/approve", summary="Let a campaign go that somebody else wants to send")
    async def approve(id: UUID, request: Request) -> dict[str, Any]:
        caller = await entrance.enter(request, "approve")
        return {"data": show_approval(await approvals.approve(caller, id))}

    @router.post("/{id}/reject", summary="Do not let a campaign go")
    async def reject(id: UUID, request: Request) -> dict[str, Any]:
        caller = await entrance.enter(request, "approve")
        return {"data": show_approval(await approvals.reject(caller, id))}

    return router


def answer_of(found: Answer | Approval) -> Answer:
    """What whoever wanted to send is told."""
    if isinstance(found, Answer):
        return found
    return Answer(202, "application/json", msgspec.json.encode({"data": {"approval": show_approval(found)}}))


def show_approval(approval: Approval) -> dict[str, Any]:
    """An approval as the API shows it. `size` is how many people the campaign reached at most when it was asked for."""
    requester = {"kind": approval.requester_kind, "id": approval.requester_id, "name": approval.requester_name}
    return {
        "id": str(approval.id),
        "channel": approval.channel,
        "campaignId": str(approval.campaign_id),
        "action": approval.action,
        "scheduledSendTime": launch_of(approval).scheduled_send_time,
        "size": approval.size,
        "state": approval.state,
        "requestedAt": approval.requested_at,
        "requestedBy": requester,
        "decidedAt": approval.decided_at,
        "decidedBy": approval.decider_id and {"id": str(approval.decider_id), "name": approval.decider_name},
        "endedAt": approval.ended_at,
        "reason": approval.reason,
    }
