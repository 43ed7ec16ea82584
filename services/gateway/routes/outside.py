"""For those who have no key: providers, apps, and operators of the fleet."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from pydantic import Field

from contracts.http.access import KeyWrite
from contracts.http.endpoints import BASE
from contracts.links import TRACKED_PATH
from services.gateway.handlers.owners import Owners
from services.gateway.routes.entrance import Entrance
from services.gateway.routes.keys import check_expiry, show_key
from services.gateway.routes.messages import read_body, refuse_nul, response_of, target_of
from shared.database import ask_for
from shared.http import Problem

CALLBACK_BYTES_MAX = 65_536

_OF_THE_HOP = frozenset(
    {"host", "connection", "content-length", "expect", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"}
)
"""Headers about one connection only (RFC 9110, 7.6.1): on the next one the client states its own."""


class OperatorsKeyWrite(KeyWrite):
    """A new API key of any tenant."""

    user_id: Annotated[str, Field(min_length=1, max_length=100)]


def outside_routes(entrance: Entrance, owners: Owners) -> APIRouter:
    """Callbacks and reports, passed on as they came, and what wants the fleet's own token."""
    router = APIRouter()

    async def stranger(request: Request) -> Response:
        refuse_nul(request)
        body = await read_body(request, CALLBACK_BYTES_MAX)
        passed = [(name, value) for name, value in request.headers.items() if name not in _OF_THE_HOP]
        return response_of(await owners.forward("delivery_receipt", request.method, target_of(request), passed, body))

    for path in ("/callbacks/{provider}/{account}", "/t/{token}/{kind}"):
        router.add_api_route(f"{BASE}{path}", stranger, methods=["GET", "POST"], include_in_schema=False)
    for prefix in (TRACKED_PATH, f"{BASE}{TRACKED_PATH}"):
        router.add_api_route(f"{prefix}{{code}}", stranger, methods=["GET", "HEAD"], include_in_schema=False)

    def fleet_only(request: Request) -> None:
        if not entrance.is_fleet(request):
            raise Problem(401, "Not for you")

    @router.post("/internal/keys", status_code=201, include_in_schema=False)
    async def add_key(body: OperatorsKeyWrite, request: Request) -> dict[str, Any]:
        fleet_only(request)
        check_expiry(body)
        ask_for(body.user_id)
        key, shown_once = await entrance.keys.create(
            body.user_id, frozenset(), body.name, list(body.scopes), body.expires_at
        )
        return {"data": show_key(key) | {"apiKey": shown_once}}

    @router.post("/internal/reconcile", include_in_schema=False)
    async def reconcile(request: Request) -> Response:
        fleet_only(request)
        return response_of(await owners.ask("dispatcher", "POST", "/internal/reconcile", "fleet", {}, b""))

    return router
