"""Why a customer is in or out of a campaign; the gateway asks, and adds what became of the message."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any
from uuid import UUID

import msgspec
from fastapi import APIRouter, Request, Response

from contracts.channels import Channel
from contracts.events import Content
from contracts.http.plans import CampaignPlan
from services.audience.handlers.explaining import Explanation, explain_customer
from services.audience.routes.bodies import read_json
from services.audience.store.explaining import Launch
from shared.codec import now
from shared.database import TenantDatabase
from shared.http import CurrentUser, Problem


def make_router(database: TenantDatabase, channel: Channel) -> APIRouter:
    """The route `/internal/{channel}/campaigns/{id}/explain`."""
    router = APIRouter(prefix=f"/internal/{channel.name}/campaigns")

    @router.post("/{campaign_id}/explain")
    async def explain(request: Request, campaign_id: UUID, customerId: str, user_id: CurrentUser) -> Response:
        try:
            plan = msgspec.convert(await read_json(request), CampaignPlan)
        except msgspec.ValidationError as error:
            raise Problem(422, "Invalid input", str(error)) from None
        asked = Launch(plan.category, plan.content or Content(body=""), plan.audience_filter, now())
        async with database.transaction() as connection:
            found = await explain_customer(connection, user_id, channel, campaign_id, customerId, asked)
        if found is None:
            raise Problem(404, "There is no such customer")
        return Response(msgspec.json.encode({"data": _as_json(found)}), media_type="application/json")

    return router


def _as_json(explanation: Explanation) -> dict[str, Any]:
    return {
        "decision": explanation.decision,
        "certain": explanation.certain,
        "launchedAt": explanation.launched_at,
        "evaluatedAt": explanation.evaluated_at,
        "rules": [asdict(rule) for rule in explanation.rules],
        "addresses": explanation.addresses,
        "consentChanges": explanation.consent_changes,
    }
