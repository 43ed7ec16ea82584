"""A server's connections, none of which waits for ever for whoever is at the other end."""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_SECONDS = 20.0
"""How long somebody may take to say what they ask for, from the first moment of the connection or of the request."""

SILENT_SECONDS = 60.0
"""How long a body may pause."""


class BoundedProtocol(HttpToolsProtocol):
    """One connection: uvicorn's, which bounds only the time between an answer and the next request."""

    head_seconds = HEAD_SECONDS
    silent_seconds = SILENT_SECONDS

    _head_is_due = True
    _body_is_due = False
    _waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait(self.head_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        self._wait(None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._body_is_due:
            self._wait(self.silent_seconds)
        elif not self._head_is_due:
            self._wait(None)
        elif self._waiting is None:
            self._wait(self.head_seconds)

    def on_message_begin(self) -> None:
        self._head_is_due = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self.head_came()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self.body_came()
        super().on_message_complete()

    def head_came(self) -> None:
        """A message's head is whole; what follows is its body."""
        self._head_is_due, self._body_is_due = False, True

    def body_came(self) -> None:
        """The message is whole."""
        self._body_is_due = False

    def _wait(self, seconds: float | None) -> None:
        """From now on so long; None for no longer."""
        if self._waiting is not None:
            self._waiting.cancel()
        self._waiting = None if seconds is None else self.loop.call_later(seconds, self._give_up)

    def _give_up(self) -> None:
        if self.flow.read_paused:  # it is we who do not read on
            self._wait(self.silent_seconds)
        elif not self.transport.is_closing():
            self.transport.close()
