"""Messages read again from Twilio: whether it has one, and what it cost.

https://www.twilio.com/docs/messaging/api/message-resource#read-multiple-message-resources
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import quote

import msgspec

from shared.providers.forms import form_quoted
from shared.providers.provider import (
    Absent,
    Accepted,
    Finding,
    Found,
    HttpAnswer,
    HttpRequest,
    Message,
    Price,
    Prices,
    Refused,
    Sought,
    Unclear,
)
from shared.providers.reading import decoded, micros_of, seen_before
from shared.providers.twilio.account import Account
from shared.providers.twilio.codes import error_class_of, segments_of

_CLOCK_SKEW = timedelta(seconds=5)
_MATCHED_MAX = 200
_LISTED_MAX = 50
"""Messages on a page, which says a kilobyte or more of each: the wire reads 256 KiB of an answer."""


def question(account: Account, message: Message, attempted_at: datetime) -> HttpRequest:
    """Lists what was sent to the address from the day of the attempt on."""
    day = (attempted_at - _CLOCK_SKEW).astimezone(UTC).date().isoformat()
    query = f"To={form_quoted(message.address)}&DateSent%3E={day}&PageSize={_MATCHED_MAX}"
    return HttpRequest("GET", f"{account.messages_url}?{query}", account.headers)


class _ListedMessage(msgspec.Struct, gc=False):
    sid: str
    body: str | None = None
    status: str | None = None
    direction: str | None = None
    date_created: str | None = None
    error_code: int | None = None
    num_segments: str | int | None = None


class _Listing(msgspec.Struct):
    messages: list[_ListedMessage]
    next_page_uri: str | None = None


_listing = msgspec.json.Decoder(_Listing)


def finding(
    _account: Account, message: Message, attempted_at: datetime, others: Collection[str], answer: HttpAnswer
) -> Finding:
    """A listed message does not say its reference, so text and time must match, and exactly one message must."""
    if answer.status != 200:
        return Unclear(f"status_{answer.status}")
    listing = decoded(_listing, answer.body)
    if listing is None:
        return Unclear("malformed")
    earliest = attempted_at - _CLOCK_SKEW
    matching = [
        listed
        for listed in listing.messages
        if listed.body == message.text
        and listed.sid not in others
        and (listed.direction or "outbound").startswith("outbound")
        and not seen_before(_time_of(listed.date_created), earliest)
    ]
    if len(matching) > 1:
        return Unclear("several_match")
    if not matching:
        return Unclear("too_many_listed") if listing.next_page_uri else Absent()
    (match,) = matching
    if match.status in ("failed", "undelivered", "canceled"):
        return Found(Refused(error_class_of(match.error_code), str(match.error_code or match.status)))
    return Found(Accepted(match.sid, segments_of(match.num_segments)))


def _time_of(date: str | None) -> datetime | None:
    try:
        return parsedate_to_datetime(date) if date else None
    except ValueError:
        return None


def price_question(account: Account, sought: Sequence[Sought]) -> HttpRequest:
    """One message by its SID, or a page of what was sent in the time of several: it may hold others' instead."""
    if len(sought) == 1:
        url = f"{account.message_root}{quote(sought[0].provider_message_id, safe='')}.json"
        return HttpRequest("GET", url, account.headers)
    first = min(one.attempted_at for one in sought) - _CLOCK_SKEW
    last = max(one.final_at for one in sought) + _CLOCK_SKEW
    query = f"DateSent%3E={_moment(first)}&DateSent%3C={_moment(last)}&PageSize={_LISTED_MAX}"
    return HttpRequest("GET", f"{account.messages_url}?{query}", account.headers)


def _moment(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class _PricedMessage(msgspec.Struct, gc=False):
    sid: str
    price: str | float | None = None
    price_unit: str | None = None


class _Priced(msgspec.Struct):
    """A list of messages, or one."""

    messages: list[_PricedMessage] = []
    next_page_uri: str | None = None
    sid: str = ""
    price: str | float | None = None
    price_unit: str | None = None


_priced = msgspec.json.Decoder(_Priced)


def prices(account: Account, answer: HttpAnswer) -> Prices | None:
    """What the account was charged, which Twilio states as a negative amount."""
    if answer.status == 404:
        return Prices()
    stated = decoded(_priced, answer.body) if answer.status == 200 else None
    if stated is None:
        return None
    listed = stated.messages or ([_PricedMessage(stated.sid, stated.price, stated.price_unit)] if stated.sid else [])
    costs = {one.sid: micros_of(one.price, (one.price_unit or "").upper()) for one in listed}
    known = {sid: Price(*cost) if cost else None for sid, cost in costs.items()}
    return Prices(known, _page(account, stated.next_page_uri))


def _page(account: Account, uri: str | None) -> HttpRequest | None:
    """The next page, which is named by its path, where that is a page of our own messages."""
    url = account.base_url + (uri or "")
    return HttpRequest("GET", url, account.headers) if url.startswith(f"{account.messages_url}?") else None
