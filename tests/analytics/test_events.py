"""The event log on a real PostgreSQL: each event once, and aggregates that equal it at every instant."""

from __future__ import annotations

import asyncio
import itertools
from datetime import UTC, datetime
from uuid import UUID, uuid4

import msgspec
import pytest

from services.analytics import handlers
from services.analytics.domain import converted, exchange_rates
from services.analytics.store.books import count_ends, count_events, find_costs, find_totals
from shared.database import Database
from shared.errors import Rejected
from shared.ids import new_id
from tests.analytics.records import USER, events_of, record, repriced


async def books(database: Database, campaign_id: UUID) -> tuple[dict[str, int], dict[str, int], dict[str, int]]:
    """(counted in the log, aggregates, costs by currency)."""
    async with database.pool.connection() as connection:
        return (
            await count_events(connection, USER, campaign_id),
            await find_totals(connection, USER, campaign_id),
            await find_costs(connection, USER, campaign_id),
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
    said = repriced(campaign_id, recipient_id, 9, "EUR", before=7)
    for _ in range(2):
        await handlers.on_notifications_recorded(database, [said, said])
        await handlers.on_notifications_recorded(
            database, [record(campaign_id, events_of(recipient_id, "sent", cost_micros=7))]
        )
    assert (await books(database, campaign_id))[2] == {"EUR": 9}
    await handlers.on_notifications_recorded(database, [repriced(campaign_id, recipient_id, 2, "EUR")])
    assert (await books(database, campaign_id))[2] == {"EUR": 11}


def test_costs_in_several_currencies_become_one_sum():
    rates = exchange_rates("USD=1, EUR=1.5")
    assert converted({"USD": 12_500_000, "EUR": 2_000_000, "XAU": 1}, rates) == 15.5
    assert [converted(costs, rates) for costs in ({}, {"EUR": 12_500_000}, {"XAU": 1})] == [0, 12.5, 0.000001]
    for wrong in ("", "USD", "usd=1", "USD=0", "USD=-1", "USD=x", "USD=2"):
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
        assert await count_ends(connection, USER, campaign_id) == {end: 1}


@pytest.mark.parametrize("broken", ["channel", "event type"])
async def test_what_cannot_be_is_rejected_and_writes_nothing(database, broken):
    campaign_id = uuid4()
    good = record(campaign_id, events_of(new_id(), "sent"))
    events = events_of(new_id(), "sent")
    bad = record(campaign_id, events, channel="fax")
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
