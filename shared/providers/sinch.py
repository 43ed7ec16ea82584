"""Sinch SMS (XMS): up to 1,000 recipients a request, each with a text of their own; signed receipts, no idempotency.

https://developers.sinch.com/docs/sms/api-reference/
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import msgspec

from contracts.masked import PhoneNumber, Secret
from shared.providers.forms import form_quoted
from shared.providers.http_provider import SPLIT
from shared.providers.keywords import intent_of
from shared.providers.provider import (
    Absent,
    Accepted,
    CallbackContents,
    CallbackMalformed,
    CallbackRequest,
    Capabilities,
    Deferred,
    Finding,
    Found,
    HttpAnswer,
    HttpReply,
    HttpRequest,
    InboundMessage,
    Message,
    Outcome,
    Problem,
    Refused,
    Unclear,
    Unknown,
    VendorReceipt,
    Verification,
)
from shared.providers.reading import (
    config_of,
    decoded,
    missing,
    query_of,
    secrets_of,
    text_of,
    time_of,
    with_control_characters,
)
from shared.providers.standing import authorize as authorize

REGIONS = ("us", "eu", "au", "br", "ca")

CAPABILITIES = Capabilities(
    channel="sms",
    provider_type="sinch",
    official_hosts=frozenset(f"{region}.sms.api.sinch.com" for region in REGIONS),
    batch_max=1000,
    in_flight_max=20,
    receipts="webhook",
    resend_is_safe=False,
    can_be_asked=True,
    price="none",
)
CALLBACK_REPLY = HttpReply(200, "text/plain", b"")

_THROTTLED_SECONDS = 1.0
_CLOCK_SKEW = timedelta(seconds=5)
_SIGNED_SECONDS_MAX = 300
_TTL_SECONDS_MAX = 3 * 86_400
_TEXT_MAX = 1600
"""Characters of a text that can be one recipient's parameter; a longer one is the body of a request of its own."""

_LISTED_MAX = 20
_ASKED_SECONDS = 60
_PARAMETER = "text"


@dataclass(frozen=True, slots=True)
class Account:
    """Our service plan at Sinch."""

    base_url: str
    batches_url: str
    headers: tuple[str, ...] = field(repr=False)
    sender: str = field(repr=False)
    secrets: tuple[Secret, ...] = field(repr=False)

    def hosts(self) -> list[tuple[str, str]]:
        """The URLs that the account names, with the field that holds each."""
        return [("config.baseUrl", self.base_url)]


def problems(values: Mapping[str, Any]) -> list[Problem]:
    """Needs `apiKey` (the API token), `config.servicePlanId` and `config.webhookSecret`.

    `config.region` is us by default; `phoneNumber` is the sender, unless the plan has a default one. While a webhook
    secret is rotated, `config.webhookSecret` may be a list of all that are good.
    """
    config = config_of(values)
    found = missing(values, "apiKey")
    if not text_of(config, "servicePlanId"):
        found.append(Problem("config.servicePlanId", "is required"))
    if not secrets_of(config, "webhookSecret"):
        found.append(Problem("config.webhookSecret", "is required: without it no receipt can be believed"))
    if (text_of(config, "region") or "us") not in REGIONS:
        found.append(Problem("config.region", f"must be one of {', '.join(REGIONS)}"))
    return found + with_control_characters(values, "apiKey")


def account(values: Mapping[str, Any]) -> Account:
    """See `Vendor.account`."""
    config = config_of(values)
    official = f"https://{text_of(config, 'region') or 'us'}.sms.api.sinch.com"
    base_url = (text_of(config, "baseUrl") or official).rstrip("/")
    plan = quote(text_of(config, "servicePlanId"), safe="")
    return Account(
        base_url=base_url,
        batches_url=f"{base_url}/xms/v1/{plan}/batches",
        headers=(f"Authorization: Bearer {text_of(values, 'apiKey')}", "Content-Type: application/json"),
        sender=text_of(values, "phoneNumber") or text_of(values, "senderId"),
        secrets=secrets_of(config, "webhookSecret"),
    )


# --- sending ---------------------------------------------------------------------------------------------------------


def groups(_account: Account, messages: Sequence[Message]) -> list[list[int]]:
    """Messages that expire together, no address twice."""
    found: list[list[int]] = []
    open_groups: dict[int | None, tuple[list[int], set[str]]] = {}
    for index, message in enumerate(messages):
        if len(message.text) > _TEXT_MAX:
            found.append([index])
            continue
        group = open_groups.get(message.ttl_seconds)
        if group is None or len(group[0]) == CAPABILITIES.batch_max or message.address in group[1]:
            group = open_groups[message.ttl_seconds] = ([], set())
            found.append(group[0])
        group[0].append(index)
        group[1].add(message.address)
    return found


