"""Long texts that people send, told part by part: one message, and no stop that waits or is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from itertools import permutations
from typing import Any
from urllib.parse import urlencode

import pytest

from services.delivery_receipt import handlers
from shared.codec import now
from shared.ids import new_id
from shared.providers.nexmo.signatures import signature, signed_text
from tests.delivery_receipt.conftest import Scene, post
from tests.faults import every_step
from tests.providers.samples import SECRET, values_of
from tests.waiting import until_blocked

PHONE = "4915112345678"


class Vonage:
    """The scene's tenant has an account at Vonage's SMS API, and somebody writes to it."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.path = f"/api/notification/callbacks/nexmo/{scene.account_id}"

    async def tell(self, text: str, message_id: str = "", phone: str = PHONE, **concat: object) -> int:
        form: dict[str, str] = {
            "msisdn": phone,
            "to": "1500",
            "messageId": message_id or new_id().hex,
            "text": text,
            "timestamp": str(int(now().timestamp())),
            **{f"concat-{name}": str(value) for name, value in concat.items()},
            **({"concat": "true"} if concat else {}),
        }
        form["sig"] = signature(signed_text(form.items()), "md5hash", SECRET)
        return (await post(self.scene.app, self.path, urlencode(form).encode())).status

    async def heard(self) -> list[tuple[str, str]]:
        """(text, intent) of everything that was handed on."""
        return [(event["text"], event["intent"]) for event in await self.scene.published("inbound-messages")]

    async def waiting(self) -> int:
        return (await self.scene.rows("SELECT count(*) FROM inbound_parts WHERE handed_on_at IS NULL"))[0][0]

    async def give_up(self) -> int:
        await self.scene.rows("UPDATE inbound_parts SET received_at = received_at - interval '1 hour' RETURNING 1")
        return await handlers.hand_on_parts(self.scene.database, 60.0)


@pytest.fixture
async def vonage(scene: Scene) -> Vonage:
    values = values_of("nexmo", "http://127.0.0.1:9", "smsApi")
    await scene.hear(scene.changed(2, provider_type="nexmo", sealed=scene.seal.close(values)))
    return Vonage(scene)


async def test_parts_become_one_message_in_any_order(vonage: Vonage) -> None:
    texts = {1: "Dear shop, ", 2: "where is my ", 3: "parcel?"}
    for reference, order in enumerate(permutations(texts)):
        for number in order:
            assert await vonage.tell(texts[number], ref=reference, part=number, total=3) == 200
    assert await vonage.heard() == [("Dear shop, where is my parcel?", "other")] * 6
    assert await vonage.waiting() == 0
    rows = await vonage.scene.rows("SELECT DISTINCT address, recipient FROM inbound_messages")
    assert rows == [(f"+{PHONE}", "1500")]


async def test_a_repeated_part_is_one_part_even_when_the_text_is_handed_on(vonage: Vonage) -> None:
    said = [("a" * 10, {"ref": 7, "part": 1, "total": 2}), ("b" * 10, {"ref": 7, "part": 2, "total": 2})]
    for _ in range(2):
        for text, concat in said:
            for _ in range(2):
                await vonage.tell(text, f"id-{concat['part']}", **concat)
    assert (await vonage.heard(), await vonage.waiting()) == ([("a" * 10 + "b" * 10, "other")], 0)


async def test_a_reference_may_be_used_again_and_by_others(vonage: Vonage) -> None:
    await vonage.tell("one ", ref=1, part=1, total=2)
    await vonage.tell("ANOTHER ", phone="4915100000000", ref=1, part=1, total=2)
    await vonage.tell("three, of three", ref=1, part=3, total=3)
    await vonage.tell("two", ref=1, part=2, total=2)
    await vonage.tell("TEXT", phone="4915100000000", ref=1, part=2, total=2)
    await vonage.tell("later ", ref=1, part=1, total=2)
    await vonage.tell("text", ref=1, part=2, total=2)
    assert [text for text, _ in await vonage.heard()] == ["one two", "ANOTHER TEXT", "later text"]
    assert await vonage.waiting() == 1


async def test_a_stop_in_the_first_part_does_not_wait(vonage: Vonage) -> None:
    await vonage.tell("STOP sending me ", ref=1, part=1, total=2)
    assert await vonage.heard() == [("STOP sending me ", "stop")]
    await vonage.tell("STOP sending me ", ref=2, part=1, total=2)
    await vonage.tell("this", ref=1, part=2, total=2)
    assert (await vonage.heard())[2:] == [("STOP sending me this", "stop")]
    assert await vonage.give_up() == 1
    assert len(await vonage.heard()) == 3, "the first part of the other text was handed on already"


