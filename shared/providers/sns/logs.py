"""Delivery logs and events of SNS: what became of a message, by the id that SNS gave it.

https://docs.aws.amazon.com/sns/latest/dg/sms_stats_cloudwatch.html, …/sns-msg-status.html, …/sms-voice/…/event-types
"""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import msgspec

from shared.providers.provider import CallbackContents, CallbackMalformed, HttpReply, VendorReceipt
from shared.providers.reading import decoded, micros_of, time_of

_UNPACKED_BYTES_MAX = 8 * 1024 * 1024
_RECORDS_MAX = 10_000

# --- from a delivery to its records ----------------------------------------------------------------------------------


class _FirehoseRecord(msgspec.Struct):
    data: str


class _Firehose(msgspec.Struct):
    """https://docs.aws.amazon.com/firehose/latest/dev/httpdeliveryrequestresponse.html"""

    requestId: str
    timestamp: int
    records: list[_FirehoseRecord]


class _LogEvent(msgspec.Struct):
    message: str


class _LogDelivery(msgspec.Struct):
    """https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html"""

    messageType: str
    logEvents: list[_LogEvent] = []


class _Packed(msgspec.Struct):
    data: str


class _FromLambda(msgspec.Struct):
    awslogs: _Packed


_firehose = msgspec.json.Decoder(_Firehose)
_log_delivery = msgspec.json.Decoder(_LogDelivery)
_from_lambda = msgspec.json.Decoder(_FromLambda)


def read_delivery(body: bytes) -> CallbackContents:
    """Logs as Amazon Data Firehose posts them, or a subscription's payload as a function forwards it."""
    body = _unpacked(body)
    firehose = decoded(_firehose, body)
    if firehose is not None:
        reply = msgspec.json.encode({"requestId": firehose.requestId, "timestamp": firehose.timestamp})
        events: list[bytes] = []
        left = _UNPACKED_BYTES_MAX
        for record in firehose.records:
            unpacked = _unpacked(_plain(record.data), left)
            left -= len(unpacked)
            events += _events(unpacked)
        return CallbackContents(receipts=read_records(events), reply=HttpReply(200, "application/json", reply))
    forwarded = decoded(_from_lambda, body)
    if forwarded is not None:
        body = _unpacked(_plain(forwarded.awslogs.data))
    return CallbackContents(receipts=read_records(_events(body)))


def _plain(data: str) -> bytes:
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise CallbackMalformed("a record that is not base64") from None


def _unpacked(data: bytes, bytes_max: int = _UNPACKED_BYTES_MAX) -> bytes:
    """What was gzipped, within a limit: a small body can unpack to gigabytes."""
    if data[:2] != b"\x1f\x8b":
        return data
    reader = zlib.decompressobj(16 + zlib.MAX_WBITS)
    try:
        unpacked = reader.decompress(data, max(bytes_max, 1))
    except zlib.error:
        raise CallbackMalformed("a gzip that is broken") from None
    if reader.unconsumed_tail or not reader.eof:
        raise CallbackMalformed("a gzip that is cut off or too large")
    return unpacked


def _events(body: bytes) -> list[bytes]:
    delivery = decoded(_log_delivery, body)
    if delivery is None:
        raise CallbackMalformed("not a delivery of CloudWatch Logs")
    if delivery.messageType != "DATA_MESSAGE":
        return []
    return [event.message.encode() for event in delivery.logEvents[:_RECORDS_MAX]]


# --- from records to receipts ----------------------------------------------------------------------------------------


class _Notification(msgspec.Struct):
    messageId: str
    timestamp: str | None = None


class _Delivery(msgspec.Struct):
    providerResponse: str | None = None
    priceInUSD: float | None = None
    dwellTimeMsUntilDeviceAck: float | None = None
    statusCode: int | None = None
    phoneCarrier: str | None = None
    smsType: str | None = None


class _Record(msgspec.Struct):
    notification: _Notification
    delivery: _Delivery
    status: str


class _Failure(msgspec.Struct, rename="pascal"):
    """https://docs.aws.amazon.com/sns/latest/dg/application-event-notifications.html"""

    event_type: str
    message_id: str
    failure_type: str = ""
    time: str | None = None


class _TextEvent(msgspec.Struct):
    """https://docs.aws.amazon.com/sms-voice/latest/userguide/configuration-sets-event-format.html"""

    eventType: str
    messageId: str
    eventTimestamp: int | None = None
    totalMessagePrice: float | None = None
    totalCarrierFee: float | None = None


_record = msgspec.json.Decoder(_Record)
_failure = msgspec.json.Decoder(_Failure)
_text_event = msgspec.json.Decoder(_TextEvent)

