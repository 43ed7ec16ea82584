"""Long texts whose receipts come part by part: one message, whatever the order, the number and the crashes."""

from __future__ import annotations

import asyncio
from functools import partial
from itertools import permutations
from uuid import UUID

import pytest

from contracts.events import Receipt
from services.dispatcher.domain import join_parts
from services.dispatcher.handlers import record_parts
from services.dispatcher.jobs.repairing import free_expired_lot
from services.dispatcher.store.claims import Lot, MicroLot
from services.dispatcher.store.outcomes import Recorded, mark_outcomes
from services.dispatcher.store.parts import delete_parts, mark_segments
from shared.codec import now
from tests.dispatcher.conftest import Scene
from tests.dispatcher.desk import Desk, desk
from tests.faults import every_step
from tests.provider_simulator.conftest import simulated
from tests.waiting import until_blocked

__all__ = ["desk", "simulated"]
only_sms = pytest.mark.parametrize("scene", ["sms"], indirect=True)


async def attempted(scene: Scene, recipients: int = 1) -> tuple[Lot, MicroLot, list[UUID]]:
    """A lot whose sender is at work."""
    await scene.arrive(scene.lot(recipients))
    await scene.launch()
    await scene.resolve(recipients, 1)
    lot = await scene.lease()
    assert lot is not None
    micro_lot = await scene.claim(lot)
    return lot, micro_lot, [one.id for one in micro_lot.claimed]


async def answer(scene: Scene, lot: Lot, micro_lot: MicroLot, outcome: str, segments: int | None) -> None:
    """What the sender does with the vendor's answer: the number of parts settles what their receipts mean."""
    ids = [one.id for one in micro_lot.claimed]
    marks = [Recorded(one, 1, outcome, segments=segments) for one in ids]
    async with scene.database.transaction() as connection:
        await mark_outcomes(connection, scene.channel, lot.id, micro_lot.attempt_id, marks)
        await record_parts(connection, scene.guard, scene.channel, "nexmo", ids)


async def say(scene: Scene, recipient_id: UUID, *said: str) -> None:
    """Receipts such as "delivered 1": the kind and the part."""
    stated = [one.partition(" ") for one in said]
    await scene.receive(*((recipient_id, kind) for kind, _, _ in stated), parts=[part for _, _, part in stated])


async def status(scene: Scene, recipient_id: UUID) -> tuple[str, str | None]:
    async with scene.database.pool.connection() as connection:
        cursor = await connection.execute(
            f"SELECT status, outcome FROM {scene.channel.name}_campaign_recipients WHERE id = %s",
            (recipient_id,),
        )
        row = await cursor.fetchone()
    assert row is not None
    return row[0], row[1]


@only_sms
async def test_a_message_is_delivered_with_its_last_part_in_any_order(scene: Scene) -> None:
    orders = list(permutations(["delivered 1", "delivered 2", "delivered 3"]))
    lot, micro_lot, ids = await attempted(scene, len(orders))
    await answer(scene, lot, micro_lot, "accepted", 3)
    for one, (first, second, third) in zip(ids, orders, strict=True):
        await say(scene, one, first, "accepted 3", second)
        await say(scene, one, first, second, first)
        assert await status(scene, one) == ("sending", "accepted")
        await say(scene, one, third)
        await say(scene, one, first, third)
        assert await status(scene, one) == ("delivered", "accepted")
    events = await scene.events()
    assert sorted(events) == sorted((str(one), "delivered") for one in ids)
    assert (await scene.terms())["balanced"]


@only_sms
async def test_a_message_fails_with_its_first_part_that_does(scene: Scene) -> None:
    lot, micro_lot, (one,) = await attempted(scene)
    await answer(scene, lot, micro_lot, "accepted", 2)
    await say(scene, one, "delivered 1", "bounced 2")
    assert await status(scene, one) == ("bounced", "accepted")
    await say(scene, one, "accepted 2", "delivered 1")
    assert await status(scene, one) == ("bounced", "accepted")
    await say(scene, one, "delivered 2")
    assert await status(scene, one) == ("delivered", "accepted")
    assert [kind for _, kind in await scene.events()] == ["bounced", "delivered"]


@only_sms
@pytest.mark.parametrize(("counted", "answered"), [(2, 3), (3, 2), (2, 2), (None, 1), (2, 1)])
async def test_receipts_before_the_answer_wait_for_the_number_in_it(
    scene: Scene, counted: int | None, answered: int
) -> None:
    lot, micro_lot, (one,) = await attempted(scene)
    if counted is not None:
        async with scene.database.transaction() as connection:
            await mark_segments(connection, scene.channel, {one: counted})
    await say(scene, one, *(f"delivered {part}" for part in range(min(counted or 1, answered))))
    assert await status(scene, one) == ("sending", None)
    await answer(scene, lot, micro_lot, "accepted", answered)
    await say(scene, one, *(f"delivered {part}" for part in range(answered)))
    assert await status(scene, one) == ("delivered", "accepted")
    assert (await scene.terms())["balanced"]


