"""What the dispatcher decides: how outcomes and receipts change a recipient, and which facts follow."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

import msgspec
import phonenumbers

from contracts.channels import Channel
from contracts.events import NotificationEvent, Receipt, Repricing
from contracts.events.delivery import notification_event_id
from shared.backoff import Backoff
from shared.providers.provider import Price

LEASE_MARGIN_SECONDS = 2.0
"""A worker stops writing this long before its lease ends by the database's clock."""

PRICE_AFTER_SECONDS = 30.0
"""How long after a message's final state its vendor is first asked for the price; then after doubling times."""

URGENT_LANE = "transactional"
"""The lane of what somebody waits for; vendors with priorities are told."""

NO_PROVIDER = "no_provider"
PROVIDER_MISSING = "provider_missing"
TEMPLATE_UNKNOWN = "template_unknown"
"""Why a lot waits that names no account where none is active, or an account or template that is not there."""

_DEFERRAL = Backoff(first_seconds=0.5, most_seconds=300.0)


class LotState(StrEnum):
    """held: the campaign is not sending. waiting: until `due_at`. leased: a worker has it. done: nothing queued."""

    HELD = "held"
    WAITING = "waiting"
    LEASED = "leased"
    DONE = "done"


class CampaignState(StrEnum):
    """What the dispatcher knows of a campaign."""

    SENDING = "sending"
    PAUSED = "paused"
    CANCELLED = "cancelled"


STATUS_RANK = {"queued": 0, "sending": 1, "failed": 2, "bounced": 3, "delivered": 4}
"""Receipts join by the highest rank, so their order of arrival means nothing; `delivered` is never taken back."""


RECEIPT_RANK = {
    "accepted": STATUS_RANK["sending"],
    **dict.fromkeys(("failed", "opted_out"), STATUS_RANK["failed"]),
    "bounced": STATUS_RANK["bounced"],
    **dict.fromkeys(("delivered", "opened", "clicked"), STATUS_RANK["delivered"]),
}
"""The same for the kinds of receipts."""


def deferral_seconds(deferrals: int, retry_after_seconds: float | None) -> float:
    """How long a lot waits after its provider asked it to, or could not be reached."""
    waited = _DEFERRAL.delay(deferrals + 1)
    return waited if retry_after_seconds is None else max(waited, min(retry_after_seconds, 86_400.0))


@dataclass(slots=True)
class Joined:
    """All receipts of a batch about one recipient, joined."""

    recipient_id: UUID
    status: str = "sending"
    delivered_at: datetime | None = None
    engaged_at: list[datetime | None] = field(default_factory=list)
    failed_at: datetime | None = None
    proved_at: datetime | None = None
    error_class: str | None = None
    code: str | None = None
    provider_message_id: str | None = None
    cost_micros: int | None = None
    currency: str | None = None


_ENGAGEMENTS = ("opened", "clicked")


def join_receipts(channel: Channel, receipts: Iterable[Receipt]) -> list[Joined]:
    """One entry per recipient, in order of id (the order in which all writers lock)."""
    joined: dict[UUID, Joined] = {}
    for receipt in receipts:
        one = joined.get(receipt.recipient_id)
        if one is None:
            one = joined[receipt.recipient_id] = _nothing(channel, receipt.recipient_id)
        _join(one, receipt)
    return [joined[key] for key in sorted(joined)]


def join_parts(parts: Sequence[Receipt], expected: int | None) -> Receipt:
    """What receipts of different parts of one message (in order of time) say about the whole of it.

    It is delivered when all `expected` parts are, failed when one of them is, and taken by the provider in any case.
    """
    delivered = [one for one in parts if RECEIPT_RANK[one.kind] == STATUS_RANK["delivered"]]
    if expected is not None and len(delivered) >= expected:
        return _of_the_whole(delivered[-1])
    failed = [one for one in parts if one.kind in ("failed", "bounced", "opted_out")]
    return _of_the_whole(failed[0] if failed else msgspec.structs.replace(parts[0], kind="accepted"))


def _of_the_whole(receipt: Receipt) -> Receipt:
    return msgspec.structs.replace(receipt, part=None)