async def test_a_stop_counts_that_only_the_whole_text_says(vonage: Vonage) -> None:
    await vonage.tell("op", ref=1, part=2, total=2)
    assert await vonage.heard() == []
    await vonage.tell("st", ref=1, part=1, total=2)
    assert await vonage.heard() == [("stop", "stop")]


async def test_a_part_that_stays_alone_is_handed_on_as_it_is(vonage: Vonage) -> None:
    await vonage.tell("I would like ", "first", ref=1, part=1, total=3)
    await vonage.tell("thank you", "third", ref=1, part=3, total=3)
    assert await handlers.hand_on_parts(vonage.scene.database, 60.0) == 0
    assert await vonage.give_up() == 2
    assert sorted(await vonage.heard()) == [("I would like ", "other"), ("thank you", "other")]
    await vonage.tell("to know ", "second", ref=1, part=2, total=3)
    await vonage.tell("I would like ", "first", ref=1, part=1, total=3)
    assert (await vonage.give_up(), len(await vonage.heard())) == (1, 3)


@pytest.mark.parametrize(
    "concat",
    [
        {"ref": 1},
        {"ref": 1, "part": 0, "total": 2},
        {"ref": 1, "part": 3, "total": 2},
        {"ref": 1, "part": "x", "total": "²"},
        {"ref": 1, "part": 1, "total": 256},
        {"ref": 1, "part": 1, "total": 1},
        {"ref": 1, "part": -1, "total": "9" * 5000},
    ],
)
async def test_a_part_that_cannot_be_is_a_message(vonage: Vonage, concat: Mapping[str, Any]) -> None:
    await vonage.tell("STOP", **concat)
    assert (await vonage.heard(), await vonage.waiting()) == ([("STOP", "stop")], 0)


async def test_two_parts_that_come_at_the_same_time_do_not_miss_each_other(vonage: Vonage, monkeypatch) -> None:
    """Two replicas, a part each: whoever is second sees the first one's."""
    scene, groups = vonage.scene, []
    taken = scene.intake.put
    monkeypatch.setattr(scene.intake, "put", lambda callback, answer: groups.append([callback]) or answer(True) or True)
    await vonage.tell("one ", ref=1, part=1, total=2)
    await vonage.tell("two", ref=1, part=2, total=2)
    monkeypatch.setattr(scene.intake, "put", taken)
    async with scene.database.transaction() as connection:
        await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s::text, 3))", (scene.account_id,))
        both = asyncio.gather(*(handlers.record_callbacks(scene.database, group) for group in groups))
        await until_blocked(scene.database, 2)
    await both
    assert await vonage.heard() == [("one two", "other")]


async def test_a_crash_at_any_step_leaves_a_part_to_be_told_again(vonage: Vonage, monkeypatch) -> None:
    scene, groups = vonage.scene, []
    monkeypatch.setattr(scene.intake, "put", lambda callback, answer: groups.append([callback]) or answer(True) or True)
    deaths = 0
    async for crashing in every_step(monkeypatch, at_least=6):
        deaths += 1
        groups.clear()
        await vonage.tell("one ", ref=deaths, part=1, total=2)
        await vonage.tell("two", ref=deaths, part=2, total=2)
        for group in groups:
            run = partial(handlers.record_callbacks, scene.database, group)
            await crashing(run)
            await run()
            await run()
        assert (await vonage.heard(), await vonage.waiting()) == ([("one two", "other")] * deaths, 0)


async def test_the_last_part_may_meet_the_end_of_the_wait(vonage: Vonage) -> None:
    """Each part is handed on once: in the text, or alone."""
    scene = vonage.scene
    await vonage.tell("one ", ref=1, part=1, total=2)
    async with scene.database.transaction() as connection:
        await connection.execute("SELECT FROM inbound_parts FOR UPDATE")
        telling = asyncio.create_task(vonage.tell("two", ref=1, part=2, total=2))
        await until_blocked(scene.database)
        assert await handlers.hand_on_parts(scene.database, 0.0) == 0
    assert await telling == 200
    assert await vonage.heard() == [("one two", "other")]


async def test_parts_are_forgotten_with_their_callbacks(vonage: Vonage) -> None:
    scene = vonage.scene
    await vonage.tell("one ", ref=1, part=1, total=2)
    await vonage.tell("two", ref=1, part=2, total=2)
    await scene.rows("UPDATE inbound_parts SET handed_on_at = now() - interval '31 days' RETURNING 1")
    await handlers.forget_old(scene.database, scene.accounts, 30, 7)
    assert await scene.rows("SELECT 1 FROM inbound_parts") == []
