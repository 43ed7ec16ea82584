"""For requests that are so many that each is dealt with in the step that reads it, without a task of its own.

The protocol is that of `bounded_http`. A POST below one prefix is first offered, whole, to a plain function; what that
declines goes the usual way, to the ASGI app.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from shared.bounded_http import BoundedProtocol


@dataclass(slots=True, eq=False)
class QuickRequest:
    """A whole request. `target` is path and query as they came, header names are in lower case."""

    protocol: QuickProtocol
    target: bytes
    headers: list[tuple[bytes, bytes]]
    body: bytes
    keep_alive: bool

    def answer(self, reply: bytes) -> None:
        """Sends a whole HTTP answer; in the order of the requests, and once for each."""
        self.protocol.answered(reply, self.keep_alive)


@dataclass(frozen=True, slots=True)
class QuickPath:
    """`take` returns True when it will answer the request, now or later, and False when the app shall."""

    prefix: bytes
    body_bytes_max: int
    take: Callable[[QuickRequest], bool]


class QuickProtocol(BoundedProtocol):
    """One connection. Subclasses name the path."""

    quick: QuickPath

    _offered = False
    """Whether the message that is being read will be offered."""
    _body = b""
    _unanswered = 0
    _leaving = False

    def on_headers_complete(self) -> None:
        self.head_came()
        self._offered = (
            self.url.startswith(self.quick.prefix)
            and self.parser.get_method() == b"POST"
            and (self.cycle is None or self.cycle.response_complete)
            and not self.expect_100_continue
            and not self.parser.should_upgrade()
        )
        self._body = b""
        if not self._offered:
            self._decline()

    def on_body(self, body: bytes) -> None:
        if not self._offered:
            if not self._leaving:
                super().on_body(body)
            return
        self._body = self._body + body if self._body else body
        if len(self._body) > self.quick.body_bytes_max:
            self._decline()

    def on_message_complete(self) -> None:
        self.body_came()
        if self._offered and not self._leaving:
            keep_alive = self.parser.get_http_version() != "1.0" and self.parser.should_keep_alive()
            self._unanswered += 1
            if self.quick.take(QuickRequest(self, self.url, self.headers, self._body, keep_alive)):
                return
            self._unanswered -= 1
            self._decline()
        if not self._leaving:
            super().on_message_complete()

    def is_answering(self) -> bool:
        return self._unanswered > 0 or super().is_answering()

    def _decline(self) -> None:
        """The usual way for the message. Behind unanswered ones it is dropped, and its client has to come again."""
        self._offered = False
        if self._unanswered:
            self._leaving = True
        if self._leaving:
            return
        super().on_headers_complete()
        if self._body:
            super().on_body(self._body)

    def answered(self, reply: bytes, keep_alive: bool) -> None:
        """See `QuickRequest.answer`."""
        self._unanswered -= 1
        if self.transport.is_closing():
            return
        self.transport.write(reply)
        if not keep_alive or (self._leaving and not self._unanswered):
            self.transport.close()
        elif not self._unanswered:
            self._unset_keepalive_if_required()
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def shutdown(self) -> None:
        """Called at a graceful end: what was taken is answered first."""
        if self._unanswered:
            self._leaving = True
        else:
            super().shutdown()


def protocol_of(path: QuickPath) -> type[QuickProtocol]:
    """The protocol for uvicorn's `http`."""
    return type("QuickProtocolOfPath", (QuickProtocol,), {"quick": path})
