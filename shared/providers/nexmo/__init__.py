"""Nexmo (Vonage), Messages API or the older SMS API: one SMS a request, signed receipts with prices, no idempotency.

https://developer.vonage.com/en/api/messages, https://developer.vonage.com/en/api/sms
`config.api` chooses the one that sends. Callbacks of both are read, whichever sends: the account's own settings at
Vonage decide by which of them a person's message comes. What they share is in `account`, what they sign with in
`signatures`.
"""

from __future__ import annotations

import msgspec

from shared.providers.nexmo import messages_api, sms_api
from shared.providers.nexmo.account import Account, account, problems
from shared.providers.provider import (
    CallbackContents,
    CallbackRequest,
    Capabilities,
    HttpAnswer,
    HttpReply,
    HttpRequest,
    Message,
    Outcome,
    Verification,
)
from shared.providers.reading import decoded
from shared.providers.silent import finding, question
from shared.providers.standing import authorize

__all__ = [
    "CALLBACK_REPLY",
    "CAPABILITIES",
    "account",
    "authorize",
    "finding",
    "is_genuine",
    "is_unsigned",
    "outcome",
    "problems",
    "question",
    "read_callback",
    "request",
    "verification",
    "verified",
]

CAPABILITIES = Capabilities(
    channel="sms",
    provider_type="nexmo",
    official_hosts=frozenset({"api.nexmo.com", "rest.nexmo.com"}),
    batch_max=1,
    in_flight_max=30,
    receipts="webhook",
    resend_is_safe=False,
    can_be_asked=False,
    price="response",
    receipts_per_part=True,
    repeats_unsigned=True,
    rate_unit="requests",
    calls_by_get=True,
)
CALLBACK_REPLY = HttpReply(200, "text/plain", b"")


def request(account: Account, message: Message) -> HttpRequest:
    """See `SingleVendor.request`."""
    return sms_api.request(account, message) if account.is_sms_api else messages_api.request(account, message)


def outcome(account: Account, _message: Message, answer: HttpAnswer) -> Outcome:
    """See `SingleVendor.outcome`."""
    return sms_api.outcome(answer) if account.is_sms_api else messages_api.outcome(answer)


def is_genuine(account: Account, callback: CallbackRequest) -> bool:
    """See `Vendor.is_genuine`. Without `config.signatureSecret` nothing is believed."""
    if callback.method != "GET" and _has_token(callback):
        return messages_api.is_genuine(account, callback)
    return sms_api.is_genuine(account, callback)


def _has_token(callback: CallbackRequest) -> bool:
    return callback.headers.get("authorization", "")[:7].lower() == "bearer "


# https://developer.vonage.com/en/getting-started/concepts/webhooks
def is_unsigned(account: Account, callback: CallbackRequest) -> bool:
    """See `RepeatingVendor.is_unsigned`: what Vonage sends in rare internal errors."""
    return bool(account.signature_secrets) and not _has_token(callback) and not sms_api.is_signed(callback)


def read_callback(_account: Account, callback: CallbackRequest) -> CallbackContents:
    """See `Vendor.read_callback`. By GET comes the SMS API alone: what such a request has for a body is not signed."""
    if callback.method == "GET":
        return sms_api.read_callback(callback)
    return messages_api.read_callback(callback) or sms_api.read_callback(callback)


class _Balance(msgspec.Struct):
    value: float


_balance = msgspec.json.Decoder(_Balance)


def verification(account: Account) -> HttpRequest:
    """Reads the balance, for which key and secret are needed whatever the messages are sent with."""
    return HttpRequest("GET", account.balance_url, account.basic)


def verified(_account: Account, answer: HttpAnswer) -> Verification:
    """See `Vendor.verified`."""
    balance = decoded(_balance, answer.body) if answer.status == 200 else None
    if balance is not None:
        return Verification(works=True, detail=f"the balance is {'' if balance.value > 0 else 'not '}positive")
    if answer.status in (401, 403):
        return Verification(works=False, detail="Vonage refused the key or the secret")
    return Verification(works=False, detail=f"Vonage answered with status {answer.status}")
