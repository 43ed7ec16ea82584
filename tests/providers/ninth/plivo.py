"""Plivo: one SMS a request, signed status callbacks, no idempotency.

https://www.plivo.com/docs/sms/api/message
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import msgspec

from contracts.masked import Secret
from shared.providers.forms import body_pairs
from shared.providers.provider import (
    Accepted,
    CallbackContents,
    CallbackMalformed,
    CallbackRequest,
    Capabilities,
    Deferred,
    HttpAnswer,
    HttpReply,
    HttpRequest,
    Message,
    Outcome,
    Problem,
    Refused,
    Unknown,
    VendorReceipt,
    Verification,
)
from shared.providers.reading import config_of, decoded, missing, query_of, text_of, with_control_characters
from shared.providers.silent import finding as finding
from shared.providers.silent import question as question
from shared.providers.standing import authorize as authorize

CAPABILITIES = Capabilities(
    channel="sms",
    provider_type="plivo",
    official_hosts=frozenset({"api.plivo.com"}),
    batch_max=1,
    in_flight_max=50,
    receipts="webhook",
    resend_is_safe=False,
    can_be_asked=False,
    price="none",
)
CALLBACK_REPLY = HttpReply(200, "text/plain", b"")


@dataclass(frozen=True, slots=True)
class Account:
    """Our credentials at Plivo."""

    base_url: str
    account_url: str
    headers: tuple[str, ...] = field(repr=False)
    sender: str = field(repr=False)
    secret: Secret = field(repr=False)

    def hosts(self) -> list[tuple[str, str]]:
        """The URLs that the account names, with the field that holds each."""
        return [("config.baseUrl", self.base_url)]


def problems(values: Mapping[str, Any]) -> list[Problem]:
    """Needs `apiKey` (auth id), `apiSecret` (auth token) and `phoneNumber`."""
    return missing(values, "apiKey", "apiSecret", "phoneNumber") + with_control_characters(
        values, "apiKey", "apiSecret"
    )


def account(values: Mapping[str, Any]) -> Account:
    """See `Vendor.account`."""
    key, secret = text_of(values, "apiKey"), text_of(values, "apiSecret")
    base_url = (text_of(config_of(values), "baseUrl") or "https://api.plivo.com").rstrip("/")
    basic = base64.b64encode(f"{key}:{secret}".encode()).decode()
    headers = (f"Authorization: Basic {basic}", "Content-Type: application/json")
    account_url = f"{base_url}/v1/Account/{quote(key, safe='')}/"
    return Account(base_url, account_url, headers, text_of(values, "phoneNumber"), Secret(secret))


def request(account: Account, message: Message) -> HttpRequest:
    """The reference travels in the callback URL."""
    body = {"src": account.sender, "dst": str(message.address), "text": message.text, "url": message.callback_url}
    return HttpRequest("POST", f"{account.account_url}Message/", account.headers, msgspec.json.encode(body))


_sent = msgspec.json.Decoder(dict[str, str | list[str]])


def outcome(_account: Account, _message: Message, answer: HttpAnswer) -> Outcome:
    """Plivo's statuses are those of HTTP."""
    code = str(answer.status)
    if answer.status == 202:
        ids = (decoded(_sent, answer.body) or {}).get("message_uuid")
        return Accepted(ids[0]) if ids else Unknown("malformed")
    if answer.status == 429:
        return Deferred("throttled", answer.retry_after_seconds or 1.0, code)
    if answer.status >= 500 or answer.status < 400:
        return Unknown("server_error" if answer.status >= 500 else "malformed", code)
    return Refused("content" if answer.status == 400 else "config", code)


def verification(account: Account) -> HttpRequest:
    """Reads our own account record."""
    return HttpRequest("GET", account.account_url, account.headers)


def verified(_account: Account, answer: HttpAnswer) -> Verification:
    """See `Vendor.verified`."""
    return Verification(works=answer.status == 200, detail=f"Plivo answered with status {answer.status}")


def is_genuine(account: Account, callback: CallbackRequest) -> bool:
    """Checks the signature over URL and nonce (version 2)."""
    nonce = callback.headers.get("x-plivo-signature-v2-nonce", "")
    signed = (callback.url.partition("?")[0] + nonce).encode()
    ours = base64.b64encode(hmac.digest(account.secret.encode(), signed, "sha256"))
    return bool(nonce) and hmac.compare_digest(ours, callback.headers.get("x-plivo-signature-v2", "").encode())


# https://www.plivo.com/docs/messaging/troubleshooting/error-codes
_CLASSES = {"40": "recipient_permanent", "50": "recipient_temporary", "200": "recipient_opted_out", "30": "content"}
_KINDS = {"queued": "accepted", "sent": "accepted", "delivered": "delivered", "undelivered": "bounced",
          "failed": "failed", "rejected": "failed"}  # fmt: skip


def read_callback(_account: Account, callback: CallbackRequest) -> CallbackContents:
    """A status callback."""
    try:
        form = dict(body_pairs(callback.body))
    except UnicodeDecodeError:
        raise CallbackMalformed("the form is not UTF-8") from None
    kind = _KINDS.get(form.get("Status", ""))
    code = form.get("ErrorCode") if kind in ("bounced", "failed") else None
    error_class = _CLASSES.get(code or "", "unknown") if kind in ("bounced", "failed") else None
    if kind is None:
        return CallbackContents()
    receipt = VendorReceipt(reference=query_of(callback.url).get("ref"), kind=kind, error_class=error_class, code=code,
                            provider_message_id=form.get("MessageUUID"))  # fmt: skip
    return CallbackContents(receipts=(receipt,))
