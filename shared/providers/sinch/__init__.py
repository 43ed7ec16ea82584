"""Sinch SMS (XMS): up to 1,000 recipients a request, each with a text of their own; signed receipts, no idempotency.

https://developers.sinch.com/docs/sms/api-reference/
What an account is, is in `account`; how a batch says many texts, in `texts`; what Sinch tells us later, in `callbacks`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from shared.providers.forms import form_quoted
from shared.providers.http_provider import SPLIT
from shared.providers.provider import (
    Absent,
    Accepted,
    Capabilities,
    Deferred,
    Finding,
    Found,
    HttpAnswer,
    HttpRequest,
    Message,
    Outcome,
    Refused,
    Unclear,
    Unknown,
    Verification,
)
from shared.providers.reading import decoded
from shared.providers.sinch.account import REGIONS, Account, account, problems
from shared.providers.sinch.callbacks import CALLBACK_REPLY, is_genuine, read_callback
from shared.providers.sinch.texts import bytes_of, may_be_too_long, text_to, written
from shared.providers.standing import authorize

__all__ = [
    "CALLBACK_REPLY",
    "CAPABILITIES",
    "account",
    "authorize",
    "batch_outcomes",
    "batch_request",
    "finding",
    "groups",
    "is_genuine",
    "problems",
    "question",
    "read_callback",
    "verification",
    "verified",
]

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

_THROTTLED_SECONDS = 1.0
_CLOCK_SKEW = timedelta(seconds=5)
_TTL_SECONDS_MIN = 30
"""What would have ended by Sinch's clock when it arrives is refused."""

_TTL_SECONDS_MAX = 3 * 86_400 - 60
"""Sinch gives up after three days by itself and refuses a later time, also one that is so only by its own clock."""

_ECHO_BYTES_MAX = 200_000
"""The answer repeats the whole batch, and must stay below what the wire reads of an answer (256 KiB)."""

_RECIPIENT_BYTES = 64
"""An address in a batch, twice, with what stands around it."""

_LISTED_MAX = 20
_ASKED_SECONDS = 660
"""An attempt may be as late as its lease is long (600 s at most), and Sinch a little later."""


# --- sending ---------------------------------------------------------------------------------------------------------


def groups(_account: Account, messages: Sequence[Message]) -> list[list[int]]:
    """Messages that expire together and report to the same place, no address twice, as many as can be echoed.

    A text that may be too long goes alone, so that Sinch refuses nothing else with it.
    """
    found: list[list[int]] = []
    open_groups: dict[object, tuple[list[int], int]] = {}
    times: dict[str, int] = {}
    text = messages[0].text if messages else ""
    have_one_text = all(message.text == text for message in messages)
    for index, message in enumerate(messages):
        if may_be_too_long(message.text):
            found.append([index])
            continue
        times[message.address] = nth = times.get(message.address, 0) + 1
        key = nth, message.ttl_seconds, message.callback_url and message.callback_url.partition("?")[0]
        group, room = open_groups.get(key, ([], 0))
        size = _RECIPIENT_BYTES + (0 if have_one_text else bytes_of(message.text))
        if room < size or len(group) == CAPABILITIES.batch_max:
            group, room = [], _ECHO_BYTES_MAX
            found.append(group)
        group.append(index)
        open_groups[key] = group, room - size
    return found


def batch_request(account: Account, messages: Sequence[Message]) -> HttpRequest:
    """The reference is that of the first message; with their addresses, receipts mean the others by it too."""
    first = messages[0]
    body, parameters = written(messages)
    batch: dict[str, object] = {
        "type": "mt_text",
        "to": [str(message.address) for message in messages],
        "body": body,
        "client_reference": first.reference,
    }
    if account.sender:
        batch["from"] = account.sender
    if parameters:
        batch["parameters"] = parameters
    if first.callback_url is not None:
        batch["callback_url"] = first.callback_url
        batch["delivery_report"] = "per_recipient_final"
    if first.ttl_seconds is not None and first.ttl_seconds <= _TTL_SECONDS_MAX:
        seconds = max(first.ttl_seconds, _TTL_SECONDS_MIN)
        batch["expire_at"] = _stamp(datetime.now(UTC) + timedelta(seconds=seconds))
    return HttpRequest("POST", account.batches_url, account.headers, msgspec.json.encode(batch))


def _stamp(moment: datetime) -> str:
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
    if answer.status < 300:
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
    """Lists the batches from the time of the attempt: they hold the texts of all their recipients.

    The list cannot be narrowed to a recipient, and to the batch's reference only by who knows whose it was.
    """
    begin = attempted_at - _CLOCK_SKEW
    end = attempted_at + timedelta(seconds=_ASKED_SECONDS)
    query = f"page_size={_LISTED_MAX}&start_date={form_quoted(_stamp(begin))}&end_date={form_quoted(_stamp(end))}"
    return HttpRequest("GET", f"{account.batches_url}?{query}", account.headers)


class _ListedBatch(msgspec.Struct):
    """`body` is text in a batch of texts, and anything else in one of another type."""

    id: str
    to: list[str] = []
    body: Any = None
    parameters: dict[str, dict[str, str]] = {}


class _Listing(msgspec.Struct):
    count: int
    batches: list[_ListedBatch] = []


_listing = msgspec.json.Decoder(_Listing)


def finding(
    _account: Account, message: Message, _attempted_at: datetime, others: Collection[str], answer: HttpAnswer
) -> Finding:
    """Found where exactly one batch holds the text for the address.

    Absent only if the list is complete, and nothing went to the address that nobody here knows of.
    """
    if answer.status != 200:
        return Unclear(f"status_{answer.status}")
    listing = decoded(_listing, answer.body)
    if listing is None:
        return Unclear("malformed")
    forms = {message.address, message.address.lstrip("+")}
    sent = [batch for batch in listing.batches if batch.id not in others and not forms.isdisjoint(batch.to)]
    matching = [batch.id for batch in sent if _text_to(message.address, batch) == message.text]
    if len(matching) > 1:
        return Unclear("several_match")
    if matching:
        return Found(Accepted(matching[0]))
    if sent:
        return Unclear("another_text")
    return Absent() if listing.count <= len(listing.batches) else Unclear("too_many_listed")


def _text_to(address: str, batch: _ListedBatch) -> str | None:
    return text_to(address, batch.body, batch.parameters) if isinstance(batch.body, str) else None


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
