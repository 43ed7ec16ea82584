"""API keys of a tenant; only its admins manage them, so no key makes one that may more than itself."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response

from contracts.http.access import KeyRotation, KeyWrite
from contracts.http.endpoints import BASE
from services.gateway.domain.keys import ApiKey
from services.gateway.routes.entrance import Entrance
from services.gateway.routes.repeating import repeating_router
from services.gateway.routes.visits import visit_of
from services.gateway.store.keys import find_keys
from shared.codec import now
from shared.database import TenantDatabase
from shared.http import Limit, Problem, page_by_id, read_cursor


def key_routes(database: TenantDatabase, entrance: Entrance) -> APIRouter:
    """List, make, rotate, revoke."""
    router = repeating_router(entrance, f"{BASE}/api-keys", "api-keys")

    @router.get("", summary="API keys, without their secrets")
    async def read_all(request: Request, limit: Limit = 100, cursor: str | None = None) -> dict[str, Any]:
        caller = await entrance.enter(request, "admin")
        async with database.transaction() as connection:
            found = await find_keys(connection, caller.user_id, read_cursor(cursor), limit + 1)
        return page_by_id(found, limit, show_key)

    @router.post("", status_code=201, summary="Make an API key; it is shown this once")
    async def add(body: KeyWrite, request: Request) -> dict[str, Any]:
        caller = await entrance.enter(request, "admin")
        if body.expires_at is not None and body.expires_at <= now():
            raise Problem(422, "Invalid input", errors=[{"field": "expiresAt", "message": "must be in the future"}])
        visit = visit_of(request)
        key, shown_once = await entrance.keys.create(
            visit.effect_id, caller.user_id, caller.people, body.name, list(body.scopes), body.expires_at
        )
        visit.made_id = str(key.id)
        return {"data": show_key(key) | {"apiKey": shown_once}}

    @router.post("/{id}/rotate", summary="Give an API key a new secret; the old one works on for a while")
    async def rotate(id: UUID, body: KeyRotation, request: Request) -> dict[str, Any]:
        caller = await entrance.enter(request, "admin")
        overlap = timedelta(hours=body.overlap_hours)
        rotation_id = visit_of(request).effect_id
        key, shown_once = await entrance.keys.rotate(rotation_id, caller.user_id, caller.people, id, overlap)
        return {"data": show_key(key) | {"apiKey": shown_once}}

    @router.delete("/{id}", status_code=204, summary="Revoke an API key")
    async def revoke(id: UUID, request: Request) -> Response:
        caller = await entrance.enter(request, "admin")
        await entrance.keys.revoke(caller.user_id, id)
        return Response(status_code=204)

    return router


def show_key(key: ApiKey) -> dict[str, Any]:
    """A key as the API shows it."""
    return {
        "id": str(key.id),
        "userId": key.user_id,
        "name": key.name,
        "prefix": key.prefix,
        "scopes": key.scopes,
        "createdAt": key.created_at,
        "expiresAt": key.expires_at,
        "revokedAt": key.revoked_at,
        "lastUsedAt": key.last_used_at,
        "previousUntil": key.previous_until,
    }
