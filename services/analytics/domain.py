"""How the event log is divided, and how numbers become the dashboard and a campaign's course."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

from contracts.events.delivery import EVENT_TYPES, notification_event_id
from shared.names import camel

MICROS = 1_000_000
LISTED_MAX = 5
"""Campaigns in each list of the dashboard."""

CAMPAIGN_STATUSES = ("draft", "scheduled", "sending", "paused", "sent", "failed", "cancelled")
POINTS_MAX = 200
"""How many points a timeline has at most, however long the campaign went on."""

BUCKETS_SECONDS = (60, 120, 300, 600, 1_800, 3_600, 7_200, 21_600, 43_200, 86_400, 604_800)
"""How much time a point of a timeline stands for; beyond these, whole multiples of the last."""


class EventPosition(NamedTuple):
    """Where an event stands in the order of the list."""

    at: datetime
    id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFilter:
    """Which events are wanted; None leaves a condition out. `until` itself is not in."""

    types: Sequence[str] = EVENT_TYPES
    campaign_id: UUID | None = None
    ids: Sequence[UUID] | None = None
    since: datetime | None = None
    until: datetime | None = None


def event_ids_of(recipient_id: UUID) -> list[UUID]:
    """The ids that the events of a recipient have; none for an id that is not a recipient's."""
    if recipient_id.int & 0xFF:
        return []
    return [notification_event_id(recipient_id, event_type) for event_type in EVENT_TYPES]


def months_from(start: datetime, count: int) -> Iterator[tuple[datetime, datetime]]:
    """(first instant, first instant of the next) of `count` months, beginning with that of `start`."""
    year, month = start.year, start.month
    for _ in range(count):
        first = datetime(year, month, 1, tzinfo=UTC)
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)
        yield first, datetime(year, month, 1, tzinfo=UTC)


def month_before(now: datetime, months: int) -> datetime:
    """The first instant of the month that was so many months ago."""
    year, month = divmod(now.year * 12 + now.month - 1 - months, 12)
    return datetime(year, month + 1, 1, tzinfo=UTC)


def first_id_of(instant: datetime) -> UUID:
    """The smallest id that carries this time: bits of a UUIDv7 whose milliseconds are `instant`'s."""
    return UUID(int=int(instant.timestamp() * 1000) << 80)


def rate(part: int, whole: int) -> float:
    """A percentage with one decimal; 0 of nothing."""
    return round(100 * part / whole, 1) if whole else 0.0


def campaign_summary(row: Mapping[str, Any]) -> dict[str, Any]:
    """One campaign in the lists of the dashboard."""
    sent = row["sent"]
    return {
        "id": row["id"],
        "campaignName": row["campaign_name"],
        "status": row["status"],
        "createdAt": row["created_at"],
        "scheduledSendTime": row["scheduled_send_time"],
        "sentAt": row["sent_at"],
        **{f"{camel(event_type)}Count": row[event_type] for event_type in EVENT_TYPES},
        "deliveryRate": rate(row["delivered"], sent),
        "openRate": rate(row["opened"], sent),
        "clickRate": rate(row["clicked"], sent),
    }


def exchange_rates(text: str) -> dict[str, float]:
    """`USD=1,EUR=1.1`: what one unit of a currency is worth in the dashboard's, which has the rate 1; raises
    `ValueError`."""
    rates = {}
    for part in text.split(","):
        currency, equals, rate = part.strip().partition("=")
        if not equals or not (currency.isalpha() and currency.isupper() and len(currency) == 3) or not float(rate) > 0:
            raise ValueError("must be a list such as USD=1,EUR=1.1")
        rates[currency] = float(rate)
    if 1 not in rates.values():
        raise ValueError("must be a list such as USD=1,EUR=1.1, with the rate 1 for the dashboard's own currency")
    return rates


def converted(costs: Mapping[str, int], rates: Mapping[str, float]) -> float:
    """Millionths by currency as one amount: of a lone currency exactly its sum; of several, what they are worth at the
    rates, where a currency without a rate is left out."""
    if len(costs) == 1:
        return sum(costs.values()) / MICROS
    return round(sum(micros * rates[currency] for currency, micros in costs.items() if currency in rates) / MICROS, 6)


