"""Vonage's older SMS API. https://developer.vonage.com/en/api/sms

Long texts come back as several parts, each with an id and a receipt of its own; they share our reference.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec

from contracts.content import count_segments
from contracts.masked import PhoneNumber
from shared.providers.forms import form_pairs, form_quoted
from shared.providers.keywords import intent_of
from shared.providers.nexmo.account import Account
from shared.providers.nexmo.signatures import are_parameters_genuine
from shared.providers.provider import (
    PARTS_MAX,
    Accepted,
    CallbackContents,
    CallbackMalformed,
    CallbackRequest,
    Deferred,
    HttpAnswer,
    HttpRequest,
    InboundMessage,
    InboundPart,
    Message,
    Outcome,
    Refused,
    Unknown,
    VendorReceipt,
)
from shared.providers.reading import decoded, micros_of, query_of

_TTL_MS_MIN, _TTL_MS_MAX = 20_000, 604_800_000
_CALLBACK_LENGTH_MAX = 100
"""A longer URL is refused; receipts then go where the account's settings say."""

_THROTTLED_SECONDS = 1.0
_CURRENCY = "EUR"


def request(account: Account, message: Message) -> HttpRequest:
    """The reference comes back as `client-ref`; a text that is not GSM must be declared."""
    kind = "text" if count_segments(message.text).encoding == "GSM-7" else "unicode"
    parts = [
        f"from={form_quoted(account.sender)}&to={message.address.lstrip('+')}&type={kind}&status-report-req=1",
        f"&client-ref={form_quoted(message.reference)}&text={form_quoted(message.text)}",
    ]
    callback = (message.callback_url or "").partition("?")[0]
    if callback and len(callback) <= _CALLBACK_LENGTH_MAX:
        parts.append(f"&callback={form_quoted(callback)}")
    if message.ttl_seconds is not None:
        parts.append(f"&ttl={min(max(message.ttl_seconds * 1000, _TTL_MS_MIN), _TTL_MS_MAX)}")
    return HttpRequest("POST", account.send_url, account.headers(), "".join(parts).encode())


class _Part(msgspec.Struct, gc=False):
    status: str | int
    message_id: str = msgspec.field(default="", name="message-id")
    message_price: str | float | None = msgspec.field(default=None, name="message-price")


class _Sent(msgspec.Struct):
    messages: list[_Part]


_sent = msgspec.json.Decoder(_Sent)

# https://developer.vonage.com/en/messaging/sms/guides/troubleshooting-sms
_SUBMIT: dict[str, tuple[int, ...]] = {
    "recipient_permanent": (6, 7, 33),
    "throttled": (1, 10),
    "transient": (5,),
    "content": (2, 3, 12),
    "config": (4, 8, 9, 11, 14, 15, 22, 23, 29, 32),
}
_SUBMIT_CLASS = {str(code): error_class for error_class, codes in _SUBMIT.items() for code in codes}

# https://developer.vonage.com/en/messaging/sms/guides/delivery-receipts
_RECEIPT: dict[str, tuple[int, ...]] = {
    "recipient_permanent": (3, 4, 12, 14),
    "recipient_opted_out": (9, 53),
    "recipient_temporary": (2, 5, 7, 15),
    "transient": (1, 8, 99),
    "content": (6, 10, 13, 50, 52),
    "config": (11, 51, 54),
}
_RECEIPT_CLASS = {str(code): error_class for error_class, codes in _RECEIPT.items() for code in codes}


def outcome(answer: HttpAnswer) -> Outcome:
    """Answers have status 200 whatever they say; a text of which only some parts were taken is unknown."""
    if answer.status == 429:
        return Deferred("throttled", answer.retry_after_seconds or _THROTTLED_SECONDS, "429")
    if answer.status >= 500:
        return Unknown("server_error", str(answer.status))
    sent = decoded(_sent, answer.body)
    if sent is None or not sent.messages:
        return Unknown("malformed") if answer.status < 400 else Refused("config", str(answer.status))
    failed = [str(part.status) for part in sent.messages if str(part.status) != "0"]
    if not failed:
        return _accepted(sent.messages)
    if len(failed) < len(sent.messages):
        return Unknown("partial", failed[0])
    error_class = _SUBMIT_CLASS.get(failed[0], "unknown")
    if error_class == "throttled":
        return Deferred("throttled", answer.retry_after_seconds or _THROTTLED_SECONDS, failed[0])
    return Unknown("server_error", failed[0]) if error_class == "transient" else Refused(error_class, failed[0])