_PHRASES = (
    ("opted out", "recipient_opted_out"),
    ("invalid phone number", "recipient_permanent"),
    ("unregistered", "recipient_permanent"),
    ("baddevicetoken", "recipient_permanent"),
    ("invalidregistration", "recipient_permanent"),
    ("notregistered", "recipient_permanent"),
    ("sender_id_mismatch", "recipient_permanent"),
    ("mismatchsenderid", "recipient_permanent"),
    ("devicetokennotfortopic", "recipient_permanent"),
    ("endpoint is disabled", "recipient_permanent"),
    ("blocked", "content"),
    ("unreachable", "recipient_temporary"),
    ("spam", "content"),
    ("body is invalid", "content"),
    ("max price", "config"),
    ("spending limit", "config"),
    ("no quota left", "config"),
    ("providertoken", "config"),
    ("third_party_auth_error", "config"),
    ("topicdisallowed", "config"),
    ("payloadtoolarge", "content"),
    ("throttl", "throttled"),
)
_CURRENCY = "USD"
_TEXT_EVENTS: dict[str, tuple[str, str | None]] = {
    "TEXT_QUEUED": ("accepted", None),
    "TEXT_SENT": ("accepted", None),
    "TEXT_PENDING": ("accepted", None),
    "TEXT_SUCCESSFUL": ("accepted", None),
    "TEXT_UNKNOWN": ("accepted", None),
    "TEXT_DELIVERED": ("delivered", None),
    "TEXT_INVALID": ("bounced", "recipient_permanent"),
    "TEXT_INVALID_MESSAGE": ("failed", "content"),
    "TEXT_UNREACHABLE": ("bounced", "recipient_temporary"),
    "TEXT_CARRIER_UNREACHABLE": ("bounced", "transient"),
    "TEXT_BLOCKED": ("bounced", "recipient_temporary"),
    "TEXT_CARRIER_BLOCKED": ("bounced", "content"),
    "TEXT_SPAM": ("bounced", "content"),
    "TEXT_TTL_EXPIRED": ("failed", "content"),
    "TEXT_PROTECT_BLOCKED": ("failed", "config"),
}


def read_records(records: Iterable[bytes]) -> tuple[VendorReceipt, ...]:
    """One receipt per record that states something about a message; the others say nothing to us."""
    return tuple(receipt for record in records if (receipt := _read(record)) is not None)


def _read(record: bytes) -> VendorReceipt | None:
    logged = decoded(_record, record)
    if logged is not None:
        return _logged(logged)
    failure = decoded(_failure, record)
    if failure is not None and failure.event_type == "DeliveryFailure":
        is_dead = failure.failure_type in ("InvalidPlatformToken", "EndpointDisabled", "PlatformTokenInvalid")
        return _receipt(
            failure.message_id,
            "failed",
            time_of(failure.time),
            "recipient_permanent" if is_dead else "unknown",
            failure.failure_type or None,
        )
    event = decoded(_text_event, record)
    return _told(event) if event is not None else None


def _logged(logged: _Record) -> VendorReceipt:
    """SUCCESS is the carrier's or the platform's word; only a device's acknowledgement is a delivery."""
    delivery = logged.delivery
    at = time_of((logged.notification.timestamp or "").replace(" ", "T"))
    price = micros_of(delivery.priceInUSD, _CURRENCY)
    if logged.status == "SUCCESS":
        kind = "delivered" if delivery.dwellTimeMsUntilDeviceAck is not None else "accepted"
        return _receipt(logged.notification.messageId, kind, at, price=price)
    said = (delivery.providerResponse or "").lower()
    is_dead = delivery.statusCode == 410
    error_class = next((error_class for phrase, error_class in _PHRASES if phrase in said), "unknown")
    error_class = "recipient_permanent" if is_dead else error_class
    kind = "opted_out" if error_class == "recipient_opted_out" else "bounced"
    code = None if delivery.statusCode is None else str(delivery.statusCode)
    return _receipt(logged.notification.messageId, kind, at, error_class, code, price)


def _told(event: _TextEvent) -> VendorReceipt | None:
    known = _TEXT_EVENTS.get(event.eventType)
    if known is None:
        return None
    total = None if event.totalMessagePrice is None else event.totalMessagePrice + (event.totalCarrierFee or 0.0)
    at = _moment(event.eventTimestamp)
    code = event.eventType if known[1] else None
    return _receipt(event.messageId, known[0], at, known[1], code, micros_of(total, _CURRENCY))


def _moment(milliseconds: int | None) -> datetime | None:
    try:
        return None if milliseconds is None else datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _receipt(
    message_id: str,
    kind: str,
    at: datetime | None,
    error_class: str | None = None,
    code: str | None = None,
    price: tuple[int, str] | None = None,
) -> VendorReceipt:
    costs: dict[str, Any] = {} if price is None else {"cost_micros": price[0], "currency": price[1]}
    return VendorReceipt(
        reference=None,
        kind=kind,
        provider_message_id=message_id,
        at=at,
        error_class=error_class,
        code=code,
        **costs,
    )
