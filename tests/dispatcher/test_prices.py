"""Prices that a vendor states only when it is asked: each replaces its estimate once, whatever comes between."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

import msgspec
import pytest
from pydantic import SecretStr

from contracts.events import NotificationsRecorded
from services.analytics.handlers import on_notifications_recorded
from services.analytics.store.books import find_costs
from services.analytics.store.partitions import create_partitions
from services.dispatcher.accounts import open_accounts
from services.dispatcher.jobs import pricing
from services.dispatcher.jobs.pricing import Pricing
from services.dispatcher.store.prices import claim_price_questions
from shared.codec import now
from shared.database import open_database
from shared.probes import Heartbeat
from shared.providers.twilio import records
from shared.providers.wire import Wire
from shared.runtime import JobContext
from tests.dispatcher.conftest import Scene
from tests.dispatcher.desk import Desk, desk
from tests.faults import every_step
from tests.provider_simulator.conftest import simulated

PRICE_MICROS = 7500
"""Of a segment at the simulator."""

__all__ = ["desk", "simulated"]
pytestmark = pytest.mark.parametrize("scene", ["sms"], indirect=True)


async def sent(desk: Desk, recipients: int) -> list[UUID]:
    """The recipients of a campaign that has just been sent, at a vendor that knows its prices at once."""
    await desk.simulated.set_faults(price_seconds=0)
    lot = desk.scene.lot(recipients)
    await desk.send(lot)
    return [one.recipient_id for one in lot.recipients]


async def delivered(scene: Scene, ids: Sequence[UUID]) -> None:
    await scene.receive(*((one, "delivered") for one in ids))
    await make_due(scene)


async def make_due(scene: Scene) -> None:
    async with scene.database.transaction() as connection:
        await connection.execute("UPDATE price_questions SET due_at = now()")


async def costs(scene: Scene) -> dict[str, int]:
    terms = await scene.terms()
    return {one["currency"]: one["costMicros"] for one in terms["cost"]}


async def questions(scene: Scene) -> int:
    async with scene.database.pool.connection() as connection:
        row = await (await connection.execute("SELECT count(*) FROM price_questions")).fetchone()
    assert row is not None
    return int(row[0])


async def repricings(scene: Scene) -> list[tuple[str, int]]:
    records = await scene.published("notification-events")
    return [(one["recipientId"], one["costMicros"]) for record in records for one in record.get("repricings", ())]


async def test_final_messages_get_their_price_with_one_request_and_others_none(desk: Desk) -> None:
    ids = await sent(desk, 5)
    await delivered(desk.scene, ids[:2])
    await desk.scene.receive((ids[2], "bounced"), (ids[3], "accepted"))
    await make_due(desk.scene)
    assert await desk.price() == 1
    assert await costs(desk.scene) == {"USD": 3 * PRICE_MICROS}
    assert sorted(await repricings(desk.scene)) == sorted((str(one), PRICE_MICROS) for one in ids[:3])
    assert (await questions(desk.scene), await desk.price()) == (0, 0)
    await delivered(desk.scene, ids[:3])
    assert len(await repricings(desk.scene)) == 3


async def test_the_dashboards_cost_is_the_ledgers(desk: Desk, database_of) -> None:
    ids = await sent(desk, 4)
    await delivered(desk.scene, ids[:3])
    await desk.price()
    async with open_database(SecretStr(database_of("analytics")), 2, "test") as database:
        async with database.transaction() as connection:
            await create_partitions(connection, now(), 2)
        said = await desk.scene.published("notification-events")
        await on_notifications_recorded(database, [msgspec.convert(one, NotificationsRecorded) for one in said] * 2)
        async with database.pool.connection() as connection:
            dashboard = await find_costs(connection, desk.scene.user_id, desk.scene.campaign_id)
    assert dashboard == await costs(desk.scene) == {"USD": 3 * PRICE_MICROS}


async def test_a_price_that_is_not_known_yet_is_asked_for_again_later(desk: Desk) -> None:
    ids = await sent(desk, 2)
    await desk.simulated.set_faults(price_seconds=60)
    await delivered(desk.scene, ids)
    assert (await desk.price(), await desk.price(), await questions(desk.scene)) == (1, 0, 2)
    await desk.simulated.set_faults(price_seconds=0)
    await make_due(desk.scene)
    assert (await desk.price(), await costs(desk.scene)) == (1, {"USD": 2 * PRICE_MICROS})


async def test_all_pages_are_read_and_whatever_they_price_is_taken(desk: Desk, monkeypatch) -> None:
    monkeypatch.setattr(records, "_LISTED_MAX", 2)
    monkeypatch.setattr(pricing, "ASKED_TOGETHER_MAX", 3)
    ids = await sent(desk, 7)
    await delivered(desk.scene, ids)
    assert (await desk.price(), await questions(desk.scene)) == (1, 0)
    assert await costs(desk.scene) == {"USD": 7 * PRICE_MICROS}


async def test_what_the_pages_do_not_show_is_asked_for_alone(desk: Desk) -> None:
    ids = await sent(desk, 3)
    await delivered(desk.scene, ids)
    async with desk.scene.database.transaction() as connection:
        await connection.execute("UPDATE price_questions SET final_at = final_at - interval '1 hour'")
    assert (await desk.price(), await costs(desk.scene)) == (4, {"USD": 3 * PRICE_MICROS})


async def test_a_page_that_is_too_large_is_asked_for_message_by_message(desk: Desk) -> None:
    await delivered(desk.scene, await sent(desk, 5))
    wire = Wire(allowed_hosts=frozenset({"127.0.0.1"}), timeout_seconds=2, answer_bytes_max=2_000)
    async with open_accounts(desk.scene.database, desk.sending.accounts.seal, wire) as accounts:
        narrow = Desk(desk.scene, desk.simulated, replace(desk.sending, accounts=accounts))
        assert (await narrow.price(), await costs(desk.scene)) == (6, {"USD": 5 * PRICE_MICROS})


async def test_a_worker_that_dies_with_the_question_leaves_it_to_the_next(desk: Desk) -> None:
    await delivered(desk.scene, await sent(desk, 2))
    async with desk.scene.database.transaction() as connection:
        claimed = await claim_price_questions(connection, (), 10, 60.0, 60.0)
    assert claimed is not None
    assert (len(claimed.questions), await desk.price()) == (2, 0)
    await make_due(desk.scene)
    assert (await desk.price(), await questions(desk.scene)) == (1, 0)


async def test_a_crash_at_any_step_means_to_ask_again(desk: Desk, monkeypatch) -> None:
    await desk.simulated.set_faults(price_seconds=0)
    deaths = 0
    async for crashing in every_step(monkeypatch, at_least=5):
        deaths += 1
        scene = Scene(desk.scene.database, desk.scene.channel, desk.scene.user_id, provider_id=desk.scene.provider_id)
        lot = scene.lot(2, start=2 * deaths)
        await scene.arrive(lot)
        await scene.launch()
        await desk.work(deaths)
        ids = [one.recipient_id for one in lot.recipients]
        await delivered(scene, ids)
        await crashing(desk.price)
        await make_due(scene)
        await desk.price()
        assert (await costs(scene), await questions(scene)) == ({"USD": 2 * PRICE_MICROS}, 0)
        said = {recipient_id for recipient_id, _ in await repricings(scene)}
        assert said >= {str(one) for one in ids}
    assert len(await repricings(desk.scene)) == 2 * deaths


async def test_two_workers_do_not_ask_for_the_same(desk: Desk) -> None:
    await delivered(desk.scene, await sent(desk, 4))
    database = desk.scene.database
    async with database.transaction() as one, database.transaction() as other:
        first = await claim_price_questions(one, (), 3, 60.0, 60.0)
        second = await claim_price_questions(other, (), 3, 60.0, 60.0)
    assert first is not None
    assert second is None or not {q.recipient_id for q in first.questions} & {q.recipient_id for q in second.questions}


async def test_a_vendor_without_an_answer_is_left_alone_and_asked_again(desk: Desk) -> None:
    await delivered(desk.scene, await sent(desk, 2))
    async with desk.scene.database.transaction() as connection:
        await connection.execute("UPDATE sms_providers SET is_active = false WHERE id = %s", (desk.scene.provider_id,))
    asking, context = Pricing(desk.sending), JobContext(asyncio.Event(), Heartbeat("prices", 60))
    assert await asking.ask_once(context)
    await make_due(desk.scene)
    assert (await asking.ask_once(context), list(asking.held)) == (False, [desk.scene.user_id])
    assert await questions(desk.scene) == 2


async def test_a_price_that_never_comes_is_given_up_and_the_estimate_stays(desk: Desk, monkeypatch) -> None:
    await delivered(desk.scene, await sent(desk, 2))
    await desk.simulated.set_faults(price_seconds=60)
    before = await costs(desk.scene)
    monkeypatch.setattr(pricing, "GIVE_UP_SECONDS", 0.0)
    assert (await desk.price(), await questions(desk.scene)) == (1, 0)
    assert (await costs(desk.scene), await repricings(desk.scene)) == (before, [])


async def test_an_early_receipt_is_priced_too(desk: Desk) -> None:
    """The sender has not recorded its answer yet: the price that comes first stays when it does."""
    scene = desk.scene
    ids = await sent(desk, 1)
    async with scene.database.transaction() as connection:
        await connection.execute("UPDATE sms_campaign_recipients SET outcome = NULL WHERE id = %s", (ids[0],))
    await delivered(scene, ids)
    await desk.price()
    assert await repricings(scene) == []
    async with scene.database.pool.connection() as connection:
        cursor = await connection.execute("SELECT cost_micros, currency FROM sms_campaign_recipients")
        assert await cursor.fetchall() == [(PRICE_MICROS, "USD")]
