"""For those who have no key: providers, apps, and operators of the fleet."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from contracts.http.endpoints import BASE
from contracts.links import TRACKED_PATH
from services.gateway.handlers.owners import Owners
from services.gateway.routes.entrance import Entrance
from services.gateway.routes.messages import read_body, refuse_nul, response_of, target_of
from shared.http import Problem

CALLBACK_BYTES_MAX = 65_536

_OF_THE_HOP = frozenset(
    {"host", "connection", "content-length", "expect", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"}
)
"""Headers about one connection only (RFC 9110, 7.6.1): on the next one the client states its own."""


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

    @router.post("/internal/reconcile", include_in_schema=False)
    async def reconcile(request: Request) -> Response:
        if not entrance.is_fleet(request):
            raise Problem(401, "Not for you")
        return response_of(await owners.ask("dispatcher", "POST", "/internal/reconcile", "fleet", {}, b""))

    return router