def batch_request(account: Account, messages: Sequence[Message]) -> HttpRequest:
    """The reference is that of the first message; with their addresses, receipts mean the others by it too."""
    first = messages[0]
    body: dict[str, object] = {"to": [str(message.address) for message in messages], "type": "mt_text"}
    if account.sender:
        body["from"] = account.sender
    if len(first.text) > _TEXT_MAX or _is_one_text(messages):
        body["body"] = first.text
    else:
        body["body"] = f"${{{_PARAMETER}}}"
        body["parameters"] = {_PARAMETER: {str(message.address): message.text for message in messages}}
    body["delivery_report"] = "per_recipient_final"
    body["client_reference"] = first.reference
    if first.callback_url is not None:
        body["callback_url"] = first.callback_url
    if first.ttl_seconds is not None:
        seconds = min(max(first.ttl_seconds, 1), _TTL_SECONDS_MAX)
        body["expire_at"] = _written(datetime.now(UTC) + timedelta(seconds=seconds))
    return HttpRequest("POST", account.batches_url, account.headers, msgspec.json.encode(body))


def _is_one_text(messages: Sequence[Message]) -> bool:
    """Whether all have the same text, in which nothing would be taken for a parameter."""
    text = messages[0].text
    return "${" not in text and all(message.text == text for message in messages)


def _written(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


class _Batch(msgspec.Struct, gc=False):
    id: str


class _Error(msgspec.Struct, gc=False):
    code: str = ""
    text: str = ""


_batch = msgspec.json.Decoder(_Batch)
_error = msgspec.json.Decoder(_Error)
_ABOUT_THE_SENDER = re.compile(r"[\"'\[.]from[\"'\].]|originator", re.IGNORECASE)


def batch_outcomes(_account: Account, messages: Sequence[Message], answer: HttpAnswer) -> Sequence[Outcome]:
    """Sinch takes or refuses a batch as a whole; one bad entry spoils it, so it is halved until that is alone."""
    return (_outcome(len(messages), answer),) * len(messages)


# https://developers.sinch.com/docs/sms/api-reference/status-codes/
def _outcome(messages: int, answer: HttpAnswer) -> Outcome:
    if answer.status in (200, 201):
        batch = decoded(_batch, answer.body)
        return Accepted(batch.id) if batch and batch.id else Unknown("malformed")
    error = decoded(_error, answer.body) or _Error()
    code = error.code or str(answer.status)
    if answer.status == 429:
        return Deferred("throttled", answer.retry_after_seconds or _THROTTLED_SECONDS, code)
    if answer.status >= 500:
        return Unknown("server_error", code)
    if answer.status not in (400, 413) or _ABOUT_THE_SENDER.search(error.text) or error.code == "missing_callback_url":
        return Refused("config", code)
    return SPLIT if messages > 1 else Refused("content", code)


# --- asking ----------------------------------------------------------------------------------------------------------


def question(account: Account, _message: Message, attempted_at: datetime) -> HttpRequest:
    """Lists the batches of the minute of the attempt: they hold the texts of all their recipients."""
    begin = attempted_at - _CLOCK_SKEW
    end = attempted_at + timedelta(seconds=_ASKED_SECONDS)
    query = f"page_size={_LISTED_MAX}&start_date={form_quoted(_written(begin))}&end_date={form_quoted(_written(end))}"
    return HttpRequest("GET", f"{account.batches_url}?{query}", account.headers)


class _ListedBatch(msgspec.Struct):
    id: str
    to: list[str] = []
    body: str = ""
    parameters: dict[str, dict[str, str]] = {}


class _Listing(msgspec.Struct):
    batches: list[_ListedBatch]
    count: int


_listing = msgspec.json.Decoder(_Listing)


def finding(
    _account: Account, message: Message, _attempted_at: datetime, others: Collection[str], answer: HttpAnswer
) -> Finding:
    """Found where exactly one batch holds the text for the address; absent only if the list is complete."""
    if answer.status != 200:
        return Unclear(f"status_{answer.status}")
    listing = decoded(_listing, answer.body)
    if listing is None:
        return Unclear("malformed")
    matching = [batch for batch in listing.batches if batch.id not in others and _holds(batch, message)]
    if len(matching) > 1:
        return Unclear("several_match")
    if matching:
        return Found(Accepted(matching[0].id))
    return Absent() if listing.count <= len(listing.batches) else Unclear("too_many_listed")


def _holds(batch: _ListedBatch, message: Message) -> bool:
    digits = message.address.lstrip("+")
    if digits not in {to.lstrip("+") for to in batch.to}:
        return False
    texts = {to.lstrip("+"): text for to, text in batch.parameters.get(_PARAMETER, {}).items()}
    return texts.get(digits, batch.body) == message.text


def verification(account: Account) -> HttpRequest:
    """Reads one batch."""
    return HttpRequest("GET", f"{account.batches_url}?page_size=1", account.headers)


def verified(_account: Account, answer: HttpAnswer) -> Verification:
    """See `Vendor.verified`."""
    if answer.status == 200 and decoded(_listing, answer.body) is not None:
        return Verification(works=True, detail="Sinch takes messages for the service plan")
    if answer.status in (401, 403, 404):
        return Verification(works=False, detail="Sinch refused the API token or does not know the service plan")
    return Verification(works=False, detail=f"Sinch answered with status {answer.status}")


# --- callbacks -------------------------------------------------------------------------------------------------------


# https://developers.sinch.com/docs/sms/api-reference/sms/tag/Webhooks/
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
            yield VendorReceipt(
                reference=reference,
                kind=kind,
                provider_message_id=stated.batch_id or None,
                address=f"+{recipient.lstrip('+')}",
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
