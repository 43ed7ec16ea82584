"""HTTP/2 for the providers that speak nothing else, by prior knowledge and without TLS, on the port of the others."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import ConnectionTerminated, DataReceived, RequestReceived, StreamEnded, StreamReset
from h2.exceptions import H2Error
from h2.settings import SettingCodes, Settings

from services.provider_simulator.http_text import Answer, Request, answer_bytes

PREFACE = b"PRI * HTTP/2.0"
STREAMS_MAX = 1000
_LEAVE_SECONDS = 1.0

_NOT_FOUND = Answer(answer_bytes(404, b"{}"))


class Host(Protocol):
    """What a connection needs of its server."""

    request_bytes_max: int
    connections: set[Any]

    def speak(self, request: Request, /) -> Answer | None:
        """Answers a provider's request, None for what is no provider's."""


class _Stream:
    __slots__ = ("body", "headers")

    def __init__(self, headers: list[tuple[str, str]]) -> None:
        self.headers = headers
        self.body = bytearray()


class Http2Connection(asyncio.Protocol):
    """One client; its streams are answered as they end. An answer that closes the connection resets its stream."""

    def __init__(self, host: Host, transport: asyncio.Transport) -> None:
        self._host = host
        self._transport: asyncio.Transport | None = transport
        self._streams: dict[int, _Stream] = {}
        self._timers: dict[int, asyncio.TimerHandle] = {}
        self._last_served = 0
        self._leaving = False
        self._h2 = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        self._h2.local_settings = Settings(
            client=False, initial_values={SettingCodes.MAX_CONCURRENT_STREAMS: STREAMS_MAX}
        )
        self._h2.initiate_connection()
        host.connections.add(self)
        transport.set_protocol(self)

    def data_received(self, data: bytes) -> None:
        if self._leaving:
            return
        try:
            for event in self._h2.receive_data(data):
                if self._leaving or self._transport is None or self._transport.is_closing():
                    return
                self._on_event(event)
        except H2Error:
            self._flush()
            self.abort()
            return
        self._flush()

    def connection_lost(self, _error: Exception | None) -> None:
        self._transport = None
        self._host.connections.discard(self)
        for timer in self._timers.values():
            timer.cancel()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _on_event(self, event: object) -> None:
        match event:
            case RequestReceived(stream_id=int(stream_id), headers=headers):
                self._streams[stream_id] = _Stream([(str(n), str(v)) for n, v in headers or []])
            case DataReceived(stream_id=int(stream_id), data=data, flow_controlled_length=length):
                self._h2.acknowledge_received_data(length or 0, stream_id)
                stream = self._streams.get(stream_id)
                if stream is not None:
                    stream.body += data or b""
                    if len(stream.body) > self._host.request_bytes_max:
                        del self._streams[stream_id]
                        self._h2.reset_stream(stream_id, ErrorCodes.CANCEL)
            case StreamEnded(stream_id=int(stream_id)) if stream_id in self._streams:
                self._serve(stream_id, self._streams.pop(stream_id))
            case StreamReset(stream_id=int(stream_id)):
                self._streams.pop(stream_id, None)
                if (timer := self._timers.pop(stream_id, None)) is not None:
                    timer.cancel()
            case ConnectionTerminated() if self._transport is not None:
                self._transport.close()

    def _serve(self, stream_id: int, stream: _Stream) -> None:
        headers = dict(stream.headers)
        path, _, query = headers.get(":path", "/").partition("?")
        lines = "".join(f"\r\n{name}: {value}" for name, value in stream.headers if not name.startswith(":"))
        head = f"{headers.get(':method', '')} {path} HTTP/2{lines}".encode()
        request = Request(headers.get(":method", ""), path, query, head, head.lower(), bytes(stream.body), http2=True)
        self._last_served = max(self._last_served, stream_id)
        answer = self._host.speak(request) or _NOT_FOUND
        if answer.delay_seconds:
            loop = asyncio.get_running_loop()
            self._timers[stream_id] = loop.call_later(answer.delay_seconds, self._answer_late, stream_id, answer)
        else:
            self._answer(stream_id, answer)

    def _answer_late(self, stream_id: int, answer: Answer) -> None:
        del self._timers[stream_id]
        try:
            self._answer(stream_id, answer)
        except H2Error:  # the client has given up on the stream meanwhile
            return
        self._flush()

    def _answer(self, stream_id: int, answer: Answer) -> None:
        if not answer.data:
            code = ErrorCodes.REFUSED_STREAM if answer.refuse else ErrorCodes.INTERNAL_ERROR
            self._h2.reset_stream(stream_id, code)
            return
        head, _, body = answer.data.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = [(":status", first.split(" ")[1])]
        headers += [(name, value) for name, _, value in (line.partition(": ") for line in lines)]
        self._h2.send_headers(stream_id, headers, end_stream=not body)
        if body:
            self._h2.send_data(stream_id, body, end_stream=True)
        if answer.close:
            self._h2.close_connection(ErrorCodes.NO_ERROR, last_stream_id=self._last_served)
            self._flush()
            self._leave()

    def _leave(self) -> None:
        """Says no more, and closes when the client does: closing at once could take the goodbye from it."""
        self._leaving = True
        if self._transport is not None:
            self._transport.write_eof()
            asyncio.get_running_loop().call_later(_LEAVE_SECONDS, self.abort)

    def _flush(self) -> None:
        data = self._h2.data_to_send()
        if data and self._transport is not None and not self._leaving:
            self._transport.write(data)
