"""What the gateway answers for itself: single messages, and the books side by side."""

from __future__ import annotations

import json
from uuid import UUID

from fastapi import APIRouter, Request, Response

from contracts.channels import CHANNELS
from contracts.http.endpoints import BASE
from contracts.http.sending import SendWrite
from services.gateway.domain.requests import Sent, message_request_id
from services.gateway.handlers.once import Once
from services.gateway.handlers.owners import Owners
from services.gateway.handlers.sending import request_sends
from services.gateway.routes.entrance import Entrance
from services.gateway.routes.messages import IdempotencyKey, answered, read_json_body, response_of
from services.gateway.routes.visits import visit_of
from services.gateway.store.answers import Answer
from shared.database import TenantDatabase
from shared.http import read_shape


def own_routes(database: TenantDatabase, entrance: Entrance, owners: Owners) -> APIRouter:
    """What the gateway answers itself."""
    router = APIRouter()
    once = Once(database, entrance.settings.secrets_key)

    @router.post(f"{BASE}/send", status_code=202, tags=["send"], summary="Send to single people")
    async def send(request: Request, idempotency_key: IdempotencyKey = None) -> Response:
        caller = await entrance.enter(request, "send")
        body = read_shape(SendWrite, await read_json_body(request, entrance.settings.body_bytes_max))

        path = f"{BASE}/send"
        sent = Sent("POST", path, path, body.model_dump_json().encode())

        async def do(effect_id: UUID) -> Answer:
            for number, message in enumerate(body.messages):
                message.request_id = message.request_id or message_request_id(effect_id, number)
            async with database.transaction() as connection:
                shown = await request_sends(connection, caller.user_id, body)
            return Answer(202, "application/json", json.dumps({"data": shown}).encode())

        return answered(visit_of(request), await once.do(caller.user_id, idempotency_key, sent, do))

    for name in CHANNELS:

        @router.get(
            f"{BASE}/{name}/campaigns/{{id}}/verification",
            tags=["verification"],
            summary="What ledger, event log and aggregates say, side by side",
            operation_id=f"verify_{name}_campaign",
        )
        async def verification(id: UUID, request: Request) -> Response:
            caller = await entrance.enter(request, "read")
            path = request.scope["path"].removesuffix("/verification")
            ledger = await owners.ask("dispatcher", "GET", f"{path}/accounting", caller.user_id, {}, b"")
            if ledger.status != 200:
                return response_of(ledger)
            totals = await owners.ask("analytics", "GET", f"/internal/event-totals/{id}", caller.user_id, {}, b"")
            if totals.status != 200:
                return response_of(totals)
            data = {"ledger": json.loads(ledger.body)["data"], **json.loads(totals.body)["data"]}
            return Response(json.dumps({"data": data}), media_type="application/json")

    return router
