"""Requests and answers as they are on the wire."""

from __future__ import annotations

import json
from typing import Annotated

from fastapi import Header, Request, Response

from contracts.http.described.operations import OPERATIONS
from contracts.http.endpoints import BASE
from services.gateway.handlers.once import Done
from services.gateway.routes.visits import Visit
from services.gateway.store.answers import Answer
from shared.http import Problem, not_json_type

WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})

IdempotencyKey = Annotated[str | None, Header(description="A repeated write with the same key has one effect.")]

_FILTERS = {
    BASE + key.removeprefix("GET "): {"userId", *(str(one.alias) for one in described.query.model_fields.values())}
    for key, described in OPERATIONS.items()
    if described.listed and described.query is not None
}
"""The parameters of each list, by its path."""


async def read_body(request: Request, bytes_max: int) -> bytes:
    """The whole body; a 413 problem when it is longer."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > bytes_max:
            raise Problem(413, "Too large", f"at most {bytes_max} bytes are taken; use an import for more")
    return bytes(body)


async def read_json_body(request: Request, bytes_max: int) -> bytes:
    """The same; a 415 problem when it does not say that it is JSON. Whether it is, its reader finds out."""
    body = await read_body(request, bytes_max)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if body and kind != "application/json":
        raise not_json_type()
    return body


def refuse_nul(request: Request) -> None:
    """A 422 problem for what no database can hold: in the path it would be in the audit log, too."""
    if "\0" in request.scope["path"] or b"%00" in request.scope["query_string"]:
        raise Problem(422, "Invalid input", "path and query must not hold the character NUL (%00)")


def refuse_unknown_filters(request: Request) -> None:
    """A 422 problem for a parameter that the list does not have; the list would be of more than was meant."""
    known = _FILTERS.get(request.scope["route"].path) if request.method == "GET" else None
    unknown = [] if known is None else sorted(set(request.query_params) - known)
    if unknown:
        message = f"there is no such parameter; there are {', '.join(sorted(known or ()))}"
        raise Problem(422, "Invalid input", errors=[{"field": name, "message": message} for name in unknown])


def target_of(request: Request) -> str:
    """Path and query as they came."""
    raw: bytes = request.scope.get("raw_path") or request.scope["path"].encode()
    query: bytes = request.scope["query_string"]
    return raw.decode("latin-1") + (f"?{query.decode('latin-1')}" if query else "")


def response_of(answer: Answer) -> Response:
    """An owner's answer, byte for byte."""
    headers = {"content-type": answer.content_type} if answer.content_type else {}
    if answer.location:
        headers["location"] = answer.location
    return Response(answer.body if answer.status != 204 else None, answer.status, headers)


def id_in(answer: Answer) -> str | None:
    """The id of the resource in an owner's answer, if it is one resource."""
    try:
        data = json.loads(answer.body)["data"]
    except (ValueError, TypeError, KeyError):
        return None
    return data.get("id") if isinstance(data, dict) else None


def answered(visit: Visit, done: Done) -> Response:
    """The answer; the audit log learns whether it is an earlier one."""
    visit.is_repeated = done.is_repeated
    if visit.made_id is None and done.answer.status == 201:
        visit.made_id = id_in(done.answer)
    return response_of(done.answer)
