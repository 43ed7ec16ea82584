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


class _Problem(msgspec.Struct):
    """In callbacks the title is the code, as a text or a number, and the whole may stand one level deeper."""

    type: str | None = None
    title: str | int | None = None
    error: _Problem | None = None


_sent = msgspec.json.Decoder(_Sent)
_problem = msgspec.json.Decoder(_Problem)

# https://developer.vonage.com/en/api-errors/messages
_CLASSES: dict[str, tuple[int, ...]] = {
    "recipient_permanent": (1040, 1050, 1170, 1190, 1280, 1300, 1310, 1430),
    "recipient_opted_out": (1240, 1483),
    "recipient_temporary": (1180, 1200, 1220, 1260, 1290, 1360),
    "throttled": (1000, 1241, 1460, 1472),
    "transient": (1030, 1100, 1230, 1330, 1331),
    "content": (1010, 1020, 1090, 1130, 1150, 1210, 1270, 1282, 1410, 1440, 1450, 1473, 1480, 1482),
    "config": (1060, 1070, 1080, 1120, 1140, 1160, 1250, 1251, 1420, 1470, 1481, 1484),
}
_CLASS_OF = {str(code): error_class for error_class, codes in _CLASSES.items() for code in codes}

_NOT_SUBMITTED = "1100"
_ALREADY_SENT = "1320"
"""Vonage does not say as which message, so it proves neither a failure nor a second one."""


def _code_of(problem: _Problem) -> str | None:
    """The number at the end of the type, or the title where that is one."""
    stated = problem.error or problem
    for text in ((stated.type or "").rpartition("#")[2], str(stated.title)):
        if text.isdecimal():
            return text
    return None


def outcome(answer: HttpAnswer) -> Outcome:
    """The status alone says nothing about the recipient."""
    if answer.status < 300:
        sent = decoded(_sent, answer.body)
        return Accepted(sent.message_uuid) if sent and sent.message_uuid else Unknown("malformed")
    problem = decoded(_problem, answer.body) or _Problem()
    number = _code_of(problem)
    code = number or str(answer.status)
    error_class = _CLASS_OF.get(number or "", "unknown")
    if answer.status == 429 or (error_class == "throttled" and answer.status < 500):
        return Deferred("throttled", answer.retry_after_seconds or _THROTTLED_SECONDS, code)
    if number == _NOT_SUBMITTED and answer.status < 500:
        return Deferred("transient", None, code)
    if answer.status >= 500 or error_class == "transient":
        return Unknown("server_error", code)
    if number == _ALREADY_SENT:
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


# https://developer.vonage.com/en/messages/concepts/messages-status-callbacks
_KINDS: Mapping[str, str] = {
    "submitted": "accepted",
    "delivered": "delivered",
    "read": "opened",
    "rejected": "failed",
    "undeliverable": "failed",
}
_TO_NUMBERS = ("sms", "mms")


class _Usage(msgspec.Struct, gc=False):
    currency: str | None = None
    price: str | float | None = None


class _Callback(msgspec.Struct):
    message_uuid: str
    from_: str | None = msgspec.field(default=None, name="from")
    to: str | None = None
    timestamp: str | None = None
    channel: str | None = None
    status: str | None = None
    text: str | None = None
    client_ref: str | None = None
    error: _Problem | None = None
    usage: _Usage | None = None


_callback = msgspec.json.Decoder(_Callback)


def read_callback(callback: CallbackRequest) -> CallbackContents | None:
    """A status, or a message that a person sent to us; None for what is not of this API.

    Both final states hold every reason from a dead number to an empty account, and only the code says whether it was
    the address that bounced. Of a long text Vonage joins the parts' receipts into one.
    """
    stated = decoded(_callback, callback.body)
    if stated is None:
        return None
    if stated.status is None:
        is_text = stated.text is not None and (stated.channel or "sms") in _TO_NUMBERS
        return CallbackContents(inbound=(_inbound(stated),) if is_text else ())
    kind = _KINDS.get(stated.status.lower())
    code = _code_of(stated.error) if kind == "failed" and stated.error else None
    if code == _ALREADY_SENT:
        kind = "accepted"
    if kind is None:
        return CallbackContents()
    error_class = _CLASS_OF.get(code or "", "unknown") if kind == "failed" else None
    cost = micros_of(stated.usage.price, stated.usage.currency) if stated.usage else None
    reference, address = stated.client_ref, None
    if not reference and stated.to:  # the query is not signed, so it can name but messages to the number that is
        reference, address = query_of(callback.url).get("ref"), f"+{stated.to.lstrip('+')}"
    receipt = VendorReceipt(
        reference=reference or None,
        address=address,
        kind=kind if error_class is None else _failure_kind(error_class),
        provider_message_id=stated.message_uuid or None,
        at=time_of(stated.timestamp),
        error_class=error_class,
        code=code if error_class is not None else None,
        cost_micros=cost[0] if cost else None,
        currency=cost[1] if cost else None,
    )
    return CallbackContents(receipts=(receipt,))


def _failure_kind(error_class: str) -> str:
    if error_class == "recipient_opted_out":
        return "opted_out"
    return "bounced" if error_class.startswith("recipient_") else "failed"


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
