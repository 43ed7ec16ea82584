"""The public API as the pages ask it: in this process, with the visitor's own credentials, and by the same rules."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote, urlencode

from starlette.datastructures import Address

from contracts.http.endpoints import BASE
from services.gateway.routes.visits import begin_visit
from shared.http import Problem
from shared.logs import current_request_id
from shared.probes import AsgiApp

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Reply:
    """A successful answer. `body` is the whole JSON document, `data` what it carries."""

    status: int
    body: Json

    @property
    def data(self) -> Any:
        """The thing or the list that was asked for."""
        return self.body.get("data")


def path_of(*parts: object) -> str:
    """A path below the API's base from its parts, none of which can leave its place."""
    return "".join(f"/{quote(str(part), safe='')}" for part in parts)


@dataclass(frozen=True, slots=True)
class Api:
    """The app that answers the API."""

    app: AsgiApp

    async def ask(
        self,
        client: Address | None,
        headers: Mapping[str, str],
        method: str,
        path: str,
        query: Mapping[str, object] | None = None,
        body: Json | None = None,
    ) -> Reply:
        """The answer; a refusal is raised as the `Problem` that the API states."""
        sent = b"" if body is None else json.dumps(body).encode()
        wanted = {name: value for name, value in (query or {}).items() if value not in (None, "")}
        return await self.send(client, headers, method, path, "application/json", _single(sent), urlencode(wanted))

    async def send(
        self,
        client: Address | None,
        headers: Mapping[str, str],
        method: str,
        path: str,
        content_type: str,
        pieces: AsyncIterator[bytes],
        query: str = "",
    ) -> Reply:
        """The answer to a body of any length."""
        names = {**headers, "content-type": content_type, "accept": "application/json"}
        status, answer_headers, answer = await self._call(client, method, BASE + path, query, names, pieces)
        is_json = "json" in answer_headers.get("content-type", "")
        document: Json = json.loads(answer) if answer and is_json else {}
        if status >= 400:
            raise Problem(
                status,
                document.get("title", "Not possible"),
                document.get("detail"),
                document.get("errors", ()),
                {name: value for name, value in answer_headers.items() if name == "retry-after"},
            )
        return Reply(status, document)

    async def _call(
        self,
        client: Address | None,
        method: str,
        path: str,
        query: str,
        headers: Mapping[str, str],
        pieces: AsyncIterator[bytes],
    ) -> tuple[int, dict[str, str], bytes]:
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": unquote(path),
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": query.encode(),
            "headers": [(name.encode(), value.encode("latin-1", "replace")) for name, value in headers.items()],
            "client": client and (client.host, client.port),
            "server": None,
        }
        visit = begin_visit(scope)
        visit.request_id = current_request_id() or visit.request_id  # a page and what it asks are one in the log
        is_read = False
        head: dict[str, Any] = {}
        answer = bytearray()

        async def receive() -> dict[str, Any]:
            nonlocal is_read
            if is_read:
                await asyncio.Event().wait()  # the visitor stays until the answer is there
            piece = await anext(pieces, None)
            is_read = piece is None
            return {"type": "http.request", "body": piece or b"", "more_body": not is_read}

        async def send(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                head.update(message)
            else:
                answer.extend(message.get("body", b""))

        await self.app(scope, receive, send)
        answer_headers = {name.decode().lower(): value.decode("latin-1") for name, value in head["headers"]}
        return head["status"], answer_headers, bytes(answer)


async def _single(body: bytes) -> AsyncIterator[bytes]:
    yield body
