"""What holds for every answer of the gateway: headers for browsers, an id, and the outcome in the audit log."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass
from typing import Any

from services.gateway.handlers.audit import REPEATED, end_deed
from services.gateway.routes.visits import Visit, begin_visit
from services.gateway.settings import GatewaySettings
from shared.database import Database
from shared.errors import is_transient
from shared.http import REQUEST_ID, Problem, problem_response
from shared.logs import begin_request, logger
from shared.probes import AsgiApp, Receive, Scope, Send

FORM_BYTES_MAX = {b"application/x-www-form-urlencoded": 1 << 20, b"multipart/form-data": 32 << 20}
"""Forms are taken up as a whole, before it is known whether they are from our pages."""

TOO_LARGE = Problem(413, "Too large", "the body is larger than what is taken here; for many rows there are imports")

HSTS_SECONDS = 31_536_000

_UNLESS_SAID_OTHERWISE = {
    b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'",
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
    b"cache-control": b"no-store",
}

Message = MutableMapping[str, Any]


@dataclass(frozen=True, slots=True)
class Front:
    """The app behind what every request and answer passes."""

    app: AsgiApp
    database: Database
    settings: GatewaySettings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on, and its answer back with what is missing."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        visit = begin_visit(scope)
        begin_request(visit.request_id)
        is_replaced = False

        async def answer(message: Message) -> None:
            nonlocal is_replaced
            if message["type"] == "http.response.start" and _is_the_frameworks(message):
                is_replaced = True
                await problem_response(TOO_LARGE)(scope, receive, told)
            elif not is_replaced:
                await told(message)

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start":
                await self._end(visit, message["status"])
                given = list(message.get("headers", ()))
                message["headers"] = given + list(self._missing(visit, {name.lower() for name, _ in given}))
            await send(message)

        await self.app(scope, _bounded(scope, receive), answer)

    async def _end(self, visit: Visit, status: int) -> None:
        """The outcome is stored before anybody is told; if it cannot be, the answer is given all the same."""
        if visit.entry_id is None:
            return
        entry_id, visit.entry_id = visit.entry_id, None
        try:
            await end_deed(self.database, entry_id, REPEATED if visit.is_repeated else status, visit.made_id)
        except Exception as error:
            if not is_transient(error):
                raise
            logger().warning("audit_outcome_lost", error=type(error).__name__)

    def _missing(self, visit: Visit, given: set[bytes]) -> Iterator[tuple[bytes, bytes]]:
        for name, value in _UNLESS_SAID_OTHERWISE.items():
            if name not in given:
                yield name, value
        if self.settings.is_https:
            yield b"strict-transport-security", f"max-age={HSTS_SECONDS}".encode()
        yield REQUEST_ID, visit.request_id.encode()
        if visit.standing is not None:
            for title, text in visit.standing.headers.items():
                yield title.lower().encode(), text.encode()


def _is_the_frameworks(start: Message) -> bool:
    """Whether this is how the framework, not we, answers a body that is too large."""
    return start["status"] == TOO_LARGE.status and (b"content-type", b"text/plain; charset=utf-8") in start["headers"]


def _bounded(scope: Scope, receive: Receive) -> Receive:
    """The same, with a 413 problem for a form that is too long."""
    kind = dict(scope["headers"]).get(b"content-type", b"").partition(b";")[0].strip().lower()
    bytes_max = FORM_BYTES_MAX.get(kind)
    if bytes_max is None:
        return receive
    seen = 0

    async def bounded() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > bytes_max:
            raise Problem(413, "Too large", f"a form has at most {bytes_max} bytes")
        return message

    return bounded
