"""Before a campaign goes out: what will happen, in figures, to whom, and the buttons that let it happen."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Response

from contracts.channels import Channel
from services.gateway.domain.masking import masked_address
from services.gateway.routes.pages.api import Json, path_of
from services.gateway.routes.pages.campaigns import account_of, approval_of, plan_of
from services.gateway.routes.pages.dashboard import LastEventId
from services.gateway.routes.pages.desks import AtDesk, Desk, Form, Sent, zone_of
from services.gateway.routes.pages.drafts import launched
from services.gateway.routes.pages.live import Watch
from services.gateway.routes.pages.pictures import Part, laid_out
from services.gateway.routes.pages.words import CHANNEL_WORDS, SAMPLES, reason_words
from shared.http import Problem

TYPED_FROM = 1_000
"""Whoever sends to this many people or more types their number first."""

TOO_MANY = 429
"""Tests of today."""

NOT_READY = (409, 422)
_OF_PERSON = re.compile(r"recipients\.(\d+)")


def review_pages(channel: Channel) -> APIRouter:
    """The last step under `/{channel}/campaigns/{id}`."""
    router = APIRouter(prefix=f"/notification/{channel.name}/campaigns/{{campaign_id}}")
    words = CHANNEL_WORDS[channel.name]

    def at(campaign_id: UUID) -> str:
        return path_of(channel.name, "campaigns", campaign_id)

    async def look(desk: Desk, campaign_id: UUID) -> Json:
        """The campaign and its forecast, or what stands in its way."""
        campaign = (await desk.get(at(campaign_id))).data
        plan = await plan_of(desk, channel, campaign)
        found = {
            "campaign": campaign,
            "plan": plan,
            "approval": await approval_of(desk, campaign),
            "forecast": None,
            "blocked": [],
            "approval_above": None,
        }
        try:
            forecast = (await desk.do("POST", f"{at(campaign_id)}/forecast")).data
        except Problem as problem:
            if problem.status not in NOT_READY:
                raise
            blocked = [error["message"] for error in problem.errors] or [problem.detail or problem.title]
            return found | {"blocked": blocked}
        plan["account"] = plan["account"] or await account_of(desk, channel, forecast["providerId"])
        return found | {"forecast": forecast, "approval_above": (await desk.get("/settings")).data["approvalAbove"]}

    def shown(found: Mapping[str, Any], wanted: str = "") -> Json:
        forecast = found["forecast"]
        outliers = _people(forecast["outliers"]) if forecast and forecast["complete"] else {}
        return {
            **found,
            "words": words,
            "channel": channel,
            "parts": _parts(forecast) if forecast else [],
            "samples": SAMPLES,
            "people": outliers,
            "sample": wanted if wanted in outliers else next(iter(outliers), ""),
            "typed_from": TYPED_FROM,
        }

    async def page(
        desk: Desk, campaign_id: UUID, errors: Mapping[str, str], wanted: str = "", people: str = ""
    ) -> Response:
        found = await look(desk, campaign_id)
        if over := launched(desk, channel, found["campaign"]):
            return over
        values = {"errors": errors, "values": {"people": people}, **shown(found, wanted)}
        return desk.show("drafts/review.html", 422 if errors else 200, **values)

    @router.get("/review")
    async def review(desk: AtDesk, campaign_id: UUID, sample: str = "") -> Response:
        return await page(desk, campaign_id, {}, sample)

    @router.get("/review/live")
    async def watch(desk: AtDesk, campaign_id: UUID, last_event_id: LastEventId = None) -> Response:
        watching: Watch = desk.request.app.state.watch

        async def ask() -> Any:
            return await look(desk, campaign_id)

        def render(data: Any) -> str:
            return desk.render("drafts/forecast.html", **shown(data))

        return watching.stream(desk.caller.user_id, f"forecast of {campaign_id}", ask, render, last_event_id)

    async def act(desk: Desk, campaign_id: UUID, action: str, body: Json | None, said: str) -> Response:
        try:
            reply = await desk.do("POST", f"{at(campaign_id)}/{action}", body)
        except Problem as problem:
            if problem.status not in NOT_READY:
                raise
            errors = {error["field"]: error["message"] for error in problem.errors}
            return await page(desk, campaign_id, errors or {"": problem.detail or problem.title})
        if "approval" in reply.data:
            said = "Somebody else has to approve this before it goes out. They see it under Approvals."
        return desk.go(f"/notification{at(campaign_id)}", said)

    async def unless_mistyped(desk: Desk, campaign_id: UUID, sent: Form) -> Response | None:
        """The page again when a large number was not typed as it is, or when the campaign waits for somebody."""
        found = await look(desk, campaign_id)
        if found["approval"]:
            return await page(desk, campaign_id, {"": "it waits for somebody else to approve it already"})
        forecast = found["forecast"]
        number = forecast["recipients"] if forecast else 0
        if number < TYPED_FROM or sent["recipients"].replace(",", "").replace(" ", "") == str(number):
            return None
        return await page(desk, campaign_id, {"recipients": f"type {number:,} to show that you mean this many people"})

    @router.post("/send")
    async def send(desk: AtDesk, sent: Sent, campaign_id: UUID) -> Response:
        return await unless_mistyped(desk, campaign_id, sent) or await act(
            desk, campaign_id, "send", None, "Sending has begun."
        )

    @router.post("/schedule")
    async def schedule(desk: AtDesk, sent: Sent, campaign_id: UUID) -> Response:
        try:
            wanted = datetime.fromisoformat(sent["scheduledSendTime"]).replace(tzinfo=zone_of(desk.request))
            body = {"scheduledSendTime": wanted.astimezone(UTC).isoformat()}
        except (ValueError, OverflowError):
            return await page(desk, campaign_id, {"scheduledSendTime": "choose a day and a time"})
        return await unless_mistyped(desk, campaign_id, sent) or await act(
            desk, campaign_id, "schedule", body, "The campaign is scheduled."
        )

    @router.get("/send")
    @router.get("/schedule")
    async def go_back(desk: AtDesk, campaign_id: UUID) -> Response:
        """The address of a form that was refused, when it is loaded again."""
        return desk.go(f"/notification{at(campaign_id)}/review")

    @router.post("/review")
    async def test(desk: AtDesk, sent: Sent, campaign_id: UUID) -> Response:
        people = [_person(one) for one in sent["people"].replace(",", "\n").split("\n") if one.strip()]
        try:
            found = (await desk.do("POST", f"{at(campaign_id)}/test", {"recipients": people})).data["messages"]
        except Problem as problem:
            if problem.status not in (*NOT_READY, TOO_MANY):
                raise
            errors = {"people": _faults(problem, people)}
            return await page(desk, campaign_id, errors, people=sent["people"])
        left_out = [f"{_shown(one)} ({reason_words(one['reason'])})" for one in found if one["status"] != "accepted"]
        said = f"The test goes to {len(found) - len(left_out)} of {len(found)}."
        return desk.go(
            f"/notification{at(campaign_id)}/review",
            f"{said} Left out: {', '.join(left_out)}." if left_out else said,
        )

    return router


def _person(text: str) -> dict[str, str]:
    """A phone number begins with a plus; anything else is a customer's number."""
    name = "address" if text.strip().startswith("+") else "customerId"
    return {name: text.strip()}


def _shown(message: Mapping[str, Any]) -> str:
    """Whom a test was for, without the whole of an address."""
    return str(message["customerId"] or masked_address(message["address"]))


def _faults(problem: Problem, people: Sequence[Mapping[str, str]]) -> str:
    """What is wrong, and of whom of those that were typed in."""
    named = []
    for error in problem.errors:
        place = _OF_PERSON.match(error.get("field", ""))
        who = f"“{''.join(people[int(place[1])].values())}”: " if place and int(place[1]) < len(people) else ""
        named.append(who + error["message"])
    return "; ".join(named) or problem.detail or problem.title


def _people(outliers: Mapping[str, Any]) -> dict[str, Any]:
    """One sample by each reason to look at it."""
    found = {name: value[0] if isinstance(value, list) and value else value for name, value in outliers.items()}
    return {name: found[name] for name in SAMPLES if found.get(name)}


def _parts(forecast: Mapping[str, Any]) -> list[Part]:
    """Of the audience, those who will get it and those who will not."""
    return laid_out(
        [
            Part("accent", "will get it", forecast["recipients"]),
            Part("excluded", "will not", sum(forecast["exclusions"].values())),
        ]
    )
