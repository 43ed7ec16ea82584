"""For those who have no key: providers, apps, and operators of the fleet."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from pydantic import AwareDatetime, Field

from contracts.http.endpoints import BASE, KEY_SCOPES
from contracts.http.model import Model
from services.gateway.domain.keys import unknown_scopes
from services.gateway.handlers.keys import create_key
from services.gateway.handlers.owners import Owners
from services.gateway.routes.entrance import Entrance
from services.gateway.routes.messages import read_body, response_of, target_of
from shared.codec import now
from shared.database import Database
from shared.http import Problem

CALLBACK_BYTES_MAX = 65_536


class KeyWrite(Model):
    """A new API key."""

    user_id: Annotated[str, Field(min_length=1, max_length=100)]
    name: Annotated[str, Field(min_length=1, max_length=200)] = "key"
    scopes: Annotated[list[str], Field(default_factory=lambda: list(KEY_SCOPES))]
    expires_at: AwareDatetime | None = None


def outside_routes(database: Database, entrance: Entrance, owners: Owners) -> APIRouter:
    """Callbacks and reports, passed on as they came, and what wants the fleet's own token."""
    router = APIRouter()

    async def stranger(request: Request) -> Response:
        body = await read_body(request, CALLBACK_BYTES_MAX)
        passed = [(n.decode("latin-1"), v.decode("latin-1")) for n, v in request.scope["headers"] if n != b"host"]
        return response_of(await owners.forward("delivery_receipt", request.method, target_of(request), passed, body))

    for path in ("/callbacks/{provider}/{account}", "/t/{token}/{kind}"):
        router.add_api_route(f"{BASE}{path}", stranger, methods=["GET", "POST"], include_in_schema=False)

    def fleet_only(request: Request) -> None:
        if not entrance.is_fleet(request):
            raise Problem(401, "Not for you")

    @router.post("/internal/keys", status_code=201, include_in_schema=False)
    async def add_key(body: KeyWrite, request: Request) -> dict[str, Any]:
        fleet_only(request)
        if unknown := unknown_scopes(body.scopes):
            raise Problem(422, "Invalid input", errors=[{"field": "scopes", "message": f"unknown: {unknown}"}])
        expires_at: datetime | None = body.expires_at
        if expires_at is not None and expires_at <= now():
            raise Problem(422, "Invalid input", errors=[{"field": "expiresAt", "message": "must be in the future"}])
        key = await create_key(database, body.user_id, body.name, body.scopes, expires_at)
        return {"data": {"apiKey": key, "userId": body.user_id, "scopes": body.scopes}}

    @router.post("/internal/reconcile", include_in_schema=False)
    async def reconcile(request: Request) -> Response:
        fleet_only(request)
        return response_of(await owners.ask("dispatcher", "POST", "/internal/reconcile", "fleet", {}, b""))

    return router
