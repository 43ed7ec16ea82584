"""The intake: a quick path for what comes once or more for every message, and a plain ASGI function for the rest."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from contracts.events import Receipt
from services.delivery_receipt import metrics
from services.delivery_receipt.accounts import CALLBACKS_PATH, Accounts, Known
from services.delivery_receipt.clicks import TrackedLinks, code_of, is_robot
from services.delivery_receipt.documents import Documents
from services.delivery_receipt.domain import (
    APP,
    APP_KINDS,
    CHANNEL_OF_INITIAL,
    LINK,
    Callback,
    Reading,
    header_lines,
)
from services.delivery_receipt.intake import Intake
from services.delivery_receipt.settings import DeliveryReceiptSettings
from shared.errors import is_transient
from shared.links import TRACKED, LinkCodes
from shared.probes import AsgiApp, Receive, Scope, Send
from shared.providers.provider import CallbackRequest, DocumentNeeded
from shared.providers.registry import VENDORS
from shared.quick_http import QuickPath, QuickRequest
from shared.security import References

_DOCUMENTS_MAX = 2
"""Documents that are fetched for one callback, and one more look."""

REPORTS_PATH = "/api/notification/t/"
RETRY_AFTER_SECONDS = 1


class _Reply:
    """An answer, made once and sent often."""

    def __init__(self, status: int, content_type: str, body: bytes, *headers: tuple[bytes, bytes]) -> None:
        lines = list(headers)
        if status != 204:
            lines += [(b"content-type", content_type.encode()), (b"content-length", str(len(body)).encode())]
        self.start: dict[str, Any] = {"type": "http.response.start", "status": status, "headers": lines}
        self.body: dict[str, Any] = {"type": "http.response.body", "body": body}
        head = [b"HTTP/1.1 %d %b" % (status, HTTPStatus(status).phrase.encode())]
        self.whole = b"\r\n".join([*head, *(name + b": " + value for name, value in lines), b"", body])

    async def send(self, send: Send) -> None:
        await send(self.start)
        await send(self.body)


def _problem(status: int, title: str, *headers: tuple[bytes, bytes], detail: str | None = None) -> _Reply:
    problem = {"type": "about:blank", "title": title, "status": status}
    if detail is not None:
        problem["detail"] = detail
    return _Reply(status, "application/problem+json", json.dumps(problem).encode(), *headers)


TAKEN = _Reply(204, "", b"")
FORGED = _problem(
    403, "The signature is not the provider's", detail="check the account's signing secret and PUBLIC_BASE_URL"
)
NOT_FOUND = _problem(404, "Not found")
NOT_ALLOWED = _problem(405, "Only POST is answered here", (b"allow", b"POST"))
ONLY_VISITS = _problem(405, "Only GET and HEAD are answered here", (b"allow", b"GET, HEAD"))
NO_SUCH_LINK = _Reply(
    404,
    "text/html; charset=utf-8",
    b"<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
    b"<title>This link leads nowhere</title><h1>This link leads nowhere</h1>"
    b"<p>Perhaps a part of it is missing. Please open it from the message once more.</p></html>",
    (b"content-security-policy", b"default-src 'none'"),
)
OVERSIZE = _problem(413, "The body is too long", (b"connection", b"close"))
BUSY = _problem(503, "Come again shortly", (b"retry-after", str(RETRY_AFTER_SECONDS).encode()))


_ACCEPTED = {
    of: _Reply(reply.status, reply.content_type, reply.body)
    for of, reply in ((of, vendor.CALLBACK_REPLY) for of, vendor in VENDORS.items())
}
"""What each vendor wants to hear, by channel and provider type."""


def _redirect(destination: str) -> _Reply:
    headers = ((b"location", destination.encode("ascii")), (b"cache-control", b"no-store"))
    return _Reply(302, "text/plain", b"", *headers)


def _accepted(callback: Callback) -> _Reply:
    reply = callback.reading.reply
    if reply is None:
        return _ACCEPTED[callback.channel, callback.provider]
    return _Reply(reply.status, reply.content_type, reply.body)


def quick_intake(
    settings: DeliveryReceiptSettings,
    accounts: Accounts,
    references: References,
    documents: Documents,
    intake: Intake,
) -> QuickPath:
    """Genuine callbacks of known accounts; everything else is for `intake_routes`, which looks more closely."""
    base_url = settings.public_base_url

    def take(request: QuickRequest) -> bool:
        target = request.target.decode("latin-1")
        known = accounts.find(target.partition("?")[0])
        if known is None:
            return False
        callback_request = _callback_request(base_url, target, request.headers, request.body, documents)
        try:
            if not known.is_genuine(callback_request):
                return False
        except DocumentNeeded:
            return False
        callback = _callback(known, callback_request, target, request.headers, references)
        if callback.reading.visit is not None:
            return False
        whole = _accepted(callback).whole

        def answer(stored: bool) -> None:
            if not stored:
                metrics.CALLBACKS.labels(callback.provider, "unstored").inc()
            request.answer(whole if stored else BUSY.whole)

        return intake.put(callback, answer)

    return QuickPath(CALLBACKS_PATH.encode(), settings.body_bytes_max, take)


def _callback_request(
    base_url: str,
    target: str,
    headers: Sequence[tuple[bytes, bytes]],
    body: bytes,
    documents: Documents,
    method: str = "POST",
) -> CallbackRequest:
    decoded = {name.decode("latin-1"): value.decode("latin-1") for name, value in headers}
    return CallbackRequest(method=method, url=base_url + target, headers=decoded, body=body, documents=documents.known)


def _callback(
    known: Known, request: CallbackRequest, target: str, headers: Sequence[tuple[bytes, bytes]], references: References
) -> Callback:
    account, at = known.account, datetime.now(UTC)
    reading = known.read(request, references, at)
    return Callback(
        account.provider_type,
        account.channel,
        account.id,
        account.user_id,
        at,
        target,
        header_lines(headers),
        request.body,
        reading,
    )


async def _is_genuine(known: Known, request: CallbackRequest, documents: Documents) -> bool | None:
    """None where the document that would show it cannot be had now."""
    for _ in range(_DOCUMENTS_MAX):
        try:
            return known.is_genuine(request)
        except DocumentNeeded as needed:
            if not await documents.fetch(needed.url):
                return None
    return None


def intake_routes(
    settings: DeliveryReceiptSettings,
    accounts: Accounts,
    references: References,
    documents: Documents,
    intake: Intake,
    codes: LinkCodes,
    links: TrackedLinks,
) -> AsgiApp:
    """Callbacks of providers, reports of the customers' apps, visits of counted links; anything else is not found."""
    base_url, body_bytes_max = settings.public_base_url, settings.body_bytes_max

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        path: str = scope["path"]
        known = accounts.find(path)
        if known is None:
            if path.startswith(REPORTS_PATH):
                await take_report(path, scope, receive, send)
                return
            if (code := code_of(path)) is not None:
                await follow(code, path, scope, send)
                return
            known = await accounts.look_up(path) if path.startswith(CALLBACKS_PATH) else None
            if known is None:
                await _refuse("none", "unknown", BUSY if accounts.may_come(path) else NOT_FOUND, send)
                return
        await take_callback(known, path, scope, receive, send)

    async def take_callback(known: Known, path: str, scope: Scope, receive: Receive, send: Send) -> None:
        provider = known.account.provider_type
        method = scope["method"]
        if method != "POST" and not (method == "GET" and known.vendor.CAPABILITIES.calls_by_get):
            await NOT_ALLOWED.send(send)
            return
        headers = scope["headers"]
        body = await _body(receive, body_bytes_max)
        if body is None:
            return
        if len(body) > body_bytes_max:
            await _refuse(provider, "oversize", OVERSIZE, send)
            return
        target = _target(scope)
        request = _callback_request(base_url, target, headers, body, documents, method)
        genuine = await _is_genuine(known, request, documents)
        if genuine is False:
            newer = await accounts.look_up(path)
            if newer is not None and newer is not known:
                known = newer
                genuine = await _is_genuine(known, request, documents)
        if genuine is None:
            await _refuse(provider, "unjudged", BUSY, send)
            return
        if not genuine:
            unsigned = known.comes_again_signed(request)
            await _refuse(provider, *(("unsigned", BUSY) if unsigned else ("forged", FORGED)), send)
            return
        callback = _callback(known, request, target, headers, references)
        if callback.reading.visit is not None and await documents.visit(callback.reading.visit) is None:
            await _refuse(provider, "unvisited", BUSY, send)
            return
        await answer_when_stored(callback, _accepted(callback), send)

    async def take_report(path: str, scope: Scope, receive: Receive, send: Send) -> None:
        token, _, kind = path[len(REPORTS_PATH) :].partition("/")
        found = references.read(token) if kind in APP_KINDS else None
        channel = CHANNEL_OF_INITIAL.get(found[0]) if found is not None else None
        if found is None or channel is None:
            await _refuse(APP, "unknown", NOT_FOUND, send)
            return
        if scope["method"] != "POST":
            await NOT_ALLOWED.send(send)
            return
        body = await _body(receive, body_bytes_max)
        if body is None:
            return
        if len(body) > body_bytes_max:
            await _refuse(APP, "oversize", OVERSIZE, send)
            return
        at = datetime.now(UTC)
        reading = Reading((Receipt(recipient_id=found[1], kind=kind, at=at),))
        callback = Callback(APP, channel, None, None, at, path, b"", b"", reading)
        await answer_when_stored(callback, TAKEN, send)

    async def follow(code: str, path: str, scope: Scope, send: Send) -> None:
        if scope["method"] not in ("GET", "HEAD"):
            await ONLY_VISITS.send(send)
            return
        named = codes.read(TRACKED, code)
        try:
            destination = None if named is None else await links.find(named.number)
        except Exception as error:
            if not is_transient(error):
                raise
            await _refuse(LINK, "unstored", BUSY, send)
            return
        if destination is None:
            # What we have signed leads somewhere: we have only not heard yet where.
            await _refuse(LINK, "unknown", NO_SUCH_LINK if named is None else BUSY, send)
            return
        assert named is not None
        reply = _redirect(destination)
        if is_robot(scope["method"], scope["headers"]):
            await _refuse(LINK, "robot", reply, send)
            return
        at = datetime.now(UTC)
        reading = Reading((Receipt(recipient_id=named.recipient_id, kind="clicked", at=at),))
        await answer_when_stored(Callback(LINK, named.channel, None, None, at, path, b"", b"", reading), reply, send)

    async def answer_when_stored(callback: Callback, reply: _Reply, send: Send) -> None:
        stored: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

        def answer(result: bool) -> None:
            if not stored.done():  # the sender may have left meanwhile
                stored.set_result(result)

        if not intake.put(callback, answer):
            await _refuse(callback.provider, "busy", BUSY, send)
        elif await stored:
            await reply.send(send)
        else:
            await _refuse(callback.provider, "unstored", BUSY, send)

    return app


async def _refuse(provider: str, result: str, reply: _Reply, send: Send) -> None:
    metrics.CALLBACKS.labels(provider, result).inc()
    await reply.send(send)


async def _body(receive: Receive, bytes_max: int) -> bytes | None:
    """The whole body, or a little more than the limit where it is longer; None when the sender has left."""
    parts, length = [], 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        part: bytes = message.get("body", b"")
        parts.append(part)
        length += len(part)
        if length > bytes_max or not message.get("more_body", False):
            return part if len(parts) == 1 else b"".join(parts)


def _target(scope: Scope) -> str:
    """Path and query as they came, which is what the provider signed."""
    raw_path: bytes = scope["raw_path"]
    query: bytes = scope["query_string"]
    return (raw_path + b"?" + query if query else raw_path).decode("latin-1")