@only_sms
async def test_the_answer_alone_delivers_what_was_heard_before(scene: Scene) -> None:
    lot, micro_lot, (one,) = await attempted(scene)
    await say(scene, one, "delivered 1", "delivered 2")
    await answer(scene, lot, micro_lot, "accepted", 2)
    assert await status(scene, one) == ("delivered", "accepted")


@only_sms
@pytest.mark.parametrize("before_death", [0, 1, 2])
async def test_a_lost_worker_leaves_the_number_of_parts(desk: Desk, before_death: int) -> None:
    """Whichever receipts come before the worker is given up: never delivered before the last of the two."""
    scene = desk.scene
    _, _, (one,) = await attempted(scene)
    async with scene.database.transaction() as connection:
        await mark_segments(connection, scene.channel, {one: 2})
    said = ["delivered 1", "delivered 2"]
    await say(scene, one, *said[:before_death])
    async with scene.database.transaction() as connection:
        await connection.execute("UPDATE lots SET lease_until = now() - interval '1 minute'")
    assert await free_expired_lot(desk.sending)
    expected = [("sending", "unknown"), ("sending", "accepted"), ("delivered", "accepted")]
    assert await status(scene, one) == expected[before_death]
    for part in said[before_death:]:
        assert (await status(scene, one))[0] == "sending"
        await say(scene, one, part)
    assert await status(scene, one) == ("delivered", "accepted")
    terms = await scene.terms()
    assert (terms["accepted"]["delivered"], terms["unknown"], terms["balanced"]) == (1, 0, True)
    assert sorted(kind for _, kind in await scene.events()) == ["delivered", "sent"]


@only_sms
async def test_a_short_text_of_a_lost_worker_has_one_part(desk: Desk) -> None:
    scene = desk.scene
    _, _, (one,) = await attempted(scene)
    async with scene.database.transaction() as connection:
        await connection.execute("UPDATE lots SET lease_until = now() - interval '1 minute'")
    assert await free_expired_lot(desk.sending)
    await say(scene, one, "delivered 1")
    assert await status(scene, one) == ("delivered", "accepted")


@only_sms
async def test_two_parts_that_are_heard_at_the_same_time_do_not_miss_each_other(scene: Scene) -> None:
    lot, micro_lot, (one,) = await attempted(scene)
    await answer(scene, lot, micro_lot, "accepted", 2)
    async with scene.database.transaction() as connection:
        await connection.execute("SELECT FROM sms_campaign_recipients WHERE id = %s FOR UPDATE", (one,))
        both = asyncio.gather(*(say(scene, one, f"delivered {part}") for part in (1, 2)))
        await until_blocked(scene.database, 2)
    await both
    assert await status(scene, one) == ("delivered", "accepted")


@only_sms
async def test_a_crash_at_any_step_leaves_a_part_to_be_heard_again(scene: Scene, monkeypatch) -> None:
    async for crashing in every_step(monkeypatch, at_least=5):
        other = Scene(scene.database, scene.channel)
        lot, micro_lot, (one,) = await attempted(other)
        await say(other, one, "delivered 1")
        await crashing(partial(answer, other, lot, micro_lot, "accepted", 2))
        await answer(other, lot, micro_lot, "accepted", 2)
        last = partial(say, other, one, "delivered 2")
        await crashing(last)
        await last()
        await last()
        assert await status(other, one) == ("delivered", "accepted")
        assert await other.events() == [(str(one), "delivered")]
        assert (await other.terms())["balanced"]


@only_sms
async def test_parts_are_forgotten_when_nothing_more_can_come(scene: Scene) -> None:
    lot, micro_lot, (one,) = await attempted(scene)
    await answer(scene, lot, micro_lot, "accepted", 2)
    await say(scene, one, "delivered 1")
    async with scene.database.transaction() as connection:
        assert await delete_parts(connection, 7, 10) == 0
        await connection.execute("UPDATE message_parts SET heard_at = now() - interval '8 days'")
        assert await delete_parts(connection, 7, 10) == 1


@pytest.mark.parametrize(
    ("said", "expected", "whole"),
    [
        (["delivered"], 1, "delivered"),
        (["delivered"], 2, "accepted"),
        (["delivered"], None, "accepted"),
        (["delivered", "delivered"], 2, "delivered"),
        (["delivered", "failed"], 2, "failed"),
        (["opted_out", "bounced"], None, "opted_out"),
        (["accepted", "delivered"], 2, "accepted"),
        (["failed", "delivered", "delivered"], 2, "delivered"),
    ],
)
def test_parts_join(said: list[str], expected: int | None, whole: str) -> None:
    recipient_id = UUID(int=256)
    parts = [
        Receipt(recipient_id=recipient_id, kind=kind, at=now(), part=str(number)) for number, kind in enumerate(said)
    ]
    joined = join_parts(parts, expected)
    assert (joined.kind, joined.part, joined.recipient_id) == (whole, None, recipient_id)
