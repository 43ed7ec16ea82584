"""No account sends faster than it may, however many processes share it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import datetime
from uuid import UUID, uuid4

import msgspec
import pytest
import pytest_asyncio
from pydantic import SecretStr

from contracts.events import CampaignPaused, CampaignResumed
from services.dispatcher.store.rates import BURST_SECONDS, Grant, claim_units, mark_measured, mark_throttled, mark_used
from shared.database import Database, open_database
from shared.providers.registry import open_provider
from shared.providers.wire import open_wire
from tests.dispatcher.conftest import Scene
from tests.dispatcher.desk import Desk, allow, desk
from tests.provider_simulator.conftest import simulated
from tests.providers.samples import message_of, values_of

__all__ = ["desk", "simulated"]
only_sms = pytest.mark.parametrize("scene", ["sms"], indirect=True)


@pytest_asyncio.fixture
async def database(database_of) -> AsyncIterator[Database]:
    async with open_database(SecretStr(database_of("dispatcher")), 6, "test") as opened:
        yield opened


async def claim(
    database: Database, account: UUID, per_second: float | None, wanted: int = 500, urgent: bool = False
) -> Grant:
    async with database.transaction() as connection:
        return await claim_units(connection, account, per_second, wanted, urgent)


async def test_nobody_limits_an_account_without_a_rate(database):
    for _ in range(3):
        assert await claim(database, uuid4(), None) == Grant(500, 0.0, limited=False)


async def test_a_burst_and_then_the_rate(database):
    account = uuid4()
    assert (await claim(database, account, 1000.0, urgent=True)).units == 500
    assert (await claim(database, account, 1000.0, urgent=True)).units == 500
    spent = await claim(database, account, 1000.0, urgent=True)
    assert spent.units < 200


async def test_a_slow_account_is_granted_one_at_a_time(database):
    account = uuid4()
    assert (await claim(database, account, 0.5)).units == 1
    later = await claim(database, account, 0.5)
    assert later.units == 0
    assert 1.5 < later.wait_seconds <= 2.0


async def test_something_is_left_for_what_somebody_waits_for(database):
    account = uuid4()
    while (await claim(database, account, 100.0)).units:
        pass
    assert (await claim(database, account, 100.0, urgent=True)).units >= 9


async def test_many_claimers_together_get_no_more_than_one_would(database):
    account, began = uuid4(), time.monotonic()

    async def greedy() -> int:
        return sum([(await claim(database, account, 200.0, 7, urgent=True)).units for _ in range(40)])

    granted = sum(await asyncio.gather(*(greedy() for _ in range(6))))
    assert 200 * BURST_SECONDS <= granted <= 200 * (BURST_SECONDS + time.monotonic() - began) + 1


async def test_what_was_used_beyond_the_grant_is_owed(database):
    account = uuid4()
    await claim(database, account, 100.0, 10, urgent=True)
    async with database.transaction() as connection:
        await mark_used(connection, account, 100.0, 1000)
    owed = await claim(database, account, 100.0, 1, urgent=True)
    assert owed.units == 0
    assert owed.wait_seconds > 8


async def test_complaints_slow_an_account_down_and_hold_it(database):
    account = uuid4()
    async with database.transaction() as connection:
        await mark_throttled(connection, account, achieved=40.0, share=1.0, hold_seconds=0.0)
    grant = await claim(database, account, None, urgent=True)
    assert grant.limited
    assert 15 <= grant.units <= 21
    async with database.transaction() as connection:
        await mark_throttled(connection, account, achieved=40.0, share=0.1, hold_seconds=30.0)
    held = await claim(database, account, None)
    assert held.units == 0
    assert 29 < held.wait_seconds <= 30


async def test_a_campaign_keeps_to_the_rate_of_its_account(desk: Desk, scene: Scene):
    await allow(desk, ratePerSecond=20)
    await desk.send(scene.lot(30), scene.lot(30, start=30))
    assert (await scene.terms())["accepted"]["total"] == 60
    times = [datetime.fromisoformat(entry["time"]).timestamp() for entry in await desk.simulated.log()]
    for position, begin in enumerate(times):
        within = sum(1 for one in times[position:] if one - begin < 1.0)
        assert within <= 20 * (1.0 + BURST_SECONDS) + 1


@only_sms
async def test_segments_count_where_the_provider_counts_them(desk: Desk, scene: Scene):
    await allow(desk, ratePerSecond=20)
    lot = scene.lot(30)
    for recipient in lot.recipients:
        recipient.variables["firstName"] = "Ada " * 50
    began = time.monotonic()
    await desk.send(lot)
    assert {entry["answer"] for entry in await desk.simulated.log()} == {"accepted"}
    assert time.monotonic() - began > 60 / 20 - BURST_SECONDS - 1


@pytest.mark.parametrize(
    ("channel", "kind", "texts", "units"),
    [
        ("sms", "twilio", ["short", "long " * 40], 3),
        ("sms", "sinch", ["short", "long " * 40], 2),
        ("push", "onesignal", ["same", "same", "other"], 2),
    ],
)
async def test_units_are_what_the_vendor_counts(channel: str, kind: str, texts: list[str], units: int):
    async with open_wire(allowed_hosts=frozenset({"127.0.0.1"})) as wire:
        provider = open_provider(channel, kind, values_of(kind, "http://127.0.0.1:9"), wire)
        messages = [
            msgspec.structs.replace(message_of(kind, number), text=text) for number, text in enumerate(texts, 1)
        ]
        assert provider.units(messages) == units


async def test_a_busy_account_is_measured(database):
    account = uuid4()
    async with database.transaction() as connection:
        for seconds, messages in ((0, 100), (2, 100), (2, 200), (60, 1000)):
            await connection.execute(
                "UPDATE rates SET counted_from = counted_from - %b * interval '1 second' WHERE account_id = %b",
                (float(seconds), account),
            )
            await mark_measured(connection, account, messages)
        cursor = await connection.execute("SELECT measured FROM rates WHERE account_id = %b", (account,))
        (measured,) = await cursor.fetchone()
    assert measured == pytest.approx(100, rel=0.01), "400 in 4 seconds; what came after the pause is not counted yet"


async def test_the_rate_of_a_resumed_campaign_leaves_out_what_was_before(scene):
    await scene.arrive(scene.lot(9))
    await scene.launch()
    await scene.resolve(9, 1)
    lot = await scene.lease()
    await scene.claim(lot, rows_max=2)
    async with scene.database.transaction() as connection:
        await connection.execute(
            f"UPDATE {scene.channel.name}_campaign_recipients SET attempted_at = now() - interval '8 seconds'"
            " WHERE attempted_at IS NOT NULL"
        )
    assert (await scene.terms())["ratePerSecond"] == pytest.approx(2 / 8, abs=0.1)
    await scene.tell(CampaignPaused, 2, reason="paused by ada")
    await scene.tell(CampaignResumed, 3)
    assert (await scene.terms())["ratePerSecond"] is None
    await scene.claim(lot, rows_max=4)
    assert (await scene.terms())["ratePerSecond"] > 2
