"""The intake: a raw ASGI function, because a framework would cost more than the work.

A provider gets its answer when its callback is durable, and a 5xx when it is not: then it tries again.
"""

from __future__ import annotations

import json

from contracts.events import Receipt
from services.delivery_receipt import metrics
from services.delivery_receipt.domain import APP_KINDS, CHANNEL_OF_INITIAL, Stored, receipts_of
from services.delivery_receipt.handlers import Accounts
from services.delivery_receipt.jobs import Intake
from shared.codec import now
from shared.probes import AsgiApp, Receive, Scope, Send
from shared.providers.provider import CallbackMalformed, CallbackRequest
from shared.security import References

BASE = "/api/notification"
APP = "app"
RETRY_AFTER_SECONDS = b"5"


def intake_routes(
    intake: Intake, accounts: Accounts, references: References, public_base_url: str, body_bytes_max: int
) -> AsgiApp:
    """`POST …/callbacks/{provider}/{accountId}` and `POST …/t/{token}/{kind}`."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        parts = scope["path"].removeprefix(BASE).split("/")
        known = len(parts) == 4 and parts[1] in ("callbacks", "t")
        if not known:
            await _problem(send, 404, "No such page")
            return
        if scope["method"] != "POST":
            await _problem(send, 405, "Use POST")
            return
        body = await _read(receive, body_bytes_max)
        if body is None:
            await _problem(send, 413, "Too large", f"at most {body_bytes_max} bytes are taken")
        elif parts[1] == "callbacks":
            await on_callback(scope, body, parts[2], parts[3], send)
        else:
            await on_report(scope, parts[2], parts[3], send)

    async def on_callback(scope: Scope, body: bytes, provider: str, account_id: str, send: Send) -> None:
        account = accounts.by_id.get(account_id)
        if account is None or account.provider_type != provider:
            metrics.CALLBACKS.labels("any", "unknown_account").inc()
            await _problem(send, 404, "No such account")
            return
        query = scope["query_string"].decode("latin-1")
        path = scope.get("raw_path") or scope["path"].encode()
        target = path.decode("latin-1") + (f"?{query}" if query else "")
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        request = CallbackRequest(method="POST", url=public_base_url + target, headers=headers, body=body)
        if not account.vendor.is_genuine(account.values, request):
            metrics.CALLBACKS.labels(provider, "forged").inc()
            await _problem(send, 403, "Not signed by the provider", "check the account's secret and PUBLIC_BASE_URL")
            return
        stored = Stored(provider, account, account.channel, target, headers, body)
        try:
            contents = account.vendor.read_callback(account.values, request)
        except CallbackMalformed as malformed:
            metrics.CALLBACKS.labels(provider, "unreadable").inc()
            stored = Stored(provider, account, account.channel, target, headers, body, rejection=str(malformed))
        else:
            receipts, strangers = receipts_of(contents.receipts, references.read, now())
            rejection = f"{strangers} references are not ours" if strangers else None
            stored = Stored(
                provider, account, account.channel, target, headers, body, rejection, receipts, contents.inbound
            )
        if await _make_durable(stored, send):
            reply = account.vendor.CALLBACK_REPLY
            await _answer(send, reply.status, reply.content_type.encode(), reply.body)

    async def on_report(scope: Scope, token: str, kind: str, send: Send) -> None:
        reference = references.read(token)
        if reference is None or kind not in APP_KINDS:
            metrics.CALLBACKS.labels(APP, "forged").inc()
            await _problem(send, 404, "No such message")
            return
        initial, recipient_id = reference
        receipt = Receipt(recipient_id=recipient_id, kind=kind, at=now())
        stored = Stored(APP, None, CHANNEL_OF_INITIAL[initial], f"/t/{kind}", {}, b"", None, (receipt,))
        if await _make_durable(stored, send):
            await _answer(send, 204, b"text/plain", b"")

    async def _make_durable(stored: Stored, send: Send) -> bool:
        waiting = intake.add(stored)
        if waiting is None or not await waiting:
            metrics.CALLBACKS.labels(stored.provider, "overload").inc()
            await _problem(send, 503, "Try again shortly", retry=True)
            return False
        metrics.CALLBACKS.labels(stored.provider, "stored").inc()
        return True

    return app


async def _read(receive: Receive, bytes_max: int) -> bytes | None:
    message = await receive()
    body: bytes = message.get("body", b"")
    while message.get("more_body"):
        if len(body) > bytes_max:
            return None
        message = await receive()
        body += message.get("body", b"")
    return body if len(body) <= bytes_max else None


async def _answer(send: Send, status: int, content_type: bytes, body: bytes, retry: bool = False) -> None:
    headers = [(b"content-type", content_type), (b"content-length", str(len(body)).encode())]
    if retry:
        headers.append((b"retry-after", RETRY_AFTER_SECONDS))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _problem(send: Send, status: int, title: str, detail: str | None = None, retry: bool = False) -> None:
    problem: dict[str, object] = {"type": "about:blank", "title": title, "status": status}
    if detail:
        problem["detail"] = detail
    await _answer(send, status, b"application/problem+json", json.dumps(problem).encode(), retry)