def _accepted(parts: list[_Part]) -> Outcome:
    if not parts[0].message_id:
        return Unknown("malformed")
    prices = [micros_of(part.message_price, _CURRENCY) for part in parts]
    known = [price[0] for price in prices if price is not None]
    if len(known) < len(parts):
        return Accepted(parts[0].message_id, len(parts))
    return Accepted(parts[0].message_id, len(parts), sum(known), _CURRENCY)


def is_genuine(account: Account, callback: CallbackRequest) -> bool:
    """Checks `sig` over all parameters, wherever the account's settings put them."""
    parameters = _parameters(callback)
    return bool(parameters) and are_parameters_genuine(parameters, account.signature_method, account.signature_secrets)


def is_signed(callback: CallbackRequest) -> bool:
    """True for parameters with a signature, whether it is good or not."""
    return "sig" in _parameters(callback)


_flat = msgspec.json.Decoder(dict[str, str | int | float | None])


def _parameters(callback: CallbackRequest) -> dict[str, str]:
    if callback.method == "GET":
        return query_of(callback.url)
    if callback.body.lstrip()[:1] == b"{":
        stated = decoded(_flat, callback.body) or {}
        return {name: str(value) for name, value in stated.items() if value is not None}
    try:
        return dict(form_pairs(callback.body.decode()))
    except UnicodeDecodeError:
        return {}


_KINDS: Mapping[str, str] = {
    "accepted": "accepted",
    "buffered": "accepted",
    "unknown": "accepted",
    "delivered": "delivered",
    "expired": "bounced",
    "failed": "bounced",
    "rejected": "failed",
}


def read_callback(callback: CallbackRequest) -> CallbackContents:
    """The receipt of one part, or a message (or one part of a long one) that a person sent to us.

    Prices are left out: they repeat, part by part, what the answer to the request has said.
    """
    stated = _parameters(callback)
    message_id = stated.get("messageId", "")
    if not message_id:
        raise CallbackMalformed("no messageId")
    if "text" in stated and "status" not in stated:
        return CallbackContents(inbound=(_inbound(stated, message_id),))
    kind = _KINDS.get(stated.get("status", "").lower())
    if kind is None:
        return CallbackContents()
    failed = kind in ("bounced", "failed")
    code = stated.get("err-code") or None
    unstated = "recipient_temporary" if stated["status"].lower() == "expired" else "unknown"
    error_class = _RECEIPT_CLASS.get((code or "").lstrip("0"), unstated) if failed else None
    receipt = VendorReceipt(
        reference=stated.get("client-ref") or None,
        kind="opted_out" if error_class == "recipient_opted_out" else kind,
        provider_message_id=message_id,
        part=message_id,
        at=_time_of(stated.get("message-timestamp")),
        error_class=error_class,
        code=code if failed else None,
    )
    return CallbackContents(receipts=(receipt,))


def _time_of(text: str | None) -> datetime | None:
    try:
        return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC) if text else None
    except ValueError:
        return None


def _inbound(stated: Mapping[str, str], message_id: str) -> InboundMessage:
    if not stated.get("msisdn"):
        raise CallbackMalformed("an inbound message without msisdn")
    part = _part_of(stated)
    return InboundMessage(
        address=PhoneNumber(f"+{stated['msisdn'].lstrip('+')}"),
        to=stated.get("to", ""),
        text=stated["text"],
        intent=intent_of(stated["text"]) if part is None or part.number == 1 else "other",
        provider_message_id=message_id,
        part=part,
    )


# https://developer.vonage.com/en/messaging/sms/guides/inbound-sms
def _part_of(stated: Mapping[str, str]) -> InboundPart | None:
    if stated.get("concat", "").lower() != "true":
        return None
    reference, number, total = (stated.get(f"concat-{name}", "") for name in ("ref", "part", "total"))
    if not (number.isascii() and number.isdecimal() and total.isascii() and total.isdecimal()):
        return None
    part = InboundPart(reference, int(number[:4]), int(total[:4]))
    return part if 1 <= part.number <= part.total <= PARTS_MAX and part.total > 1 else None
