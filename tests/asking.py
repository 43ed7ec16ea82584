"""Asks an ASGI app directly, as the gateway would over HTTP."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlencode

from shared.probes import AsgiApp

PIECE_BYTES = 100
"""Bodies come in small pieces, so that rows are cut anywhere."""


@dataclass(frozen=True)
class Answer:
    status_code: int
    headers: dict[str, str]
    content: bytes
    set_cookies: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        return self.content.decode()

    def json(self) -> Any:
        return json.loads(self.content)


@dataclass
class Client:
    app: AsgiApp
    base: str
    headers: dict[str, str] = field(default_factory=dict)

    async def get(self, path: str, **options: Any) -> Answer:
        return await self.ask("GET", path, **options)

    async def post(self, path: str, **options: Any) -> Answer:
        return await self.ask("POST", path, **options)

    async def put(self, path: str, **options: Any) -> Answer:
        return await self.ask("PUT", path, **options)

    async def delete(self, path: str, **options: Any) -> Answer:
        return await self.ask("DELETE", path, **options)

    async def ask(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        content: bytes = b"",
        params: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        body = _encode(json) if json is not None else content
        path, _, query = (self.base + path).partition("?")
        pieces = [body[start : start + PIECE_BYTES] for start in range(0, len(body), PIECE_BYTES)] or [b""]
        if len(body) > 100 * PIECE_BYTES:
            pieces = [body]
        sent: list[Any] = []

        async def receive() -> dict[str, Any]:
            if not pieces:
                return {"type": "http.disconnect"}
            piece = pieces.pop(0)
            return {"type": "http.request", "body": piece, "more_body": bool(pieces)}

        async def send(message: Any) -> None:
            sent.append(message)

        given = {**self.headers, **(headers or {})}
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": unquote(path),
            "raw_path": path.encode(),
            "query_string": "&".join(part for part in (query, urlencode(params or {})) if part).encode(),
            "headers": [(name.lower().encode(), value.encode()) for name, value in given.items()],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 2),
        }
        await self.app(scope, receive, send)
        (start,) = [message for message in sent if message["type"] == "http.response.start"]
        content = b"".join(m.get("body", b"") for m in sent if m["type"] == "http.response.body")
        told = [(name.decode(), value.decode()) for name, value in start["headers"]]
        cookies = tuple(value for name, value in told if name == "set-cookie")
        return Answer(start["status"], dict(told), content, cookies)


def _encode(value: Any) -> bytes:
    return json.dumps(value).encode()
