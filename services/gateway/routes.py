"""The public API: one route per line of the table of endpoints, and the few that the gateway answers itself."""

from __future__ import annotations

import hmac
import html
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, FastAPI, Header, Request, Response
from fastapi.responses import HTMLResponse
from pydantic import AwareDatetime, Field

from contracts.channels import CHANNELS
from contracts.http.endpoints import BASE, ENDPOINTS, SCOPES, Endpoint
from contracts.http.model import Model
from contracts.http.sending import SendWrite
from services.gateway.domain import ApiKey, request_hash, unknown_scopes
from services.gateway.handlers import Keys, Owners, create_key, do_once, request_sends
from services.gateway.settings import GatewaySettings
from services.gateway.store import Answer
from shared.codec import now
from shared.database import TenantDatabase, ask_for
from shared.http import Problem

WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
CALLBACK_BYTES_MAX = 65_536

IdempotencyKey = Annotated[str | None, Header(description="A repeated write with the same key has one effect.")]


class KeyWrite(Model):
    """A new API key."""

    user_id: Annotated[str, Field(min_length=1, max_length=100)]
    name: Annotated[str, Field(min_length=1, max_length=200)] = "key"
    scopes: Annotated[list[str], Field(default_factory=lambda: list(SCOPES))]
    expires_at: AwareDatetime | None = None


async def _entry(request: Request, keys: Keys, scope: str) -> ApiKey:
    """The caller, if they may; the tenant that a query names must be their own."""
    key = await keys.find(request.headers.get("authorization"))
    if not key.allows(scope):
        raise Problem(403, "Not allowed", f"this key has no scope {scope}")
    named = request.query_params.get("userId")
    if named is not None and named != key.user_id:
        raise Problem(403, "Not allowed", "userId is not the key's")
    ask_for(key.user_id)
    return key


async def _body(request: Request, bytes_max: int) -> bytes:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > bytes_max:
            raise Problem(413, "Too large", f"at most {bytes_max} bytes are taken; use an import for more")
    return bytes(body)


def _target(request: Request) -> str:
    raw: bytes = request.scope.get("raw_path") or request.scope["path"].encode()
    query: bytes = request.scope["query_string"]
    if b"%00" in raw or b"%00" in query:
        raise Problem(422, "Invalid input", "path and query must not hold the character NUL (%00)")
    return raw.decode("latin-1") + (f"?{query.decode('latin-1')}" if query else "")


def _response(answer: Answer) -> Response:
    headers = {"content-type": answer.content_type} if answer.content_type else None
    return Response(answer.body if answer.status != 204 else None, answer.status, headers)


def forwarding_routes(database: TenantDatabase, keys: Keys, owners: Owners, settings: GatewaySettings) -> APIRouter:
    """Every endpoint that another service answers."""
    router = APIRouter(prefix=BASE)

    def route(endpoint: Endpoint) -> Callable[..., Awaitable[Response]]:
        async def forward(request: Request, idempotency_key: IdempotencyKey = None) -> Response:
            key = await _entry(request, keys, endpoint.scope)
            target, headers = _target(request), request.headers
            if endpoint.streams:
                pieces: AsyncIterator[bytes] = request.stream()
                return _response(
                    await owners.stream(endpoint.owner, endpoint.method, target, key.user_id, headers, pieces)
                )
            body = await _body(request, settings.body_bytes_max)

            async def do() -> Answer:
                return await owners.ask(endpoint.owner, endpoint.method, target, key.user_id, headers, body)

            once = idempotency_key if endpoint.method in WRITES else None
            digest = request_hash(endpoint.method, target, body)
            return _response(await do_once(database, key.user_id, once, digest, do))

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