def join_prices(channel: Channel, prices: Mapping[UUID, Price]) -> list[Joined]:
    """The same for prices, where nothing else is stated."""
    joined = [_nothing(channel, recipient_id) for recipient_id in sorted(prices)]
    for one in joined:
        price = prices[one.recipient_id]
        one.cost_micros, one.currency = price.cost_micros, price.currency
    return joined


def _nothing(channel: Channel, recipient_id: UUID) -> Joined:
    return Joined(recipient_id, engaged_at=[None] * len(channel.engagement_columns))


def _join(one: Joined, receipt: Receipt) -> None:
    kind, at = receipt.kind, receipt.at
    one.proved_at = _earlier(one.proved_at, at)
    one.provider_message_id = one.provider_message_id or receipt.provider_message_id
    if receipt.cost_micros is not None and receipt.currency is not None:
        one.cost_micros, one.currency = receipt.cost_micros, receipt.currency
    if kind in ("failed", "bounced", "opted_out"):
        status = "failed" if kind == "opted_out" else kind
        if STATUS_RANK[status] > STATUS_RANK[one.status]:
            one.status = status
        one.failed_at = _earlier(one.failed_at, at)
        one.error_class = one.error_class or receipt.error_class
        one.code = one.code or receipt.code
    elif kind in ("delivered", *_ENGAGEMENTS):
        one.status = "delivered"
        one.delivered_at = _earlier(one.delivered_at, at)
        if kind in _ENGAGEMENTS:
            for position in range(min(_ENGAGEMENTS.index(kind) + 1, len(one.engaged_at))):
                one.engaged_at[position] = _earlier(one.engaged_at[position], at)


def _earlier(one: datetime | None, other: datetime) -> datetime:
    return other if one is None or other < one else one


@dataclass(frozen=True, slots=True)
class Change:
    """What folding receipts changed about one recipient: the ledger before and after, and the joined receipts."""

    joined: Joined
    campaign_id: UUID
    user_id: str
    lane: str
    old_status: str
    old_outcome: str | None
    old_delivered: bool
    old_engaged: tuple[bool, ...]
    segments: int | None
    cost_micros: int | None
    currency: str | None
    old_cost_micros: int | None
    old_currency: str | None

    @property
    def proves_acceptance(self) -> bool:
        """The receipt is the first word of acceptance, and no sender will still record it."""
        return self.old_outcome in ("unknown", "refused") or self.old_status == "queued"

    @property
    def is_final(self) -> bool:
        """The receipt has brought the message into a final state, or a better one."""
        return STATUS_RANK[self.joined.status] > max(STATUS_RANK["sending"], STATUS_RANK.get(self.old_status, 9))


def events_of(channel: Channel, change: Change) -> list[NotificationEvent]:
    """The facts that are new; their ids repeat if the same fact is found again."""
    joined = change.joined
    events = []
    if change.proves_acceptance and joined.proved_at is not None:
        events.append(
            NotificationEvent(
                id=notification_event_id(joined.recipient_id, "sent"),
                recipient_id=joined.recipient_id,
                event_type="sent",
                event_timestamp=joined.proved_at,
                provider_message_id=joined.provider_message_id,
                segments=change.segments,
                cost_micros=change.cost_micros,
                currency=change.currency,
            )
        )
    if change.is_final and joined.status != "delivered":
        assert joined.failed_at is not None
        events.append(_fact(joined, joined.status, joined.failed_at, joined.error_class, joined.code))
    if joined.delivered_at is not None and not change.old_delivered:
        events.append(_fact(joined, "delivered", joined.delivered_at))
    for kind, at, old in zip(_ENGAGEMENTS, joined.engaged_at, change.old_engaged, strict=False):
        if at is not None and not old:
            events.append(_fact(joined, kind, at))
    return events


def repricing_of(change: Change, identity: UUID, at: datetime) -> Repricing | None:
    """The price, where the `sent` event was said with another; a sender that is still at work says it itself."""
    price = (change.cost_micros, change.currency)
    if change.old_outcome != "accepted" or change.joined.cost_micros is None:
        return None
    if price == (change.old_cost_micros, change.old_currency) or price[0] is None or price[1] is None:
        return None
    return Repricing(
        id=identity,
        recipient_id=change.joined.recipient_id,
        at=at,
        cost_micros=price[0],
        currency=price[1],
        before_cost_micros=change.old_cost_micros,
        before_currency=change.old_currency,
    )


