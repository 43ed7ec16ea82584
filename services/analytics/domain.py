"""How the event log is divided, and how numbers become the dashboard."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

MICROS = 1_000_000
RECENT_MAX = 5


def months_from(start: datetime, count: int) -> Iterator[tuple[datetime, datetime]]:
    """(first instant, first instant of the next) of `count` months, beginning with that of `start`."""
    year, month = start.year, start.month
    for _ in range(count):
        first = datetime(year, month, 1, tzinfo=UTC)
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)
        yield first, datetime(year, month, 1, tzinfo=UTC)


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
        "sentCount": sent,
        "deliveredCount": row["delivered"],
        "openedCount": row["opened"],
        "clickedCount": row["clicked"],
        "failedCount": row["failed"],
        "deliveryRate": rate(row["delivered"], sent),
        "openRate": rate(row["opened"], sent),
        "clickRate": rate(row["clicked"], sent),
    }


def exchange_rates(text: str) -> dict[str, float]:
    """`USD=1,EUR=1.1`: what one unit of a currency is worth in the dashboard's; raises `ValueError`."""
    rates = {}
    for part in text.split(","):
        currency, equals, rate = part.strip().partition("=")
        if not equals or not (currency.isalpha() and currency.isupper() and len(currency) == 3) or not float(rate) > 0:
            raise ValueError("must be a list such as USD=1,EUR=1.1")
        rates[currency] = float(rate)
    return rates


def converted(costs: Mapping[str, int], rates: Mapping[str, float]) -> float:
    """Millionths by currency as one amount, exact for a currency that is worth 1; a currency without a rate is left
    out."""
    return round(sum(micros * rates[currency] for currency, micros in costs.items() if currency in rates) / MICROS, 6)


def dashboard(
    numbers: Mapping[str, Any], lists: Mapping[str, Sequence[Mapping[str, Any]]], rates: Mapping[str, float]
) -> dict[str, Any]:
    """The specification's object. Rates are percentages of accepted messages."""
    sms, push = numbers["totals"]["sms"], numbers["totals"]["push"]
    campaigns, things = numbers["campaigns"], numbers["things"]
    return {
        "totalSMSCampaigns": campaigns["sms"]["total"],
        "totalPushCampaigns": campaigns["push"]["total"],
        "activeSMSCampaigns": campaigns["sms"]["active"],
        "activePushCampaigns": campaigns["push"]["active"],
        "totalSMSDelivered": sms["delivered"],
        "totalPushDelivered": push["delivered"],
        "smsSendCost": converted(numbers["costs"]["sms"], rates),
        "smsAverageDeliveryRate": rate(sms["delivered"], sms["sent"]),
        "pushAverageOpenRate": rate(push["opened"], push["sent"]),
        "pushAverageClickRate": rate(push["clicked"], push["sent"]),
        "recentSMSCampaigns": [campaign_summary(row) for row in lists["recent_sms"]],
        "recentPushCampaigns": [campaign_summary(row) for row in lists["recent_push"]],
        "topPerformingSMSCampaigns": [campaign_summary(row) for row in lists["top_sms"]],
        "topPerformingPushCampaigns": [campaign_summary(row) for row in lists["top_push"]],
        "smsTemplateCount": things["template", "sms"],
        "pushTemplateCount": things["template", "push"],
        "smsProviderCount": things["provider", "sms"],
        "pushProviderCount": things["provider", "push"],
        "campaignsByStatus": numbers["by_status"],
    }
