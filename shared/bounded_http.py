"""A server's connections, none of which waits for ever for whoever is at the other end."""

from __future__ import annotations

import asyncio
from enum import Enum, auto

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_SECONDS = 20.0
"""How long somebody may take to say what they ask for, from the first moment of the connection or of the request."""

BODY_SECONDS = 60.0
"""In every stretch of so long the body has to end, or this much of it has to come: 100 bytes a second."""

BODY_BYTES_MIN = 6_000

UNREAD_SECONDS = 120.0
"""How long what was written may wait for its reader, who is cut off then."""


class Due(Enum):
    """What the other end has begun and not ended."""

    NOTHING = auto()
    HEAD = auto()
    BODY = auto()
    REST = auto()
    """Of a body that is answered already."""


class BoundedProtocol(HttpToolsProtocol):
    """One connection: uvicorn's, which bounds only the time between an answer and the next byte."""

    head_seconds = HEAD_SECONDS
    body_seconds = BODY_SECONDS
    body_bytes_min = BODY_BYTES_MIN
    unread_seconds = UNREAD_SECONDS

    _due = Due.NOTHING
    _came = 0
    """Bytes of this stretch of the body."""
    _waiting: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        transport.set_write_buffer_limits(high=0)  # so that we hear of every byte that nobody takes
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        self.resume_writing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._came += self.body_bytes_min if self.flow.read_paused else len(data)
        self._wait()

    def on_message_begin(self) -> None:
        self._expect(Due.HEAD)
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self.head_came()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self.body_came()
        super().on_message_complete()

    def head_came(self) -> None:
        """A message's head is whole; what follows is its body."""
        self._expect(Due.BODY)

    def body_came(self) -> None:
        """The message is whole."""
        self._expect(Due.NOTHING)

    def on_response_complete(self) -> None:
        if self._due is Due.BODY and not self.is_answering():
            self._due = Due.REST
        super().on_response_complete()

    def is_answering(self) -> bool:
        """Whether it is our turn."""
        return self.cycle is not None and not self.cycle.response_complete

    def pause_writing(self) -> None:
        super().pause_writing()
        self._unread = self.loop.call_later(self.unread_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
        super().resume_writing()

    def _expect(self, due: Due) -> None:
        self._stop_waiting()
        self._due, self._came = due, 0

    def _wait(self) -> None:
        if self._waiting is None and (seconds := self._patience()) is not None:
            self._waiting = self.loop.call_later(seconds, self._judge)

    def _stop_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def _patience(self) -> float | None:
        """For how long the other end may go on like this; None where it is our turn, or uvicorn looks at the time."""
        if self._due in (Due.BODY, Due.REST):
            return self.body_seconds
        is_idle = not self.is_answering() and self.timeout_keep_alive_task is None
        return self.head_seconds if self._due is Due.HEAD or is_idle else None

    def _judge(self) -> None:
        """At the end of the patience: the next stretch of a body, where enough of it came, or the end."""
        self._waiting = None
        if self.flow.read_paused:  # it is we who do not read on
            self._wait()
        elif self._due is Due.BODY and self._came >= self.body_bytes_min:
            self._came = 0
            self._wait()
        elif not self.transport.is_closing():
            self.transport.close()
