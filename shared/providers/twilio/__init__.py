"""Twilio Programmable Messaging: one SMS a request, signed status webhooks, prices when asked, no idempotency.

https://www.twilio.com/docs/messaging/api/message-resource
"""

from __future__ import annotations

import msgspec

from shared.providers.forms import form_quoted
from shared.providers.provider import (
    Accepted,
    Capabilities,
    Deferred,
    HttpAnswer,
    HttpReply,
    HttpRequest,
    Message,
    Outcome,
    Refused,
    Unknown,
    Verification,
)
from shared.providers.reading import decoded
from shared.providers.standing import authorize
from shared.providers.twilio.account import Account, account, problems
from shared.providers.twilio.callbacks import is_genuine, read_callback
from shared.providers.twilio.codes import error_class_of, segments_of
from shared.providers.twilio.records import finding, price_question, prices, question

__all__ = [
    "CALLBACK_REPLY",
    "CAPABILITIES",
    "account",
    "authorize",
    "finding",
    "is_genuine",
    "outcome",
    "price_question",
    "prices",
    "problems",
    "question",
    "read_callback",
    "request",
    "verification",
    "verified",
]

CAPABILITIES = Capabilities(
    channel="sms",
    provider_type="twilio",
    official_hosts=frozenset({"api.twilio.com"}),
    batch_max=1,
    in_flight_max=100,
    receipts="webhook",
    resend_is_safe=False,
    can_be_asked=True,
    price="later",
    rate_unit="segments",
)
CALLBACK_REPLY = HttpReply(200, "text/xml", b"<Response/>")

_THROTTLED_SECONDS = 1.0
_TTL_SECONDS_MAX = 36_000


def request(account: Account, message: Message) -> HttpRequest:
    """See `Vendor.request`."""
    parts = [account.sender_field, "&To=", form_quoted(message.address), "&Body=", form_quoted(message.text)]
    if message.callback_url is not None:
        parts += ("&StatusCallback=", form_quoted(message.callback_url))
    if message.ttl_seconds is not None:
        parts.append(f"&ValidityPeriod={min(max(message.ttl_seconds, 1), _TTL_SECONDS_MAX)}")
    return HttpRequest("POST", account.messages_url, account.headers, "".join(parts).encode())


class _SentMessage(msgspec.Struct, gc=False):
    sid: str
    num_segments: str | int | None = None


class _Error(msgspec.Struct, gc=False):
    code: int | None = None


_sent_message = msgspec.json.Decoder(_SentMessage)
_error = msgspec.json.Decoder(_Error)


def outcome(_account: Account, _message: Message, answer: HttpAnswer) -> Outcome:
    """429 is documented as never processed; a 5xx is not, so the message may have been taken."""
    if answer.status < 300:
        sent = decoded(_sent_message, answer.body)
        if sent is None or not sent.sid:
            return Unknown("malformed")
        return Accepted(sent.sid, segments_of(sent.num_segments))
    error = decoded(_error, answer.body)
    number = error.code if error else None
    code = str(number) if number is not None else str(answer.status)
    error_class = error_class_of(number)
    if answer.status == 429 or (error_class == "throttled" and answer.status < 500):
        return Deferred("throttled", answer.retry_after_seconds or _THROTTLED_SECONDS, code)
    if answer.status >= 500:
        return Unknown("server_error", code)
    if error_class == "unknown" and answer.status in (401, 403, 404):
        return Refused("config", code)
    return Refused(error_class if number is not None else "content" if answer.status == 400 else "config", code)


def verification(account: Account) -> HttpRequest:
    """Reads our own account record."""
    return HttpRequest("GET", account.account_url, account.headers)


class _AccountRecord(msgspec.Struct):
    status: str = "active"


_account_record = msgspec.json.Decoder(_AccountRecord)


def verified(_account: Account, answer: HttpAnswer) -> Verification:
    """See `Vendor.verified`."""
    if answer.status == 200:
        record = decoded(_account_record, answer.body)
        if record is None:
            return Verification(works=False, detail="the answer is not Twilio's")
        return Verification(works=record.status == "active", detail=f"the account is {record.status}")
    if answer.status in (401, 403, 404):
        return Verification(works=False, detail="Twilio refused the credentials")
    return Verification(works=False, detail=f"Twilio answered with status {answer.status}")
