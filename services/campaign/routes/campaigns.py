"""Campaigns and their lifecycle, once per channel."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Header, Query, Response
from pydantic import AwareDatetime

from contracts.channels import Channel
from contracts.http.campaigns import CampaignChange, CampaignSchedule, CampaignWrite
from contracts.http.filters import filter_problems
from services.campaign import store
from services.campaign.domain.states import DELETABLE, EDITABLE, Action, NotPossible, Status
from services.campaign.handlers.lifecycle import NotReady, PlanChanged, act, campaign_changed
from services.campaign.handlers.planning import plan_of
from services.campaign.routes.lists import LIMIT_MAX, SEARCH_MAX, next_cursor, read_sort
from services.campaign.routes.showing import refuse_nulls, show, show_campaign, show_findings
from services.campaign.store.lists import CAMPAIGN_ORDERS, Wanted, find_listed
from services.campaign.tables import CAMPAIGNS, TEMPLATES
from shared.codec import encode, now
from shared.database import SqlConnection, TenantDatabase, insert_once, raw
from shared.http import CurrentUser, EffectId, Problem, page
from shared.outbox import put

AgreedPlan = Annotated[str | None, Header(description="`digest` of the only plan that may be sent; 412 for another.")]

NEWS_SECONDS = 2.0
"""How long a command waits for news of an account that was made a moment ago; it comes by Kafka."""

NEWS_POLL_SECONDS = 0.05


def campaign_routes(channel: Channel, database: TenantDatabase, link_base_url: str) -> APIRouter:
    """Create, read, change, delete, and what moves a campaign from state to state."""
    router = APIRouter(prefix=f"/api/notification/{channel.name}/campaigns")
    table = CAMPAIGNS[channel.name]

    async def check(connection: SqlConnection, user_id: str, given: Mapping[str, Any]) -> None:
        problems = [
            {"field": ".".join(filter(None, ("audienceFilter", path))), "message": message}
            for path, message in filter_problems(given.get("audience_filter"))
        ]
        template_id = given.get("template_id")
        if template_id is not None:
            template = await store.find_row(connection, TEMPLATES[channel.name], user_id, template_id)
            if template is None:
                problems.append({"field": "templateId", "message": "names no template of this channel"})
        if problems:
            raise Problem(422, "Invalid input", errors=problems)

    async def found(
        connection: SqlConnection, user_id: str, campaign_id: UUID, lock: bool = False
    ) -> Mapping[Any, Any]:
        row = await store.find_row(connection, table, user_id, campaign_id, lock)
        if row is None:
            raise Problem(404, "No such campaign")
        return row

    @router.post("", status_code=201)
    async def create_campaign(body: CampaignWrite, user_id: CurrentUser, made_id: EffectId) -> dict[str, Any]:
        values = body.model_dump() | {"id": made_id, "user_id": user_id}
        async with database.begin() as connection:
            await check(connection, user_id, values)
            row, is_new = await insert_once(connection, table, values)
            if is_new:
                await put(await raw(connection), [campaign_changed(channel, row)])
            return {"data": show_campaign(row, await plan_of(connection, channel, row, link_base_url))}

    @router.get("")
    async def list_campaigns(
        user_id: CurrentUser,
        limit: Annotated[int, Query(ge=1, le=LIMIT_MAX)] = 100,
        cursor: str | None = None,
        status: Annotated[list[Status] | None, Query()] = None,
        search: Annotated[str | None, Query(max_length=SEARCH_MAX)] = None,
        created_from: Annotated[AwareDatetime | None, Query(alias="createdFrom")] = None,
        created_to: Annotated[AwareDatetime | None, Query(alias="createdTo")] = None,
        scheduled_from: Annotated[AwareDatetime | None, Query(alias="scheduledFrom")] = None,
        scheduled_to: Annotated[AwareDatetime | None, Query(alias="scheduledTo")] = None,
        sort: str = "-createdAt",
    ) -> dict[str, Any]:
        place = read_sort(CAMPAIGN_ORDERS[channel.name], sort, cursor)
        wanted = Wanted(search, status or (), created_from, created_to, scheduled_from, scheduled_to)
        async with database.begin() as connection:
            rows = await find_listed(connection, table, user_id, wanted, place, limit + 1)
        return page([show(row) for row in rows[:limit]], next_cursor(rows, limit))

    @router.get("/{campaign_id}")
    async def read_campaign(campaign_id: UUID, user_id: CurrentUser) -> dict[str, Any]:
        async with database.begin() as connection:
            row = await found(connection, user_id, campaign_id)
            return {"data": show_campaign(row, await plan_of(connection, channel, row, link_base_url))}

    @router.patch("/{campaign_id}")
    async def change_campaign(campaign_id: UUID, body: CampaignChange, user_id: CurrentUser) -> dict[str, Any]:
        given = body.given()
        refuse_nulls(given, ("campaign_name", "template_id", "category", "unknown_policy"))
        async with database.begin() as connection:
            row = await found(connection, user_id, campaign_id, lock=True)
            if row["status"] not in EDITABLE:
                detail = f"a campaign that is {row['status']} cannot be changed: clone it and change the copy"
                raise Problem(409, "Not possible", detail)
            if row["status"] == Status.SCHEDULED and "scheduled_send_time" in given:
                check_time(given["scheduled_send_time"])
            await check(connection, user_id, given)
            changed = await store.update_row(connection, table, campaign_id, given)
            plan = await plan_of(connection, channel, changed, link_base_url)
            if row["agreed_plan"] not in (None, plan.digest):
                detail = (
                    "somebody has agreed to what this campaign will send: clone it, change the copy, cancel this one"
                )
                raise Problem(409, "Not possible", detail)
            await put(await raw(connection), [campaign_changed(channel, changed)])
            return {"data": show_campaign(changed, plan)}

    @router.delete("/{campaign_id}", status_code=204)
    async def remove_campaign(campaign_id: UUID, user_id: CurrentUser) -> Response:
        async with database.begin() as connection:
            row = await found(connection, user_id, campaign_id, lock=True)
            if row["status"] not in DELETABLE or row["launched_at"] is not None:
                raise Problem(409, "Not possible", "a campaign that was launched is kept with its accounting")
            await store.delete_row(connection, table, campaign_id)
            await put(await raw(connection), [campaign_changed(channel, row, deleted=True)])
        return Response(status_code=204)

    async def do(user_id: str, campaign_id: UUID, action: Action, **details: Any) -> dict[str, Any]:
        give_up = time.monotonic() + NEWS_SECONDS
        while True:
            try:
                async with database.begin() as connection:
                    row = await found(connection, user_id, campaign_id, lock=True)
                    return {"data": show(await act(connection, channel, row, action, **details))}
            except NotPossible as error:
                raise Problem(409, "Not possible", str(error)) from None
            except PlanChanged as error:
                raise Problem(412, "Changed meanwhile", str(error)) from None
            except NotReady as error:
                is_provider = all(one.field == "providerId" for one in error.blockers)
                if not is_provider or time.monotonic() > give_up:
                    raise Problem(422, "Not ready", errors=show_findings(error.blockers)) from None
            await asyncio.sleep(NEWS_POLL_SECONDS)

    @router.post("/{campaign_id}/schedule")
    async def schedule(
        campaign_id: UUID, body: CampaignSchedule, user_id: CurrentUser, if_match: AgreedPlan = None
    ) -> dict[str, Any]:
        check_time(body.scheduled_send_time)
        at = body.scheduled_send_time
        return await do(user_id, campaign_id, Action.SCHEDULE, scheduled_send_time=at, agreed=if_match)

    @router.post("/{campaign_id}/send")
    async def send(campaign_id: UUID, user_id: CurrentUser, if_match: AgreedPlan = None) -> dict[str, Any]:
        return await do(user_id, campaign_id, Action.SEND, agreed=if_match)

    @router.post("/{campaign_id}/pause")
    async def pause(campaign_id: UUID, user_id: CurrentUser) -> dict[str, Any]:
        return await do(user_id, campaign_id, Action.PAUSE, reason="paused by a person")

    @router.post("/{campaign_id}/resume")
    async def resume(campaign_id: UUID, user_id: CurrentUser) -> dict[str, Any]:
        return await do(user_id, campaign_id, Action.RESUME)

    @router.post("/{campaign_id}/cancel")
    async def cancel(campaign_id: UUID, user_id: CurrentUser) -> dict[str, Any]:
        return await do(user_id, campaign_id, Action.CANCEL)

    @router.post("/{campaign_id}/clone", status_code=201)
    async def clone(campaign_id: UUID, user_id: CurrentUser, made_id: EffectId) -> dict[str, Any]:
        copied = (
            "template_id",
            "provider_id",
            "description",
            "audience_filter",
            "category",
            "unknown_policy",
            "track_links",
        )
        async with database.begin() as connection:
            old = await found(connection, user_id, campaign_id, lock=True)
            values = {name: old[name] for name in copied}
            values |= {"id": made_id, "user_id": user_id, "campaign_name": f"{old['campaign_name'][:190]} (copy)"}
            row, is_new = await insert_once(connection, table, values)
            if is_new:
                await put(await raw(connection), [campaign_changed(channel, row)])
        return {"data": show(row)}

    return router


def internal_routes(channel: Channel, database: TenantDatabase, link_base_url: str) -> APIRouter:
    """What the gateway asks before it asks others about a campaign."""
    router = APIRouter(prefix=f"/internal/{channel.name}/campaigns")

    @router.get("/{campaign_id}/plan")
    async def read_plan(campaign_id: UUID, user_id: CurrentUser) -> Response:
        async with database.begin() as connection:
            row = await store.find_row(connection, CAMPAIGNS[channel.name], user_id, campaign_id)
            if row is None:
                raise Problem(404, "No such campaign")
            plan = await plan_of(connection, channel, row, link_base_url)
        return Response(encode(plan), media_type="application/json")

    return router


def check_time(at: datetime | None) -> None:
    """A 422 problem for a time at which nothing can be sent any more."""
    if at is None or at <= now():
        errors = [{"field": "scheduledSendTime", "message": "must be a time in the future"}]
        raise Problem(422, "Invalid input", errors=errors)
