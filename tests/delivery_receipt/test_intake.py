"""A callback is answered well only when it is genuine and durable; then nothing loses it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest

from services.delivery_receipt import accounts, handlers
from services.delivery_receipt.domain import Callback
from services.delivery_receipt.store import callbacks as callback_store
from shared.ids import new_id
from tests.delivery_receipt.conftest import Scene, post, writing
from tests.waiting import until

MANY = 1_000


async def test_a_genuine_callback_is_kept_and_its_receipt_published(scene: Scene) -> None:
    recipient_id = new_id()
    target, body = scene.status("delivered", recipient_id)
    answer = await scene.deliver(target, body)
    assert (answer.status, answer.body) == (200, b"<Response/>")
    assert await scene.rows("SELECT target, body, provider FROM callbacks") == [(target, body, "twilio")]
    (event,) = await scene.published("receipts")
    assert (event["channel"], event["provider"]) == ("sms", "twilio")
    assert [(r["recipientId"], r["kind"]) for r in event["receipts"]] == [(str(recipient_id), "delivered")]


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("queued", "accepted"),
        ("sent", "accepted"),
        ("delivered", "delivered"),
        ("undelivered", "bounced"),
        ("failed", "failed"),
        ("read", "opened"),
    ],
)
async def test_a_status_becomes_a_kind(scene: Scene, status: str, kind: str) -> None:
    recipient_id = new_id()
    await scene.deliver(*scene.status(status, recipient_id))
    assert await scene.receipts() == [(str(recipient_id), kind)]


async def test_a_thousand_genuine_callbacks_are_taken_in_few_transactions(scene: Scene) -> None:
    recipients = [new_id() for _ in range(MANY)]
    answers = await asyncio.gather(*(scene.deliver(*scene.status("delivered", one)) for one in recipients))
    assert {answer.status for answer in answers} == {200}
    assert sorted(await scene.receipts()) == sorted((str(one), "delivered") for one in recipients)
    ((batches, callbacks),) = await scene.rows("SELECT count(*), sum(callbacks)::int FROM callback_batches")
    assert callbacks == MANY
    assert batches < MANY / 10


async def test_a_thousand_forged_callbacks_are_refused(scene: Scene) -> None:
    forged = []
    for number in range(MANY):
        target, body = scene.status()
        headers = scene.signed(target, body)
        match number % 5:
            case 0:
                headers = scene.signed(target, body, secret="guessed")
            case 1:
                body = body.replace(b"delivered", b"failed")
            case 2:
                target = scene.status()[0]
            case 3:
                headers["x-twilio-signature"] = ""
            case 4:
                del headers["x-twilio-signature"]
        forged.append((target, body, headers))
    answers = await asyncio.gather(*(post(scene.app, *one) for one in forged))
    assert {answer.status for answer in answers} == {403}
    assert answers[0].problem["status"] == 403
    assert await scene.rows("SELECT 1 FROM callbacks") == []


async def test_nobody_hears_success_before_the_commit(idle_scene: Scene) -> None:
    commit, begun = asyncio.Event(), asyncio.Event()

    async def record(callbacks: Sequence[Callback]) -> None:
        begun.set()
        await commit.wait()
        await handlers.record_callbacks(idle_scene.database, callbacks)

    async with writing(idle_scene, record):
        waiting = asyncio.create_task(idle_scene.deliver(*idle_scene.status()))
        await begun.wait()
        for _ in range(100):
            await asyncio.sleep(0)
        assert not waiting.done()
        commit.set()
        assert (await waiting).status == 200
    assert len(await idle_scene.receipts()) == 1


@dataclass
class FailingOnce:
    """Records, but fails before or after one of the steps of its transaction, the one with that number."""

    scene: Scene
    number: int
    seen: int = 0

    @property
    def failed(self) -> bool:
        return self.seen > self.number

    def step(self, function: Any) -> Any:
        async def stepped(*arguments: Any) -> Any:
            self.pass_one()
            result = await function(*arguments)
            self.pass_one()
            return result

        return stepped

    def pass_one(self) -> None:
        self.seen += 1
        if self.seen == self.number + 1:
            raise psycopg.OperationalError("the server went away")

    async def __call__(self, callbacks: Sequence[Callback]) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(callback_store, "insert_callbacks", self.step(callback_store.insert_callbacks))
            patch.setattr(handlers, "put", self.step(handlers.put))
            await handlers.record_callbacks(self.scene.database, callbacks)


async def test_a_failed_transaction_is_tried_again_and_nothing_is_lost(idle_scene: Scene) -> None:
    """Every step of the transaction fails once, before and after its work."""
    fired = 0
    for number in range(100):
        record = FailingOnce(idle_scene, number)
        recipient_id = new_id()
        idle_scene.restart()
        async with writing(idle_scene, record):
            answer = await idle_scene.deliver(*idle_scene.status("delivered", recipient_id))
        assert answer.status == 200
        assert (str(recipient_id), "delivered") in await idle_scene.receipts()
        if not record.failed:
            break
        fired += 1
    assert fired == 4
    ((callbacks,),) = await idle_scene.rows("SELECT count(*) FROM callbacks")
    assert callbacks == fired + 1


async def test_when_nothing_can_be_written_the_sender_is_told(idle_scene: Scene) -> None:
    async def record(_callbacks: Sequence[Callback]) -> None:
        raise psycopg.OperationalError("no server")

    async with writing(idle_scene, record, answer_seconds=0.1):
        answer = await idle_scene.deliver(*idle_scene.status())
    assert answer.status == 503
    assert b"retry-after" in answer.headers


async def test_a_full_queue_says_come_later(idle_scene: Scene) -> None:
    limit = idle_scene.settings.waiting_max
    waiting = [asyncio.create_task(idle_scene.deliver(*idle_scene.status())) for _ in range(limit)]
    await until(lambda: len(idle_scene.intake) == limit)
    answer = await idle_scene.deliver(*idle_scene.status())
    assert answer.status == 503
    assert answer.headers[b"retry-after"] == b"1"
    async with writing(idle_scene):
        assert {one.status for one in await asyncio.gather(*waiting)} == {200}


async def test_a_stopping_service_writes_what_it_took_and_takes_no_more(idle_scene: Scene) -> None:
    waiting = asyncio.create_task(idle_scene.deliver(*idle_scene.status()))
    await until(lambda: len(idle_scene.intake) == 1)
    async with writing(idle_scene) as context:
        context.stopping.set()
    assert (await waiting).status == 200
    assert (await idle_scene.deliver(*idle_scene.status())).status == 503


async def test_a_sender_who_leaves_harms_nobody(idle_scene: Scene) -> None:
    leaving = asyncio.create_task(idle_scene.deliver(*idle_scene.status()))
    staying = asyncio.create_task(idle_scene.deliver(*idle_scene.status()))
    await until(lambda: len(idle_scene.intake) == 2)
    leaving.cancel()
    async with writing(idle_scene):
        assert (await staying).status == 200
    assert len(await idle_scene.receipts()) == 2


async def test_a_value_that_postgresql_refuses_spoils_only_its_own_callback(idle_scene: Scene) -> None:
    async def record(callbacks: Sequence[Callback]) -> None:
        if any(b"SMpoison" in one.body and one.reading.problem is None for one in callbacks):
            raise psycopg.DataError("no such value")
        await handlers.record_callbacks(idle_scene.database, callbacks)

    tasks = [asyncio.create_task(idle_scene.deliver(*idle_scene.status())) for _ in range(20)]
    tasks.append(asyncio.create_task(idle_scene.deliver(*idle_scene.status(MessageSid="SMpoison"))))
    await until(lambda: len(idle_scene.intake) == 21)
    async with writing(idle_scene, record):
        assert {one.status for one in await asyncio.gather(*tasks)} == {200}
    assert len(await idle_scene.receipts()) == 20
    assert await idle_scene.rows("SELECT reason FROM rejections") == [("unexpected DataError",)]


async def test_what_is_too_long_is_refused(scene: Scene) -> None:
    target, body = scene.status(Filler="x" * scene.settings.body_bytes_max)
    answer = await scene.deliver(target, body)
    assert answer.problem["status"] == 413
    assert (await scene.deliver(*scene.status(Filler="x" * 60_000))).status == 200


async def test_an_unknown_account_is_not_found(scene: Scene, monkeypatch) -> None:
    monkeypatch.setattr(accounts, "NEWS_SECONDS", 0.0)
    for path in (
        f"/api/notification/callbacks/twilio/{new_id()}",
        f"/api/notification/callbacks/firebase/{scene.account_id}",
        "/api/notification/callbacks/twilio/no-id",
        "/api/notification/callbacks/",
        "/elsewhere",
    ):
        assert (await scene.deliver(path, b"")).problem["status"] == 404


async def test_other_methods_are_not_allowed(scene: Scene) -> None:
    answer = await post(scene.app, scene.path, method="GET")
    assert (answer.status, answer.headers[b"allow"]) == (405, b"POST")


async def test_the_same_callback_twice_is_the_same_receipt_twice(scene: Scene) -> None:
    target, body = scene.status()
    assert [(await scene.deliver(target, body)).status for _ in range(2)] == [200, 200]
    first, second = await scene.receipts()
    assert first == second
