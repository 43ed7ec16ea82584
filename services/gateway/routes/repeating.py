"""Writes of the gateway's own things: one effect and one answer for each Idempotency-Key."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.routing import APIRoute

from contracts.http.described.operations import OPERATIONS
from contracts.http.endpoints import BASE
from services.gateway.domain.requests import request_hash
from services.gateway.handlers.once import do_once
from services.gateway.routes.entrance import Entrance
from services.gateway.routes.messages import WRITES, IdempotencyKey, target_of
from services.gateway.store.answers import Answer
from shared.database import TenantDatabase
from shared.security import seal


def repeating_router(entrance: Entrance, path: str, tag: str) -> APIRouter:
    """A router for one kind of thing, whose writes may be sent again.

    Answers are kept sealed, because there are links and keys in them that are stored nowhere else. A refusal is not
    kept: it had no effect, and is decided anew.
    """
    database = TenantDatabase(entrance.database)

    class Repeating(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            handle = super().get_route_handler()

            async def once(request: Request) -> Response:
                key = request.headers.get("idempotency-key")
                if key is None or request.method not in WRITES:
                    return await handle(request)
                # Before the answer to somebody else's request is repeated.
                caller = await entrance.enter(request, scope_of(request))
                keeper = seal(entrance.settings.secrets_key.get_secret_value())

                async def do() -> Answer:
                    response = await handle(request)
                    kept = keeper.close({"body": bytes(response.body).decode()})
                    return Answer(response.status_code, response.headers.get("content-type", ""), kept)

                digest = request_hash(request.method, target_of(request), await request.body())
                answer = await do_once(database, caller.user_id, key, digest, do)
                body = str(keeper.open(answer.body)["body"])
                return Response(body, answer.status, media_type=answer.content_type or None)

            return once

    return APIRouter(prefix=path, tags=[tag], route_class=Repeating, dependencies=[Depends(_takes_key)])


def scope_of(request: Request) -> str:
    """What the operation takes, by its description."""
    path = request.scope["route"].path.removeprefix(BASE)
    scope = OPERATIONS[f"{request.method} {path}"].scope
    assert scope is not None
    return scope


async def _takes_key(idempotency_key: IdempotencyKey = None) -> None:
    """Says in the description that the key is taken."""
