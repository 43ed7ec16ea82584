"""A small HTTP/1.1 server: what providers speak is answered in the same step, everything else goes to an ASGI app.

It exists because faults need the connection itself (close it after the request, leave it hanging) and because the
simulator shares its machine with what it measures.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, MutableMapping
from typing import Any, cast

from services.provider_simulator.http2 import PREFACE, Http2Connection
from services.provider_simulator.http_text import Answer, Request, answer_bytes
from shared.probes import AsgiApp

_HEAD_BYTES_MAX = 32_768

Speak = Callable[[Request], Answer | None]
"""Answers a provider's request, None for what is no provider's."""


class Server:
    """All connections of the simulator."""

    def __init__(self, speak: Speak, app: AsgiApp, request_bytes_max: int) -> None:
        self.speak = speak
        self.app = app
        self.request_bytes_max = request_bytes_max
        self.connections: set[Connection | Http2Connection] = set()
        self.tasks: set[asyncio.Task[None]] = set()

    async def listen(self, host: str, port: int) -> asyncio.Server:
        """Serves on the address; raises OSError where it is taken."""
        loop = asyncio.get_running_loop()
        return await loop.create_server(lambda: Connection(self), host, port, backlog=2048)

    def close(self) -> None:
        """Ends every connection and page."""
        for task in self.tasks:
            task.cancel()
        for connection in list(self.connections):
            connection.abort()


class Connection(asyncio.Protocol):
    """One client; a request is answered before the next one is looked at."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._transport: asyncio.Transport | None = None
        self._rest = b""
        self._busy = False
        self._timer: asyncio.TimerHandle | None = None
        self._writable = asyncio.Event()
        self._writable.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._server.connections.add(self)

    def connection_lost(self, _error: Exception | None) -> None:
        self._server.connections.discard(self)
        self._transport = None
        self._writable.set()
        if self._timer is not None:
            self._timer.cancel()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        if data.startswith(PREFACE) and not self._rest and not self._busy and self._transport is not None:
            self._server.connections.discard(self)
            Http2Connection(self._server, self._transport).data_received(data)
            return
        self._rest = self._rest + data if self._rest else data
        if not self._busy:
            self._serve()
        elif len(self._rest) > self._server.request_bytes_max:
            self.abort()

    def _serve(self) -> None:
        while not self._busy and self._rest and self._transport is not None:
            request = self._next()
            if request is None:
                return
            answer = self._server.speak(request)
            if answer is None:
                self._busy = True
                task = asyncio.create_task(self._run_app(request))
                self._server.tasks.add(task)
                task.add_done_callback(self._server.tasks.discard)
            elif answer.delay_seconds:
                self._busy = True
                self._timer = asyncio.get_running_loop().call_later(answer.delay_seconds, self._finish, answer)
            else:
                self._write(answer)

    def _next(self) -> Request | None:
        """Takes one whole request from what has arrived, None if there is none yet."""
        rest = self._rest
        end = rest.find(b"\r\n\r\n")
        if end < 0:
            if len(rest) > _HEAD_BYTES_MAX:
                self._refuse(413)
            return None
        head = rest[:end]
        lower_head = head.lower()
        length = 0
        at = lower_head.find(b"\r\ncontent-length:")
        if at >= 0:
            stated = lower_head[at + 17 :].split(b"\r\n", 1)[0].strip()
            if not stated.isdigit() or int(stated) > self._server.request_bytes_max:
                self._refuse(413)
                return None
            length = int(stated)
        elif b"\r\ntransfer-encoding:" in lower_head:
            self._refuse(411)
            return None
        following = end + 4 + length
        if len(rest) < following:
            return None
        try:
            method, target, _ = head.split(b"\r\n", 1)[0].decode("ascii").split(" ")
        except ValueError:
            self._refuse(400)
            return None
        self._rest = rest[following:]
        path, _, query = target.partition("?")
        return Request(method, path, query, head, lower_head, rest[end + 4 : following])

    def _refuse(self, status: int) -> None:
        self._rest = b""
        self._write(Answer(answer_bytes(status, b"{}"), close=True))

    def _finish(self, answer: Answer) -> None:
        self._busy, self._timer = False, None
        self._write(answer)
        self._serve()

    def _write(self, answer: Answer) -> None:
        transport = self._transport
        if transport is None:
            return
        if answer.data:
            transport.write(answer.data)
        if answer.close:
            transport.close()

    async def _run_app(self, request: Request) -> None:
        """Lets the ASGI app answer; the answer ends the connection unless its length is stated."""
        scope = {
            "type": "http",
            "method": request.method,
            "path": request.path,
            "query_string": request.query.encode("latin-1"),
            "headers": [],
        }
        chunked = False

        async def receive() -> MutableMapping[str, Any]:
            return {"type": "http.request", "body": request.body, "more_body": False}

        async def send(message: MutableMapping[str, Any]) -> None:
            nonlocal chunked
            transport = self._transport
            if transport is None:
                raise ConnectionResetError
            if message["type"] == "http.response.start":
                headers = dict(message["headers"])
                chunked = b"transfer-encoding" in headers
                lines = b"".join(b"%b: %b\r\n" % header for header in headers.items())
                transport.write(b"HTTP/1.1 %d -\r\n%b\r\n" % (message["status"], lines))
                return
            body = message.get("body", b"")
            if not chunked:
                transport.write(body)
            elif body:
                transport.write(b"%x\r\n%b\r\n" % (len(body), body))
            if chunked and not message.get("more_body"):
                transport.write(b"0\r\n\r\n")
            await self._writable.wait()

        try:
            await self._server.app(scope, receive, send)
        except ConnectionResetError:
            return
        except Exception:
            self.abort()
            raise
        self._busy = False
        self._serve()
