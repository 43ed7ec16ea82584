"""Forecasts and sizes of campaigns; the gateway asks, with the plan that the campaign's service has told it."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import msgspec
from fastapi import APIRouter, Request, Response

from contracts.channels import Channel
from contracts.content import ContentError
from contracts.events import Content
from contracts.http.plans import CampaignPlan
from contracts.links import with_sample_links
from services.audience.domain.forecasts import Texts
from services.audience.handlers.forecasting import forecast_campaign, wait_for_forecast
from services.audience.routes.bodies import read_filter, read_json, read_object
from services.audience.settings import AudienceSettings
from services.audience.store.additions import count_added
from services.audience.store.customers import count_matching
from services.audience.store.filters import FilterError, compile_filter
from services.audience.store.forecasts import Forecast
from services.audience.store.imports import is_coming_in
from shared.database import TenantDatabase
from shared.http import CurrentUser, Problem


def make_router(
    database: TenantDatabase, settings: AudienceSettings, channel: Channel, work: asyncio.Event
) -> APIRouter:
    """The routes under `/internal/{channel}/campaigns/{id}/forecast`; `work` is set when there is one to run."""
    router = APIRouter(prefix=f"/internal/{channel.name}/campaigns")

    @router.post("/{campaign_id}/forecast")
    async def forecast(request: Request, campaign_id: UUID, user_id: CurrentUser, restart: bool = False) -> Response:
        plan, content = await _read_plan(request, channel, settings.link_base_url)
        fresh_seconds = 0.0 if restart else settings.forecast_fresh_seconds
        await forecast_campaign(
            database, campaign_id, user_id, channel, plan.category, content, plan.audience_filter, fresh_seconds
        )
        work.set()
        found = await wait_for_forecast(database, campaign_id, user_id, settings.forecast_wait_seconds)
        if found is None:
            raise Problem(409, "Not possible", "the forecast was cancelled, or another one took its place; ask again")
        body = msgspec.json.encode({"data": _as_json(found)})
        return Response(body, 202 if found.finished_at is None else 200, media_type="application/json")

    @router.post("/{campaign_id}/size")
    async def read_size(request: Request, campaign_id: UUID, user_id: CurrentUser) -> dict[str, Any]:
        body = await read_object(request)
        condition = read_filter(body.get("audienceFilter"))
        async with database.transaction() as connection:
            added = await count_added(connection, campaign_id, user_id, channel.name)
            growing = await is_coming_in(connection, user_id, campaign_id)
            found, _ = (0, []) if condition is None else await count_matching(connection, user_id, condition, 0)
        return {"data": {"found": found, "added": added, "growing": growing}}

    return router


async def _read_plan(request: Request, channel: Channel, link_base_url: str) -> tuple[CampaignPlan, Content]:
    """The plan, and its content with links as long as they will be."""
    try:
        plan = msgspec.convert(await read_json(request), CampaignPlan)
        if plan.content is None:
            raise Problem(422, "Invalid input", errors=[{"field": "content", "message": "is required"}])
        Texts.of(channel, plan.content)
        compile_filter(plan.audience_filter)
    except msgspec.ValidationError as error:
        raise Problem(422, "Invalid input", str(error)) from None
    except ContentError as error:
        raise Problem(422, "Invalid input", errors=[{"field": "content", "message": str(error)}]) from None
    except FilterError as error:
        raise Problem(422, "Invalid input", errors=[{"field": "audienceFilter", "message": str(error)}]) from None
    return plan, with_sample_links(plan.content, link_base_url)


def _as_json(forecast: Forecast) -> dict[str, Any]:
    tally = forecast.tally
    is_done = forecast.finished_at is not None
    return {
        "complete": is_done,
        "examined": forecast.audience,
        "audience": forecast.audience if is_done else None,
        "recipients": forecast.recipients,
        "exclusions": forecast.excluded,
        "segments": {"total": tally.segments, "histogram": dict(sorted(tally.histogram.items()))},
        "encodings": tally.encodings,
        "countries": [
            {"country": code, "recipients": country.recipients, "segments": country.segments}
            for code, country in sorted(tally.countries.items(), key=lambda item: (-item[1].recipients, item[0]))
        ],
        "missingVariables": tally.missing_variables,
        "tooLong": tally.too_long,
        "outliers": {
            "longest": tally.longest,
            "shortest": tally.shortest,
            "missing": tally.missing,
            "otherAlphabet": tally.other_alphabet,
            "next": tally.next,
        },
        "startedAt": forecast.started_at,
        "finishedAt": forecast.finished_at,
    }
