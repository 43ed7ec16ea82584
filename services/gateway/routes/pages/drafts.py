"""Making a campaign, step by step: its text and account, then who gets it. Each step is stored and has an address."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Response

from contracts.channels import Channel
from services.gateway.routes.pages.api import Json, path_of
from services.gateway.routes.pages.campaigns import UNSENT
from services.gateway.routes.pages.desks import REFUSED, AtDesk, Desk, Sent, field_errors
from services.gateway.routes.pages.filters import (
    FIELD_WORDS,
    FIELDS,
    MODES,
    OPERATOR_WORDS,
    Choice,
    Unfinished,
    choice_of_filter,
    choice_of_form,
    filter_of,
)
from services.gateway.routes.pages.previews import SAMPLE_LIMIT
from services.gateway.routes.pages.words import CHANNEL_WORDS, POLICIES
from shared.http import Problem

CHOICES_MAX = 500
"""Templates and accounts that one can choose from."""

_FIELDS = ("campaignName", "templateId", "providerId", "description", "category", "unknownPolicy")


def draft_pages(channel: Channel) -> APIRouter:
    """The pages under `/{channel}/campaigns` that make and change a draft."""
    router = APIRouter(prefix=f"/notification/{channel.name}/campaigns")
    words = CHANNEL_WORDS[channel.name]
    at = path_of(channel.name, "campaigns")

    async def content_page(
        desk: Desk, values: Json, campaign: Json | None = None, problem: Problem | None = None
    ) -> Response:
        templates = (await desk.get(path_of(channel.name, "templates"), limit=CHOICES_MAX)).data
        providers = (await desk.get(path_of(channel.name, "providers"), limit=CHOICES_MAX)).data
        active = [(one["id"], one["providerName"]) for one in providers if one["isActive"]]
        if campaign is None and problem is None and len(active) == 1:
            values = values | {"providerId": active[0][0]}
        return desk.show(
            "drafts/content.html",
            status=200 if problem is None else problem.status,
            words=words,
            campaign=campaign,
            values=values,
            errors={} if problem is None else field_errors(problem),
            templates=[(one["id"], one["templateName"]) for one in templates],
            providers=active,
            policies=list(POLICIES.items()),
        )

    @router.get("/new")
    async def begin(desk: AtDesk, template: str = "") -> Response:
        desk.require("write")
        return await content_page(desk, {"templateId": template})

    @router.post("")
    async def create(desk: AtDesk, sent: Sent) -> Response:
        try:
            made = (await desk.do("POST", at, sent.filled(*_FIELDS))).data
        except Problem as problem:
            if problem.status not in REFUSED:
                raise
            return await content_page(desk, sent.values, problem=problem)
        return desk.go(f"/notification{at}/{made['id']}/audience")

    @router.get("/{campaign_id}/edit")
    async def edit(desk: AtDesk, campaign_id: UUID) -> Response:
        desk.require("write")
        campaign = (await desk.get(f"{at}/{campaign_id}")).data
        return launched(desk, channel, campaign) or await content_page(desk, campaign, campaign)

    @router.post("/{campaign_id}/edit")
    async def change(desk: AtDesk, sent: Sent, campaign_id: UUID) -> Response:
        try:
            await desk.do("PATCH", f"{at}/{campaign_id}", {name: sent[name] or None for name in _FIELDS})
        except Problem as problem:
            if problem.status not in REFUSED:
                raise
            campaign = (await desk.get(f"{at}/{campaign_id}")).data
            return await content_page(desk, sent.values, campaign, problem)
        return desk.go(f"/notification{at}/{campaign_id}/audience")

    async def audience_page(desk: Desk, campaign: Json, choice: Choice, errors: dict[str, str]) -> Response:
        shown = await counted(desk, choice, errors)
        return desk.show(
            "drafts/audience.html", 422 if errors else 200, words=words, campaign=campaign, modes=MODES, **shown
        )

    @router.get("/{campaign_id}/audience")
    async def choose(desk: AtDesk, campaign_id: UUID) -> Response:
        desk.require("write")
        campaign = (await desk.get(f"{at}/{campaign_id}")).data
        choice = choice_of_filter(campaign["audienceFilter"])
        return launched(desk, channel, campaign) or await audience_page(desk, campaign, choice, {})

    @router.post("/{campaign_id}/audience/part")
    async def count(desk: AtDesk, sent: Sent, campaign_id: UUID) -> Response:
        shown = await counted(desk, choice_of_form(sent), {})
        return Response(desk.render("drafts/choosing.html", modes=MODES, **shown), media_type="text/html")

    @router.post("/{campaign_id}/audience")
    async def save(desk: AtDesk, sent: Sent, campaign_id: UUID) -> Response:
        campaign = (await desk.get(f"{at}/{campaign_id}")).data
        choice = choice_of_form(sent)
        if sent["intent"] != "save":
            return await audience_page(desk, campaign, choice, {})
        try:
            await desk.do("PATCH", f"{at}/{campaign_id}", {"audienceFilter": filter_of(choice)})
        except Problem as problem:
            if problem.status not in REFUSED:
                raise
            return await audience_page(desk, campaign, choice, field_errors(problem))
        except ValueError as error:
            return await audience_page(desk, campaign, choice, {"audienceFilter": str(error)})
        return desk.go(f"/notification{at}/{campaign_id}/review")

    return router


def launched(desk: Desk, channel: Channel, campaign: Json) -> Response | None:
    """The campaign's own page where there is nothing to prepare any more."""
    if campaign["status"] in UNSENT:
        return None
    said = f"This campaign is {campaign['status']}: it cannot be changed. Copy it to make another one like it."
    return desk.go(f"/notification{path_of(channel.name, 'campaigns', campaign['id'])}", said)


async def counted(desk: Desk, choice: Choice, errors: dict[str, str]) -> dict[str, Any]:
    """The choice with how many people it finds, and some of them; else with what is wrong with it."""
    found: Json | None = None
    try:
        body = {"audienceFilter": filter_of(choice)}
        found = (await desk.do("POST", "/audience/preview", body)).data
    except Problem as problem:
        if problem.status != 422:
            raise
        errors = errors or field_errors(problem)
    except Unfinished:
        pass
    except ValueError as error:
        errors = errors or {"audienceFilter": str(error)}
    known = (await desk.get("/customers", limit=SAMPLE_LIMIT)).data + (found["sample"] if found else [])
    attributes = sorted({f"attributes.{name}" for one in known for name in one["attributes"] or {}})
    used = [line.field for line in choice.conditions if line.field.startswith("attributes.")]
    return {
        "choice": choice,
        "found": found,
        "errors": errors,
        "fields": [(name, FIELD_WORDS[name]) for name in FIELDS]
        + [(name, name.removeprefix("attributes.")) for name in dict.fromkeys([*attributes, *used])],
        "operators": list(OPERATOR_WORDS.items()),
    }
