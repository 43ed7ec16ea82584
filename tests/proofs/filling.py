"""Fills ledger and event log as campaigns would have, by COPY in the services' own tables.

Rows have the columns, the ids and the shares of outcomes that the product writes; what is not here are the minutes
that sending to millions takes. The aggregates are left to `analytics rebuild`, which counts the log.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from psycopg import Connection, sql

from contracts.channels import CHANNELS
from contracts.events.delivery import notification_event_id

LOT_RECIPIENTS = 500
SAMPLES_MAX = 1_000
RATE_PER_SECOND = 10_000
"""How fast the campaigns were sent."""

COST_MICROS = 7_900
SHARES = (
    ("delivered", "accepted", 0.93),
    ("sending", "accepted", 0.03),
    ("bounced", "accepted", 0.02),
    ("failed", "refused", 0.01),
    ("sending", "unknown", 0.005),
    ("opted_out", "skipped", 0.005),
)
"""(status, outcome, share of the recipients)."""

OPENED_SHARE = {"sms": 0.0, "push": 0.95}
CLICKED_SHARE = {"sms": 0.2, "push": 0.2}

RECIPIENT_COLUMNS = (
    "id", "campaign_id", "lot_id", "user_id", "customer_id", "recipient_name", "status", "outcome", "attempts",
    "attempted_at", "accepted_at", "delivered_at", "failure_reason", "error_class", "provider_message_id", "segments",
    "cost_micros", "currency", "personalization_data",
)  # fmt: skip
EVENT_COLUMNS = (
    "id", "campaign_id", "recipient_id", "campaign_type", "user_id", "event_type", "event_timestamp", "metadata",
)  # fmt: skip
LOT_COLUMNS = (
    "id", "campaign_id", "user_id", "channel", "lane", "first_id", "last_id", "state", "due_at", "category", "size",
    "accepted", "refused", "unknown", "skipped",
)  # fmt: skip


@dataclass(slots=True)
class Campaign:
    """A campaign that was sent, and samples of what it left behind."""

    user_id: str
    channel: str
    began: datetime
    recipients: int
    id: UUID = field(default_factory=uuid4)
    recipient_ids: list[UUID] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)
    events: list[tuple[datetime, UUID]] = field(default_factory=list)


def fill(ledger: Connection, log: Connection, campaign: Campaign, chance: random.Random) -> int:
    """Writes the recipients of a campaign, its lots and its events; returns how many events."""
    channel = CHANNELS[campaign.channel]
    columns = (*RECIPIENT_COLUMNS, channel.address_column, *channel.engagement_columns, *channel.recipient_columns)
    lots: list[tuple[object, ...]] = []
    written = 0
    every = max(campaign.recipients // SAMPLES_MAX, 1)
    with (
        ledger.cursor().copy(_copy(f"{channel.name}_campaign_recipients", columns)) as rows,
        log.cursor().copy(_copy("notification_events", EVENT_COLUMNS)) as events,
    ):
        for first in range(0, campaign.recipients, LOT_RECIPIENTS):
            size = min(LOT_RECIPIENTS, campaign.recipients - first)
            at = campaign.began + timedelta(seconds=first / RATE_PER_SECOND)
            lot_id, ids = uuid4(), ids_at(at, size, chance)
            outcomes: Counter[str] = Counter()
            for number, recipient_id in enumerate(ids, first):
                one = Recipient.drawn(campaign, recipient_id, number, at, chance)
                outcomes[one.outcome] += 1
                rows.write_row((*one.row(lot_id), one.address, *one.engagements(), *one.extra()))
                facts = list(one.events())
                for fact in facts:
                    events.write_row(fact)
                written += len(facts)
                if number % every == 0:
                    campaign.recipient_ids.append(recipient_id)
                    campaign.addresses.append(one.address)
                    campaign.events += [(fact[6], fact[0]) for fact in facts]
            counts = [outcomes[name] for name in ("accepted", "refused", "unknown", "skipped")]
            lots.append(
                (lot_id, campaign.id, campaign.user_id, channel.name, "bulk", ids[0], ids[-1], "done", at, "marketing",
                 size, *counts)
            )  # fmt: skip
    with ledger.cursor().copy(_copy("lots", LOT_COLUMNS)) as copied:
        for lot in lots:
            copied.write_row(lot)
    ledger.execute(
        "INSERT INTO campaigns (id, user_id, channel, version, state, category, content, launched_at, final)"
        " VALUES (%s, %s, %s, 1, 'sending', 'marketing', '{}', %s, true)",
        (campaign.id, campaign.user_id, channel.name, campaign.began),
    )
    ledger.execute(
        "INSERT INTO audiences (campaign_id, audience, recipients, lots, excluded) VALUES (%s, %s, %s, %s, '{}')",
        (campaign.id, campaign.recipients, campaign.recipients, len(lots)),
    )
    ledger.commit()
    log.commit()
    return written


def _copy(table: str, columns: tuple[str, ...]) -> sql.Composed:
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    return sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table), names)


def ids_at(at: datetime, count: int, chance: random.Random) -> list[UUID]:
    """Ids as `shared.ids.new_ids` would have made them together at that time."""
    head = (int(at.timestamp() * 1000) << 80) | (7 << 76) | (chance.getrandbits(12) << 64) | (2 << 62)
    low = chance.getrandbits(38) << 16
    return [UUID(int=head | (low | number) << 8) for number in range(count)]


@dataclass(slots=True)
class Recipient:
    """One recipient whose messages came to an end."""

    campaign: Campaign
    id: UUID
    number: int
    address: str
    status: str
    outcome: str
    at: datetime
    delivered_at: datetime | None
    opened_at: datetime | None
    clicked_at: datetime | None

    @classmethod
    def drawn(cls, campaign: Campaign, identity: UUID, number: int, at: datetime, chance: random.Random) -> Recipient:
        """One with an outcome by chance; the address is that of the customer with this number."""
        ((status, outcome, _),) = chance.choices(SHARES, [share for *_, share in SHARES])
        address = f"+4915{number:09d}" if campaign.channel == "sms" else f"{campaign.recipients:016x}{number:048x}"
        delivered = at + timedelta(seconds=chance.uniform(1, 10)) if status == "delivered" else None
        engagements = []
        for share in (OPENED_SHARE[campaign.channel], CLICKED_SHARE[campaign.channel]):
            engaged = delivered is not None and chance.random() < share
            engagements.append(at + timedelta(seconds=chance.expovariate(1 / 3_600) + 10) if engaged else None)
        return cls(campaign, identity, number, address, status, outcome, at, delivered, *engagements)

    def row(self, lot_id: UUID) -> tuple[object, ...]:
        """The values of `RECIPIENT_COLUMNS`."""
        sent, accepted = self.outcome != "skipped", self.outcome == "accepted"
        failed = self.status in ("failed", "bounced")
        return (
            self.id,
            self.campaign.id,
            lot_id,
            self.campaign.user_id,
            f"C{self.number:07d}",
            "Ada",
            self.status,
            self.outcome,
            int(sent),
            self.at if sent else None,
            self.at if accepted else None,
            self.delivered_at,
            "30005" if failed else "opted_out" if not sent else None,
            "recipient_permanent" if failed else None,
            f"SM{self.id.hex}" if accepted else None,
            1 if sent else None,
            COST_MICROS if accepted and self.campaign.channel == "sms" else None,
            "USD" if accepted and self.campaign.channel == "sms" else None,
            '{"firstName": "Ada"}',
        )

    def engagements(self) -> tuple[datetime | None, ...]:
        """The values of the channel's `engagement_columns`."""
        times = (self.opened_at, self.clicked_at)
        return times[: len(CHANNELS[self.campaign.channel].engagement_columns)]

    def extra(self) -> tuple[str, ...]:
        """The values of the channel's `recipient_columns`."""
        return ("ios",) * len(CHANNELS[self.campaign.channel].recipient_columns)

    def events(self) -> Iterator[tuple[object, ...]]:
        """The values of `EVENT_COLUMNS`, once for each event."""
        common = {"provider": "twilio", "lane": "bulk"}
        stated = common | {"provider_message_id": f"SM{self.id.hex}"}
        failure = common | {"error_class": "recipient_permanent", "code": "30005"}
        if self.outcome == "accepted":
            cost = {"cost_micros": COST_MICROS, "currency": "USD"} if self.campaign.channel == "sms" else {}
            yield self._event("sent", self.at, stated | {"segments": 1} | cost)
        if self.outcome == "skipped":
            yield self._event("opted_out", self.at, common | {"error_class": "opted_out"})
        if self.status in ("failed", "bounced"):
            yield self._event(self.status, self.at + timedelta(seconds=2), failure)
        for event_type in ("delivered", "opened", "clicked"):
            at = getattr(self, f"{event_type}_at")
            if at is not None:
                yield self._event(event_type, at, stated)

    def _event(self, event_type: str, at: datetime, metadata: dict[str, object]) -> tuple[object, ...]:
        return (
            notification_event_id(self.id, event_type),
            self.campaign.id,
            self.id,
            self.campaign.channel,
            self.campaign.user_id,
            event_type,
            at,
            json.dumps(metadata),
        )


def months_ago(months: int) -> datetime:
    """So long before now, by months of thirty days."""
    return datetime.now(UTC) - timedelta(days=30 * months)
