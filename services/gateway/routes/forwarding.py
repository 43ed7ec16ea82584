"""Every endpoint that another service answers: one route per line of the table of endpoints."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse

from contracts.http.endpoints import BASE, ENDPOINTS, Endpoint
from services.gateway.domain.requests import request_hash
from services.gateway.handlers.composing import Asked, compose, require_campaign
from services.gateway.handlers.once import do_once
from services.gateway.handlers.owners import Owners
from services.gateway.routes.entrance import Entrance
from services.gateway.routes.messages import WRITES, IdempotencyKey, id_in, read_body, response_of, target_of
from services.gateway.routes.visits import visit_of
from services.gateway.settings import GatewaySettings
from services.gateway.store.answers import Answer
from shared.database import Database


def forwarding_routes(database: Database, entrance: Entrance, owners: Owners, settings: GatewaySettings) -> APIRouter:
    """Every endpoint that another service answers."""
    router = APIRouter(prefix=BASE)

    def asked(request: Request, user_id: str, body: bytes) -> Asked:
        query = request.url.query
        return Asked(database, owners, user_id, request.url.path, request.path_params, query, body)

    def route(endpoint: Endpoint) -> Callable[..., Awaitable[Response]]:
        async def forward(request: Request, idempotency_key: IdempotencyKey = None) -> Response:
            caller = await entrance.enter(request, endpoint.scope)
            target, headers = target_of(request), request.headers
            if endpoint.of_campaign and (absent := await require_campaign(asked(request, caller.user_id, b""))):
                return response_of(absent)
            if endpoint.downloads:
                download = await owners.download(endpoint.owner, target, caller.user_id, headers)
                return StreamingResponse(download.pieces, download.status, download.headers)
            if endpoint.streams:
                pieces: AsyncIterator[bytes] = request.stream()
                return response_of(
                    await owners.stream(endpoint.owner, endpoint.method, target, caller.user_id, headers, pieces)
                )
            body = await read_body(request, settings.body_bytes_max)

            async def do() -> Answer:
                if endpoint.composed:
                    return await compose(endpoint.composed, asked(request, caller.user_id, body))
                return await owners.ask(endpoint.owner, endpoint.method, target, caller.user_id, headers, body)

            once = idempotency_key if endpoint.method in WRITES else None
            digest = request_hash(endpoint.method, target, body)
            answer = await do_once(database, caller.user_id, once, digest, do)
            visit_of(request).made_id = id_in(answer) if answer.status == 201 else None
            return response_of(answer)

        return forward

    for endpoint in ENDPOINTS:
        router.add_api_route(
            endpoint.path,
            route(endpoint),
            methods=[endpoint.method],
            status_code=endpoint.status,
            summary=endpoint.summary,
            tags=[endpoint.tag],
            operation_id=_operation(endpoint),
            openapi_extra=_described(endpoint),
            response_class=Response,
        )
    return router


def _operation(endpoint: Endpoint) -> str:
    words = [part.strip("{}") for part in endpoint.path.split("/") if part]
    return "_".join([endpoint.method.lower(), *words])


def _described(endpoint: Endpoint) -> dict[str, Any]:
    described: dict[str, Any] = {"security": [{"apiKey": []}], "x-scope": endpoint.scope}
    names = [part[1:-1] for part in endpoint.path.split("/") if part.startswith("{")]
    if names:
        described["parameters"] = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names
        ]
    if endpoint.streams:
        content = {kind: {"schema": {"type": "string"}} for kind in ("text/csv", "application/x-ndjson")}
        described["requestBody"] = {"required": True, "content": content}
    elif endpoint.body is not None:
        schema = {"$ref": f"#/components/schemas/{endpoint.body.__name__}"}
        described["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    answers = {"401": "Not signed in", "403": "Not allowed", "404": "Not there", "422": "Invalid input"}
    described["responses"] = {
        status: {"description": text, "content": problem} for status, text in (answers | {"503": "Try again"}).items()
    }
    return described