def _fact(
    joined: Joined, event_type: str, at: datetime, error_class: str | None = None, code: str | None = None
) -> NotificationEvent:
    return NotificationEvent(
        id=notification_event_id(joined.recipient_id, event_type),
        recipient_id=joined.recipient_id,
        event_type=event_type,
        event_timestamp=at,
        provider_message_id=joined.provider_message_id,
        error_class=error_class,
        code=code,
    )


def estimate_eta(
    reason: str | None, now: datetime, waiting: int, per_second: float, due_at: datetime | None
) -> datetime | None:
    """When the waiting recipients will have been tried at the present rate; where nobody is tried, when it goes on.

    None where nobody can say, as without an account.
    """
    if reason == PROVIDER_MISSING:
        return None
    return now + timedelta(seconds=waiting / per_second) if waiting and per_second > 0 else due_at


@dataclass(frozen=True, slots=True)
class Tariffs:
    """Costs by longest matching prefix of the address, in millionths of a currency per segment."""

    by_type: Mapping[tuple[str, str], Mapping[str, tuple[int, str]]]

    def estimate(self, channel: str, provider_type: str, address: str, segments: int) -> tuple[int, str] | None:
        """Cost in millionths and currency, or None where no tariff is known."""
        prefixes = self.by_type.get((channel, provider_type))
        if not prefixes:
            return None
        for length in range(min(len(address), 7), 0, -1):
            if found := prefixes.get(address[:length]):
                return found[0] * segments, found[1]
        return None


_MOBILE = phonenumbers.PhoneNumberType.MOBILE


def example_address(country: str) -> str:
    """A mobile number of a country (ISO 3166 alpha-2), to look its tariff up by; "+" for what is no country."""
    number = phonenumbers.example_number_for_type(country, _MOBILE)
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)) if number else "+"


@dataclass(frozen=True, slots=True)
class Portion:
    """Recipients of a campaign in one country, None where nobody knows it, and their segments."""

    country: str | None
    recipients: int
    segments: int


@dataclass(frozen=True, slots=True)
class PricedPortion:
    """What a portion is estimated to cost, in millionths of the currency; None without a tariff."""

    portion: Portion
    micros: int | None
    currency: str | None


def price_portions(
    tariffs: Tariffs, channel: Channel, provider_type: str, whole: Portion, portions: Iterable[Portion]
) -> list[PricedPortion]:
    """The price of each, and of what the portions leave of the whole."""
    known = list(portions)
    rest = Portion(
        None,
        max(whole.recipients - sum(one.recipients for one in known), 0),
        max(whole.segments - sum(one.segments for one in known), 0),
    )
    prices = []
    for one in [*known, rest] if rest.recipients or rest.segments else known:
        cost = tariffs.estimate(channel.name, provider_type, example_address(one.country or ""), one.segments)
        prices.append(PricedPortion(one, *(cost or (None, None))))
    return prices


@dataclass(frozen=True, slots=True)
class Speed:
    """What is known of an account's speed, None for what is not.

    `configured` and `learned` are limits in units of its provider a second, `measured` is what it got through, in
    messages a second. Nothing goes out for `held_seconds`.
    """

    configured: float | None = None
    learned: float | None = None
    measured: float | None = None
    held_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Drain:
    """How long it takes until the last message has been tried, and the rate (units or messages) that decides it."""

    seconds: float
    per_second: float
    unit: str


def estimate_drain(speed: Speed, unit: str, units: float, messages: int) -> Drain | None:
    """For so many messages that come to so many units; None where nothing is known of the account's speed."""
    limits = [limit for limit in (speed.configured, speed.learned) if limit]
    found = [(units / min(limits), min(limits), unit)] if limits else []
    if not speed.configured and speed.measured:
        found.append((messages / speed.measured, speed.measured, "messages"))
    if not found:
        return None
    seconds, per_second, unit = max(found)
    return Drain(speed.held_seconds + seconds, per_second, unit)
