"""Every endpoint that another service answers: one route per line of the table of endpoints."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from uuid import UUID

import msgspec
from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse

from contracts.http.described.operations import OPERATIONS
from contracts.http.endpoints import BASE, ENDPOINTS, Endpoint, has_text_id
from services.gateway.domain.access import Caller
from services.gateway.domain.audit import deed_of
from services.gateway.domain.masking import without_addresses
from services.gateway.domain.requests import Sent
from services.gateway.handlers.approvals import Approvals, Launch
from services.gateway.handlers.asking import Asked
from services.gateway.handlers.composing import compose, require_campaign
from services.gateway.handlers.once import Once
from services.gateway.handlers.owners import Owners
from services.gateway.routes.approvals import answer_of
from services.gateway.routes.entrance import Entrance
from services.gateway.routes.guesses import check_guess, guarded_target
from services.gateway.routes.messages import (
    WRITES,
    IdempotencyKey,
    answered,
    read_body,
    read_json_body,
    response_of,
)
from services.gateway.routes.visits import visit_of
from services.gateway.store.answers import Answer
from shared.database import TenantDatabase
from shared.http import Problem
from shared.ids import new_id

IMPORT_BYTES_MAX = 4 << 30
"""Of a file, which is passed on as it comes: 1,000,000 rows of 4 KiB."""


def forwarding_routes(database: TenantDatabase, entrance: Entrance, owners: Owners, approvals: Approvals) -> APIRouter:
    """Every endpoint that another service answers."""
    router = APIRouter(prefix=BASE)

    once = Once(database, entrance.settings.secrets_key)

    def asked(request: Request, user_id: str, body: bytes, effect_id: UUID | None = None) -> Asked:
        path, query = request.url.path, request.url.query
        return Asked(database, owners, user_id, path, request.path_params, query, body, effect_id or new_id())

    def route(endpoint: Endpoint) -> Callable[..., Awaitable[Response]]:
        read = read_json_body if takes_json(endpoint) else read_body

        async def forward(request: Request, idempotency_key: IdempotencyKey = None) -> Response:
            caller = await entrance.enter(request, endpoint.scope)
            check_ids(request, endpoint)
            target, headers = guarded_target(request, caller), request.headers
            if endpoint.of_campaign and (absent := await require_campaign(asked(request, caller.user_id, b""))):
                return response_of(absent)
            if endpoint.downloads:
                await allow_download(request, caller)
                download = await owners.download(endpoint.owner, target, caller.user_id, headers)
                return StreamingResponse(download.pieces, download.status, download.headers)
            body = b"" if endpoint.streams else await read(request, entrance.settings.body_bytes_max)
            await check_guess(entrance, request, caller, body)
            if endpoint.of_campaign and endpoint.method == "POST":
                # With the body at hand: nobody keeps it back until somebody else has agreed.
                await approvals.check_addition(caller.user_id, *campaign_of(request))
            if endpoint.streams:
                pieces: AsyncIterator[bytes] = request.stream()
                return response_of(
                    await owners.stream(endpoint.owner, endpoint.method, target, caller.user_id, headers, pieces)
                )

            async def do(effect_id: UUID) -> Answer:
                if endpoint.launches:
                    action = endpoint.path.rpartition("/")[2]
                    return answer_of(await approvals.launch(caller, Launch(*campaign_of(request), action, body)))
                if endpoint.composed:
                    return await compose(endpoint.composed, asked(request, caller.user_id, body, effect_id))
                owner, method = endpoint.owner, endpoint.method
                return await owners.ask(owner, method, target, caller.user_id, headers, body, effect_id)

            key = idempotency_key if endpoint.method in WRITES else None
            sent = Sent(endpoint.method, request.url.path, target, body)
            done = await once.do(caller.user_id, key, sent, do)
            if endpoint.erases and done.answer.status < 400:
                preferences = f"{BASE}/preferences/{request.path_params['id']}"
                await once.forget(caller.user_id, f"{sent.path}/", preferences)
            if caller.person and endpoint.shows_people:
                done = replace(done, answer=masked(done.answer))
            return answered(visit_of(request), done)

        return forward

    async def allow_download(request: Request, caller: Caller) -> None:
        """A 403 problem for a person whose role sees addresses in part only; who gets a file is written down."""
        if caller.person is None:
            return
        if not caller.allows("write"):
            raise Problem(403, "Not allowed", "your role sees addresses in part only, and files hold them in full")
        await entrance.note(request, caller, deed_of("GET", request.scope["route"].path, request.path_params))

    for endpoint in ENDPOINTS:
        router.add_api_route(
            endpoint.path,
            route(endpoint),
            methods=[endpoint.method],
            status_code=endpoint.status,
            summary=endpoint.summary,
            response_class=Response,
            max_body_size=IMPORT_BYTES_MAX if endpoint.streams else None,
        )
    return router


def takes_json(endpoint: Endpoint) -> bool:
    """Whether somebody reads the body; what commands without one are sent does not matter."""
    return endpoint.body is not None or OPERATIONS[f"{endpoint.method} {endpoint.path}"].body is not None


NOT_AN_ID = "must be an id, such as a list shows it"


def check_ids(request: Request, endpoint: Endpoint) -> None:
    """A 422 problem for what is no id of ours; so no owner has to judge it, under its own name for it."""
    given = {} if has_text_id(endpoint.path) else request.path_params
    wrong = [name for name, text in given.items() if not _is_id(text)]
    if wrong:
        raise Problem(422, "Invalid input", errors=[{"field": name, "message": NOT_AN_ID} for name in wrong])


def masked(answer: Answer) -> Answer:
    """The answer without the addresses in it, which people see in full by asking for each (`reveals.py`)."""
    if not answer.body or "json" not in answer.content_type:
        return answer
    return replace(answer, body=msgspec.json.encode(without_addresses(msgspec.json.decode(answer.body))))


def _is_id(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def campaign_of(request: Request) -> tuple[str, UUID]:
    """(channel, id) of the campaign that a path names."""
    channel = request.scope["route"].path.removeprefix(BASE).split("/")[1]
    return channel, UUID(request.path_params["id"])
