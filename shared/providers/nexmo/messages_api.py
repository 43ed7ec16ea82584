"""Vonage's Messages API, version 1. https://developer.vonage.com/en/api/messages"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from contracts.masked import PhoneNumber
from shared.providers.keywords import intent_of
from shared.providers.nexmo.account import Account
from shared.providers.nexmo.signatures import is_token_genuine
from shared.providers.provider import (
    Accepted,
    CallbackContents,
    CallbackMalformed,
    CallbackRequest,
    Deferred,
    HttpAnswer,
    HttpRequest,
    InboundMessage,
    Message,
    Outcome,
    Refused,
    Unknown,
    VendorReceipt,
)
from shared.providers.reading import decoded, micros_of, query_of, time_of

_TTL_SECONDS_MIN, _TTL_SECONDS_MAX = 20, 604_800
_THROTTLED_SECONDS = 1.0


def request(account: Account, message: Message) -> HttpRequest:
    """The reference comes back as `client_ref`."""
    body: dict[str, object] = {
        "to": message.address.lstrip("+"),
        "client_ref": message.reference,
        "from": account.sender,
        "text": message.text,
        "sms": {"encoding_type": "auto"},
        "channel": "sms",
        "message_type": "text",
    }
    if message.callback_url is not None:
        body |= {"webhook_url": message.callback_url, "webhook_version": "v1"}
    if message.ttl_seconds is not None:
        body["ttl"] = min(max(message.ttl_seconds, _TTL_SECONDS_MIN), _TTL_SECONDS_MAX)
    return HttpRequest("POST", account.send_url, account.headers(), msgspec.json.encode(body))


class _Sent(msgspec.Struct, gc=False):
    message_uuid: str


class _Problem(msgspec.Struct, gc=False):
    type: str = ""
    title: str = ""


_sent = msgspec.json.Decoder(_Sent)
_problem = msgspec.json.Decoder(_Problem)

# https://developer.vonage.com/en/api-errors/messages
_CLASSES: dict[str, tuple[int, ...]] = {
    "recipient_permanent": (1040, 1050, 1170, 1190, 1280, 1300, 1310, 1430),
    "recipient_opted_out": (1240,),
    "recipient_temporary": (1180, 1200, 1220, 1290),
    "throttled": (1000, 1241),
    "transient": (1030, 1100, 1230, 1330, 1331),
    "content": (1010, 1020, 1090, 1130, 1210, 1270),
    "config": (1060, 1070, 1080, 1120, 1140, 1160, 1250, 1420),
    "unknown": (1320,),  # "already sent", but not as which message
}
_CLASS_OF = {str(code): error_class for error_class, codes in _CLASSES.items() for code in codes}


def _code_of(problem: _Problem) -> str | None:
    """The number at the end of the type, or the title where that is one."""
    number = problem.type.rpartition("#")[2]
    if number in _CLASS_OF or number.isdecimal():
        return number
    return problem.title if problem.title.isdecimal() else None


def outcome(answer: HttpAnswer) -> Outcome:
    """The status alone says nothing about the recipient."""
    if answer.status in (200, 202):
        sent = decoded(_sent, answer.body)
        return Accepted(sent.message_uuid) if sent and sent.message_uuid else Unknown("malformed")
    problem = decoded(_problem, answer.body) or _Problem()
    number = _code_of(problem)
    code = number or str(answer.status)
    error_class = _CLASS_OF.get(number or "", "unknown")
    if answer.status == 429 or (error_class == "throttled" and answer.status < 500):
        return Deferred("throttled", answer.retry_after_seconds or _THROTTLED_SECONDS, code)
    if answer.status >= 500 or error_class == "transient":
        return Unknown("server_error", code)
    if number == "1320":
        return Unknown("already_sent", code)
    if answer.status < 400:
        return Unknown("malformed", code)
    if answer.status in (400, 422):
        return Refused(error_class if error_class != "unknown" else "content", code)
    return Refused("config", code)


def is_genuine(account: Account, callback: CallbackRequest) -> bool:
    """Checks the token in `Authorization`."""
    authorization = callback.headers.get("authorization", "")
    return is_token_genuine(authorization, callback.body, account.api_key, account.signature_secrets)


_KINDS: Mapping[str, str] = {
    "submitted": "accepted",
    "delivered": "delivered",
    "read": "opened",
    "rejected": "failed",
    "undeliverable": "bounced",
}


class _Usage(msgspec.Struct, gc=False):
    currency: str | None = None
    price: str | float | None = None


class _Callback(msgspec.Struct):
    message_uuid: str
    from_: str | None = msgspec.field(default=None, name="from")
    to: str | None = None
    timestamp: str | None = None
    status: str | None = None
    text: str | None = None
    client_ref: str | None = None
    error: _Problem | None = None
    usage: _Usage | None = None


_callback = msgspec.json.Decoder(_Callback)


def read_callback(callback: CallbackRequest) -> CallbackContents:
    """A status, or a message that a person sent to us."""
    stated = decoded(_callback, callback.body)
    if stated is None:
        raise CallbackMalformed("not a callback of the Messages API")
    if stated.status is None:
        return CallbackContents(inbound=(_inbound(stated),)) if stated.text is not None else CallbackContents()
    kind = _KINDS.get(stated.status.lower())
    if kind is None:
        return CallbackContents()
    failed = kind in ("failed", "bounced")
    code = _code_of(stated.error) if failed and stated.error else None
    error_class = _CLASS_OF.get(code or "", "unknown") if failed else None
    cost = micros_of(stated.usage.price, stated.usage.currency) if stated.usage else None
    receipt = VendorReceipt(
        reference=stated.client_ref or query_of(callback.url).get("ref") or None,
        kind="opted_out" if error_class == "recipient_opted_out" else kind,
        provider_message_id=stated.message_uuid or None,
        at=time_of(stated.timestamp),
        error_class=error_class,
        code=code,
        cost_micros=cost[0] if cost else None,
        currency=cost[1] if cost else None,
    )
    return CallbackContents(receipts=(receipt,))


def _inbound(stated: _Callback) -> InboundMessage:
    if not stated.from_:
        raise CallbackMalformed("an inbound message without from")
    text = stated.text or ""
    return InboundMessage(
        address=PhoneNumber(f"+{stated.from_.lstrip('+')}"),
        to=stated.to or "",
        text=text,
        intent=intent_of(text),
        provider_message_id=stated.message_uuid or None,
    )
