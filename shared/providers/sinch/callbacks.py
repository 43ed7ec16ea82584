"""Sinch's callbacks: reports for one recipient or a whole batch, and messages that people send us.

https://developers.sinch.com/docs/sms/api-reference/sms/tag/Webhooks/
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Iterable

import msgspec

from contracts.masked import PhoneNumber
from shared.providers.keywords import intent_of
from shared.providers.provider import (
    CallbackContents,
    CallbackMalformed,
    CallbackRequest,
    HttpReply,
    InboundMessage,
    VendorReceipt,
)
from shared.providers.reading import decoded, query_of, time_of
from shared.providers.sinch.account import Account

CALLBACK_REPLY = HttpReply(200, "text/plain", b"")

_SIGNED_SECONDS_MAX = 300


def is_genuine(account: Account, callback: CallbackRequest) -> bool:
    """Checks the signature over body, nonce and timestamp, and that the timestamp is of the last five minutes."""
    headers = callback.headers
    given, nonce, stamp = (headers.get(f"x-sinch-webhook-signature{name}", "") for name in ("", "-nonce", "-timestamp"))
    algorithm = headers.get("x-sinch-webhook-signature-algorithm", "HmacSHA256")
    if not given or algorithm.lower() != "hmacsha256" or not (stamp.isascii() and stamp.isdecimal()):
        return False
    if abs(time.time() - int(stamp[:12])) > _SIGNED_SECONDS_MAX:
        return False
    signed = b"%b.%b.%b" % (callback.body, nonce.encode(), stamp.encode())
    found = False
    for secret in account.secrets:
        ours = base64.b64encode(hmac.digest(secret.encode(), signed, hashlib.sha256))
        found |= hmac.compare_digest(ours, given.encode())
    return found


# https://developers.sinch.com/docs/sms/api-reference/sms/tag/Delivery-reports/
_CLASSES: dict[str, tuple[int, ...]] = {
    "recipient_permanent": (1, 5, 300, 402),
    "recipient_temporary": (404,),
    "transient": (403, 406),
    "content": (405, 408, 411, 414, 415, 416, 417, 418),
    "config": (410, 412, 413),
    "unknown": (407,),
}
_CLASS_OF = {code: error_class for error_class, codes in _CLASSES.items() for code in codes}
_KINDS = {
    "queued": "accepted",
    "dispatched": "accepted",
    "unknown": "accepted",
    "delivered": "delivered",
    "failed": "bounced",
    "expired": "bounced",
    "deleted": "bounced",  # by the remote SMSC: a number that is none, or one that opted out; Sinch does not say which
    "rejected": "failed",
    "aborted": "failed",
    "cancelled": "failed",
    "canceled": "failed",
}


class _Status(msgspec.Struct, gc=False):
    status: str
    code: int = 0
    recipients: list[str] = []


class _Callback(msgspec.Struct):
    type: str
    batch_id: str = ""
    client_reference: str | None = None
    recipient: str = ""
    status: str = ""
    code: int = 0
    at: str | None = None
    statuses: list[_Status] = []
    id: str = ""
    from_: str = msgspec.field(default="", name="from")
    to: str = ""
    body: str = ""


_callback = msgspec.json.Decoder(_Callback)


def read_callback(_account: Account, callback: CallbackRequest) -> CallbackContents:
    """Receipts for one recipient or for a whole batch, or a message that a person sent to us."""
    stated = decoded(_callback, callback.body)
    if stated is None:
        raise CallbackMalformed("not a callback of Sinch")
    if stated.type == "mo_text":
        return CallbackContents(inbound=(_inbound(stated),))
    if stated.type == "recipient_delivery_report_sms":
        stated.statuses = [_Status(stated.status, stated.code, [stated.recipient])]
    elif stated.type != "delivery_report_sms":
        return CallbackContents()
    reference = stated.client_reference or query_of(callback.url).get("ref") or None
    return CallbackContents(receipts=tuple(_receipts(stated, reference)))


def _receipts(stated: _Callback, reference: str | None) -> Iterable[VendorReceipt]:
    at = time_of(stated.at)
    for status in stated.statuses:
        kind = _KINDS.get(status.status.lower())
        if kind is None:
            continue
        failed = kind in ("bounced", "failed")
        for recipient in status.recipients:
            digits = recipient.lstrip("+")
            if not digits:
                raise CallbackMalformed("a report without a recipient")
            yield VendorReceipt(
                reference=reference,
                kind=kind,
                provider_message_id=stated.batch_id or None,
                address=f"+{digits}",
                at=at,
                error_class=_CLASS_OF.get(status.code, "unknown") if failed else None,
                code=str(status.code) if failed else None,
            )


def _inbound(stated: _Callback) -> InboundMessage:
    if not stated.from_:
        raise CallbackMalformed("an inbound message without from")
    return InboundMessage(
        address=PhoneNumber(f"+{stated.from_.lstrip('+')}"),
        to=stated.to,
        text=stated.body,
        intent=intent_of(stated.body),
        provider_message_id=stated.id or None,
    )
