"""What a test of a campaign would send; the gateway asks, and sends it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec
from fastapi import APIRouter, Request, Response

from contracts.channels import Channel
from contracts.content import ContentError
from contracts.http.plans import Trial
from services.audience.handlers.testing import Tested, try_on
from services.audience.routes.bodies import read_json
from shared.database import TenantDatabase
from shared.http import CurrentUser, Problem


def make_router(database: TenantDatabase, channel: Channel, link_base_url: str) -> APIRouter:
    """The route `/internal/{channel}/campaigns/{id}/test`."""
    router = APIRouter(prefix=f"/internal/{channel.name}/campaigns")

    @router.post("/{campaign_id}/test")
    async def test(request: Request, campaign_id: UUID, user_id: CurrentUser) -> Response:
        try:
            asked = msgspec.convert(await read_json(request), Trial)
            if asked.plan.content is None:
                raise Problem(422, "Invalid input", errors=[{"field": "content", "message": "is required"}])
            async with database.transaction() as connection:
                found = await try_on(
                    connection, user_id, channel, asked.plan.content, asked.plan, asked.recipients, link_base_url
                )
        except msgspec.ValidationError as error:
            raise Problem(422, "Invalid input", str(error)) from None
        except ContentError as error:
            raise Problem(422, "Invalid input", errors=[{"field": "content", "message": str(error)}]) from None
        errors = [
            {"field": ".".join(filter(None, ("recipients", str(number), one.problem[0]))), "message": one.problem[1]}
            for number, one in enumerate(found)
            if one.problem is not None
        ]
        if errors:
            raise Problem(422, "Invalid input", errors=errors)
        return Response(msgspec.json.encode({"data": [_as_json(one) for one in found]}), media_type="application/json")

    return router


def _as_json(tested: Tested) -> dict[str, Any]:
    return {
        "customerId": tested.addressee.customer_id,
        "address": tested.addressee.address,
        "variables": tested.variables,
        "excluded": tested.excluded,
        "sample": tested.sample,
    }
