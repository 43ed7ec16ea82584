"""Making a campaign, step by step: its text and account, then who gets it. Each step is stored and has an address."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Response

from contracts.channels import Channel
from services.gateway.routes.pages.api import Json, path_of
from services.gateway.routes.pages.filters import (
    FIELD_WORDS,
    FIELDS,
    MODES,
    OPERATOR_WORDS,
    Choice,
    choice_of_filter,
    choice_of_form,
    filter_of,
)
from services.gateway.routes.pages.visits import Sent, Visit, Visitor, field_errors
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
        visit: Visit, values: Json, campaign: Json | None = None, problem: Problem | None = None
    ) -> Response:
        templates = (await visit.get(path_of(channel.name, "templates"), limit=CHOICES_MAX)).data
        providers = (await visit.get(path_of(channel.name, "providers"), limit=CHOICES_MAX)).data
        return visit.show(
            "drafts/content.html",
            status=200 if problem is None else problem.status,
            words=words,
            campaign=campaign,
            values=values,
            errors={} if problem is None else field_errors(problem),
            templates=[(one["id"], one["templateName"]) for one in templates],
            providers=[(one["id"], one["providerName"]) for one in providers if one["isActive"]],
            policies=list(POLICIES.items()),
        )

    @router.get("/new")
    async def begin(visit: Visitor, template: str = "") -> Response:
        return await content_page(visit, {"templateId": template})

    @router.post("")
    async def create(visit: Visitor, sent: Sent) -> Response:
        try:
            made = (await visit.do("POST", at, sent.filled(*_FIELDS))).data
        except Problem as problem:
            if problem.status != 422:
                raise
            return await content_page(visit, sent.values, problem=problem)
        return visit.go(f"/notification{at}/{made['id']}/audience")

    @router.get("/{campaign_id}/edit")
    async def edit(visit: Visitor, campaign_id: UUID) -> Response:
        campaign = (await visit.get(f"{at}/{campaign_id}")).data
        return await content_page(visit, campaign, campaign)

    @router.post("/{campaign_id}/edit")
    async def change(visit: Visitor, sent: Sent, campaign_id: UUID) -> Response:
        try:
            await visit.do("PATCH", f"{at}/{campaign_id}", {name: sent[name] or None for name in _FIELDS})
        except Problem as problem:
            if problem.status not in (409, 422):
                raise
            campaign = (await visit.get(f"{at}/{campaign_id}")).data
            return await content_page(visit, sent.values, campaign, problem)
        return visit.go(f"/notification{at}/{campaign_id}/audience")

    async def audience_page(visit: Visit, campaign: Json, choice: Choice, errors: dict[str, str]) -> Response:
        shown = await counted(visit, choice, errors)
        return visit.show(
            "drafts/audience.html", 422 if errors else 200, words=words, campaign=campaign, modes=MODES, **shown
        )

    @router.get("/{campaign_id}/audience")
    async def choose(visit: Visitor, campaign_id: UUID) -> Response:
        campaign = (await visit.get(f"{at}/{campaign_id}")).data
        return await audience_page(visit, campaign, choice_of_filter(campaign["audienceFilter"]), {})

    @router.post("/{campaign_id}/audience/part")
    async def count(visit: Visitor, sent: Sent, campaign_id: UUID) -> Response:
        shown = await counted(visit, choice_of_form(sent), {})
        return Response(visit.render("drafts/choosing.html", modes=MODES, **shown), media_type="text/html")

    @router.post("/{campaign_id}/audience")
    async def save(visit: Visitor, sent: Sent, campaign_id: UUID) -> Response:
        campaign = (await visit.get(f"{at}/{campaign_id}")).data
        choice = choice_of_form(sent)
        if sent["intent"] != "save":
            return await audience_page(visit, campaign, choice, {})
        try:
            await visit.do("PATCH", f"{at}/{campaign_id}", {"audienceFilter": filter_of(choice)})
        except Problem as problem:
            if problem.status not in (409, 422):
                raise
            return await audience_page(visit, campaign, choice, field_errors(problem))
        except ValueError as error:
            return await audience_page(visit, campaign, choice, {"audienceFilter": f"is not JSON: {error}"})
        return visit.go(f"/notification{at}/{campaign_id}/review")

    return router


async def counted(visit: Visit, choice: Choice, errors: dict[str, str]) -> dict[str, Any]:
    """The choice with how many people it finds, and some of them; else with what is wrong with it."""
    found: Json | None = None
    try:
        body = {"audienceFilter": filter_of(choice)}
        found = (await visit.do("POST", "/audience/preview", body)).data
    except Problem as problem:
        if problem.status != 422:
            raise
        errors = errors or field_errors(problem)
    except ValueError as error:
        errors = errors or {"audienceFilter": f"is not JSON: {error}"}
    sample = found["sample"] if found else []
    attributes = sorted({f"attributes.{name}" for one in sample for name in one["attributes"] or {}})
    used = [line.field for line in choice.conditions if line.field.startswith("attributes.")]
    return {
        "choice": choice,
        "found": found,
        "errors": errors,
        "fields": [(name, FIELD_WORDS[name]) for name in FIELDS]
        + [(name, name.removeprefix("attributes.")) for name in dict.fromkeys([*attributes, *used])],
        "operators": list(OPERATOR_WORDS.items()),
    }