def own_routes(database: TenantDatabase, keys: Keys, owners: Owners, settings: GatewaySettings) -> APIRouter:
    """What the gateway answers itself."""
    router = APIRouter()

    @router.post(f"{BASE}/send", status_code=202, tags=["send"], summary="Send to single people")
    async def send(body: SendWrite, request: Request, idempotency_key: IdempotencyKey = None) -> Response:
        key = await _entry(request, keys, "send")

        async def do() -> Answer:
            shown = await request_sends(database, key.user_id, body)
            return Answer(202, "application/json", json.dumps({"data": shown}).encode())

        digest = request_hash("POST", f"{BASE}/send", body.model_dump_json().encode())
        return _response(await do_once(database, key.user_id, idempotency_key, digest, do))

    for name in CHANNELS:

        @router.get(
            f"{BASE}/{name}/campaigns/{{id}}/verification",
            tags=["verification"],
            summary="What ledger, event log and aggregates say, side by side",
            operation_id=f"verify_{name}_campaign",
        )
        async def verification(id: UUID, request: Request) -> Response:
            key = await _entry(request, keys, "read")
            path = request.scope["path"].removesuffix("/verification")
            ledger = await owners.ask("dispatcher", "GET", f"{path}/accounting", key.user_id, {}, b"")
            if ledger.status != 200:
                return _response(ledger)
            totals = await owners.ask("analytics", "GET", f"/internal/event-totals/{id}", key.user_id, {}, b"")
            if totals.status != 200:
                return _response(totals)
            data = {"ledger": json.loads(ledger.body)["data"], **json.loads(totals.body)["data"]}
            return Response(json.dumps({"data": data}), media_type="application/json")

    async def stranger(request: Request) -> Response:
        body = await _body(request, CALLBACK_BYTES_MAX)
        passed = [(n.decode("latin-1"), v.decode("latin-1")) for n, v in request.scope["headers"] if n != b"host"]
        return _response(await owners.forward("delivery_receipt", request.method, _target(request), passed, body))

    for path in ("/callbacks/{provider}/{account}", "/t/{token}/{kind}"):
        router.add_api_route(f"{BASE}{path}", stranger, methods=["GET", "POST"], include_in_schema=False)

    def fleet_only(request: Request) -> None:
        expected = f"Bearer {settings.internal_token.get_secret_value()}".encode()
        if not hmac.compare_digest(request.headers.get("authorization", "").encode(), expected):
            raise Problem(401, "Not for you")

    @router.post("/internal/keys", status_code=201, include_in_schema=False)
    async def add_key(body: KeyWrite, request: Request) -> dict[str, Any]:
        fleet_only(request)
        if unknown := unknown_scopes(body.scopes):
            raise Problem(422, "Invalid input", errors=[{"field": "scopes", "message": f"unknown: {unknown}"}])
        expires_at: datetime | None = body.expires_at
        if expires_at is not None and expires_at <= now():
            raise Problem(422, "Invalid input", errors=[{"field": "expiresAt", "message": "must be in the future"}])
        ask_for(body.user_id)
        key = await create_key(database, body.user_id, body.name, body.scopes, expires_at)
        return {"data": {"apiKey": key, "userId": body.user_id, "scopes": body.scopes}}

    @router.post("/internal/reconcile", include_in_schema=False)
    async def reconcile(request: Request) -> Response:
        fleet_only(request)
        return _response(await owners.ask("dispatcher", "POST", "/internal/reconcile", "fleet", {}, b""))

    return router


def describe(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document: FastAPI's, with the bodies that other services read."""
    from fastapi.openapi.utils import get_openapi

    document = get_openapi(title=app.title, version=app.version, routes=app.routes)
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for model in {endpoint.body for endpoint in ENDPOINTS if endpoint.body is not None}:
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas |= schema.pop("$defs", {})
        schemas[model.__name__] = schema
    error = {"type": "object", "properties": {"field": {"type": "string"}, "message": {"type": "string"}}}
    schemas["Problem"] = {
        "type": "object",
        "required": ["type", "title", "status"],
        "properties": {
            "type": {"type": "string"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
            "errors": {"type": "array", "items": error},
        },
    }
    for name in ("HTTPValidationError", "ValidationError"):  # FastAPI's own; we answer problems
        schemas.pop(name, None)
    for operation in (one for path in document["paths"].values() for one in path.values()):
        operation["responses"].get("422", {}).get("content", {}).pop("application/json", None)
    document["components"]["schemas"] = dict(sorted(schemas.items()))
    document["components"]["securitySchemes"] = {"apiKey": {"type": "http", "scheme": "bearer"}}
    return document


def docs_page(document: dict[str, Any]) -> HTMLResponse:
    """The operations as a page that needs nothing from elsewhere."""
    rows = "".join(
        f"<tr><td><code>{method.upper()}</code></td><td><code>{html.escape(path)}</code></td>"
        f"<td>{html.escape(operation.get('summary', ''))}</td><td>{html.escape(operation.get('x-scope', ''))}</td></tr>"
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    )
    return HTMLResponse(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        f"<title>{html.escape(document['info']['title'])}</title>"
        "<style>body{font:16px/1.5 system-ui;margin:2rem;color-scheme:light dark}td{padding:.2rem .8rem}</style>"
        f"<h1>{html.escape(document['info']['title'])}</h1><p>The whole description: <a href=/openapi.json>openapi.json"
        f"</a></p><table><tr><th>Method<th>Path<th>Does<th>Scope</tr>{rows}</table></html>"
    )
