"""The event log on a real PostgreSQL: each event once, and aggregates that equal it at every instant."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import UUID, uuid4

import msgspec
import pytest
import pytest_asyncio
from pydantic import SecretStr

from contracts.events import NotificationEvent, NotificationsRecorded, Repricing
from contracts.events.delivery import notification_event_id
from services.analytics import handlers
from services.analytics.domain import converted, exchange_rates
from services.analytics.store.books import count_ends, count_events, find_costs, find_totals
from services.analytics.store.partitions import create_partitions
from shared.codec import now
from shared.database import Database, open_database
from shared.errors import Rejected
from shared.ids import new_id


@pytest_asyncio.fixture
async def database(database_of) -> AsyncIterator[Database]:
    async with open_database(SecretStr(database_of("analytics")), 6, "test") as opened:
        async with opened.transaction() as connection:
            await create_partitions(connection, now(), 2)
        yield opened


def events_of(recipient_id: UUID, *types: str, cost_micros: int | None = None) -> list[NotificationEvent]:
    return [
        NotificationEvent(
            id=notification_event_id(recipient_id, event_type),
            recipient_id=recipient_id,
            event_type=event_type,
            event_timestamp=now(),
            cost_micros=cost_micros if event_type == "sent" else None,
            currency="USD" if event_type == "sent" and cost_micros else None,
        )
        for event_type in types
    ]


def record(campaign_id: UUID, events: list[NotificationEvent], channel: str = "sms") -> NotificationsRecorded:
    return NotificationsRecorded(
        event_id=new_id(),
        occurred_at=now(),
        campaign_id=campaign_id,
        user_id="ada",
        channel=channel,
        provider="twilio",
        lane="bulk",
        events=events,
    )


async def books(database: Database, campaign_id: UUID) -> tuple[dict[str, int], dict[str, int], dict[str, int]]:
    """(counted in the log, aggregates, costs by currency)."""
    async with database.pool.connection() as connection:
        return (
            await count_events(connection, "ada", campaign_id),
            await find_totals(connection, "ada", campaign_id),
            await find_costs(connection, "ada", campaign_id),
        )


async def test_an_event_is_written_and_counted_once_however_often_it_is_heard(database):
    campaign_id = uuid4()
    events = [one for _ in range(20) for one in events_of(new_id(), "sent", "delivered", cost_micros=7)]
    one = record(campaign_id, events)
    await handlers.on_notifications_recorded(database, [one, one])
    await handlers.on_notifications_recorded(database, [one])
    again = record(campaign_id, events[:9] + events[:9])
    await handlers.on_notifications_recorded(database, [again])
    expected = {"sent": 20, "delivered": 20}
    assert await books(database, campaign_id) == (expected, expected, {"USD": 140})


async def test_a_price_that_comes_later_replaces_the_estimate_once(database):
    campaign_id, recipient_id = uuid4(), new_id()
    fields = {"recipient_id": recipient_id, "at": now(), "before_cost_micros": 7, "before_currency": "USD"}
    said = msgspec.structs.replace(
        record(campaign_id, []), repricings=[Repricing(id=new_id(), cost_micros=9, currency="EUR", **fields)]
    )
    for _ in range(2):
        await handlers.on_notifications_recorded(database, [said, said])
        await handlers.on_notifications_recorded(
            database, [record(campaign_id, events_of(recipient_id, "sent", cost_micros=7))]
        )
    assert (await books(database, campaign_id))[2] == {"EUR": 9}
    free = Repricing(id=new_id(), recipient_id=recipient_id, at=now(), cost_micros=2, currency="EUR")
    await handlers.on_notifications_recorded(
        database, [msgspec.structs.replace(record(campaign_id, []), repricings=[free])]
    )
    assert (await books(database, campaign_id))[2] == {"EUR": 11}


def test_costs_in_several_currencies_become_one_sum():
    rates = exchange_rates("USD=1, EUR=1.5")
    assert converted({"USD": 12_500_000, "EUR": 2_000_000, "XAU": 1}, rates) == 15.5
    for wrong in ("", "USD", "usd=1", "USD=0", "USD=-1", "USD=x"):
        with pytest.raises(ValueError, match=r"must be a list|could not convert"):
            exchange_rates(wrong)


async def test_batches_that_overlap_at_the_same_time_agree(database):
    campaigns = [uuid4() for _ in range(3)]
    events = {one: [e for _ in range(40) for e in events_of(new_id(), "sent", "bounced")] for one in campaigns}
    batches = [
        [record(one, events[one][start : start + 50]) for one in order]
        for order in itertools.permutations(campaigns)
        for start in (0, 30)
    ]
    await asyncio.gather(*(handlers.on_notifications_recorded(database, batch) for batch in batches))
    for one in campaigns:
        expected = {"sent": 40, "bounced": 40}
        assert await books(database, one) == (expected, expected, {})


@pytest.mark.parametrize(
    ("types", "end"),
    [
        (("sent",), "accepted"),
        (("failed",), "failed"),
        (("sent", "failed"), "failed_later"),
        (("sent", "bounced"), "bounced"),
        (("sent", "failed", "delivered"), "delivered"),
        (("sent", "delivered", "opened", "clicked"), "delivered"),
        (("opted_out",), "opted_out"),
    ],
)
async def test_a_recipients_end_is_told_by_all_of_its_events(database, types, end):
    campaign_id, recipient_id = uuid4(), new_id()
    for event in reversed(events_of(recipient_id, *types)):
        await handlers.on_notifications_recorded(database, [record(campaign_id, [event])])
    async with database.pool.connection() as connection:
        assert await count_ends(connection, "ada", campaign_id) == {end: 1}


@pytest.mark.parametrize("broken", ["channel", "event type"])
async def test_what_cannot_be_is_rejected_and_writes_nothing(database, broken):
    campaign_id = uuid4()
    good = record(campaign_id, events_of(new_id(), "sent"))
    events = events_of(new_id(), "sent")
    bad = record(campaign_id, events, "fax")
    if broken == "event type":
        bad = record(campaign_id, [msgspec.structs.replace(events[0], event_type="exploded")])
    with pytest.raises(Rejected, match=r"fax|exploded"):
        await handlers.on_notifications_recorded(database, [good, bad])
    assert await books(database, campaign_id) == ({}, {}, {})


async def test_events_go_to_the_partition_of_their_month(database):
    campaign_id = uuid4()
    await handlers.on_notifications_recorded(database, [record(campaign_id, events_of(new_id(), "sent"))])
    async with database.pool.connection() as connection:
        cursor = await connection.execute(
            "SELECT tableoid::regclass::text FROM notification_events WHERE campaign_id = %s", (campaign_id,)
        )
        assert await cursor.fetchall() == [(f"notification_events_{datetime.now(UTC):%Y_%m}",)]