def _send_cost(costs: Mapping[str, int], rates: Mapping[str, float]) -> dict[str, Any]:
    """One sum with its currency, what it is the sum of, and at which rates."""
    is_lone = len(costs) == 1
    own = next(currency for currency, worth in rates.items() if worth == 1)
    return {
        "smsSendCost": converted(costs, rates),
        "smsSendCostCurrency": next(iter(costs)) if is_lone else own,
        "smsSendCostByCurrency": {currency: micros / MICROS for currency, micros in sorted(costs.items())},
        "smsSendCostRates": {} if is_lone else {one: rates[one] for one in sorted(costs) if one in rates},
    }


def dashboard(
    numbers: Mapping[str, Any], campaigns: Sequence[Mapping[str, Any]], rates: Mapping[str, float]
) -> dict[str, Any]:
    """The specification's object, and the cost of each currency beside it. Rates are percentages of accepted
    messages; campaigns come with their ranks."""
    totals, counts, things = numbers["totals"], numbers["campaigns"], numbers["things"]
    sms, push, costs = totals["sms"], totals["push"], numbers["costs"]["sms"]
    return {
        "totalSMSCampaigns": sum(counts["sms"].values()),
        "totalPushCampaigns": sum(counts["push"].values()),
        "activeSMSCampaigns": counts["sms"]["sending"],
        "activePushCampaigns": counts["push"]["sending"],
        "totalSMSDelivered": sms["delivered"],
        "totalPushDelivered": push["delivered"],
        **_send_cost(costs, rates),
        "smsAverageDeliveryRate": rate(sms["delivered"], sms["sent"]),
        "pushAverageOpenRate": rate(push["opened"], push["sent"]),
        "pushAverageClickRate": rate(push["clicked"], push["sent"]),
        "recentSMSCampaigns": _first(campaigns, "sms", "recent"),
        "recentPushCampaigns": _first(campaigns, "push", "recent"),
        "topPerformingSMSCampaigns": _first(campaigns, "sms", "best"),
        "topPerformingPushCampaigns": _first(campaigns, "push", "best"),
        "smsTemplateCount": things["sms"]["template"],
        "pushTemplateCount": things["push"]["template"],
        "smsProviderCount": things["sms"]["provider"],
        "pushProviderCount": things["push"]["provider"],
        "campaignsByStatus": {status: sum(one[status] for one in counts.values()) for status in CAMPAIGN_STATUSES},
    }


def _first(campaigns: Sequence[Mapping[str, Any]], channel: str, rank: str) -> list[dict[str, Any]]:
    """The channel's first campaigns by this rank."""
    ranked = [one for one in campaigns if one["channel"] == channel and one[rank] and one[rank] <= LISTED_MAX]
    return [campaign_summary(one) for one in sorted(ranked, key=lambda one: int(one[rank]))]


def bucket_seconds(first: datetime, last: datetime) -> int:
    """How much time a point stands for, so that no more than `POINTS_MAX` of them reach from the first to the last."""
    fits = (seconds for seconds in BUCKETS_SECONDS if len(_starts(first, last, seconds)) <= POINTS_MAX)
    coarsest = BUCKETS_SECONDS[-1]
    return next(fits, coarsest * (len(_starts(first, last, coarsest)) // (POINTS_MAX - 1) + 1))


def _starts(first: datetime, last: datetime, seconds: int) -> range:
    """The beginnings of the buckets, in seconds since 1970."""
    return range(int(first.timestamp()) // seconds * seconds, int(last.timestamp()) + 1, seconds)


def points(
    span: tuple[datetime, datetime], seconds: int, counts: Iterable[tuple[datetime, str, int]]
) -> list[dict[str, Any]]:
    """One point for every bucket of the span, also where nothing happened."""
    names = {event_type: camel(event_type) for event_type in EVENT_TYPES}
    found = {
        start: {"at": datetime.fromtimestamp(start, UTC), **dict.fromkeys(names.values(), 0)}
        for start in _starts(*span, seconds)
    }
    for at, event_type, events in counts:
        found[int(at.timestamp())][names[event_type]] = events
    return list(found.values())
