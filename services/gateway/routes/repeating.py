"""Writes of the gateway's own things: one effect and one answer for each Idempotency-Key."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from fastapi.routing import APIRoute

from contracts.http.described.operations import OPERATIONS
from contracts.http.endpoints import BASE
from services.gateway.domain.audit import actor_of
from services.gateway.domain.requests import Sent
from services.gateway.handlers.once import Once
from services.gateway.routes.entrance import Entrance
from services.gateway.routes.messages import WRITES, IdempotencyKey, answered, target_of
from services.gateway.routes.visits import visit_of
from services.gateway.store.answers import Answer
from shared.database import TenantDatabase


def repeating_router(entrance: Entrance, path: str, tag: str) -> APIRouter:
    """A router for one kind of thing, whose writes may be sent again by whoever has sent them."""
    once = Once(TenantDatabase(entrance.database), entrance.settings.secrets_key)

    class Repeating(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            handle = super().get_route_handler()

            async def repeat(request: Request) -> Response:
                key = request.headers.get("idempotency-key")
                if key is None or request.method not in WRITES:
                    return await handle(request)
                # Before the answer to somebody else's request is repeated.
                caller = await entrance.enter(request, scope_of(request))
                visit = visit_of(request)

                async def do(effect_id: UUID) -> Answer:
                    visit.effect_id = effect_id
                    response = await handle(request)
                    return Answer(response.status_code, response.headers.get("content-type", ""), bytes(response.body))

                by = actor_of(caller)
                path, target, body = request.url.path, target_of(request), await request.body()
                sent = Sent(request.method, path, target, body, f"{by.kind} {by.id}")
                return answered(visit, await once.do(caller.user_id, key, sent, do))

            return repeat

    return APIRouter(prefix=path, tags=[tag], route_class=Repeating, dependencies=[Depends(_takes_key)])


def scope_of(request: Request) -> str:
    """What the operation takes, by its description."""
    path = request.scope["route"].path.removeprefix(BASE)
    scope = OPERATIONS[f"{request.method} {path}"].scope
    assert scope is not None
    return scope


async def _takes_key(idempotency_key: IdempotencyKey = None) -> None:
    """Says in the description that the key is taken."""
