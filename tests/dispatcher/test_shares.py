"""No account has more requests under way than it may, however many processes share it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import pytest
import pytest_asyncio
from pydantic import SecretStr

from services.dispatcher.jobs.parts import Sending
from services.dispatcher.jobs.sending import send_lots
from services.dispatcher.jobs.sharing import renew_shares
from services.dispatcher.store.shares import claim_share, release_share
from shared.database import Database, open_database
from shared.probes import Heartbeat
from shared.providers.provider import boottime
from shared.providers.registry import validate_account
from shared.runtime import JobContext
from tests.dispatcher.conftest import Scene
from tests.dispatcher.desk import Desk, allow, desk, sending_of
from tests.provider_simulator.conftest import simulated
from tests.providers.samples import values_of
from tests.providers.servers import ANSWER, server
from tests.waiting import until

__all__ = ["desk", "simulated"]
only_sms = pytest.mark.parametrize("scene", ["sms"], indirect=True)


@pytest_asyncio.fixture
async def database(database_of) -> AsyncIterator[Database]:
    async with open_database(SecretStr(database_of("dispatcher")), 8, "test") as opened:
        yield opened


async def claim(
    database: Database, account: UUID, worker: UUID, most: int = 10, under_way: int = 0, seconds: float = 30.0
) -> int:
    async with database.transaction() as connection:
        return await claim_share(connection, account, worker, most, under_way, seconds)


async def held(database: Database, account: UUID) -> int:
    async with database.pool.connection() as connection:
        cursor = await connection.execute(
            "SELECT coalesce(sum(slots), 0)::int FROM shares WHERE account_id = %b", (account,)
        )
        (slots,) = await cursor.fetchone()
    return slots


async def test_one_process_has_all_and_makes_room_for_another(database):
    account, one, other = uuid4(), uuid4(), uuid4()
    assert await claim(database, account, one) == 10
    assert await claim(database, account, other) == 0
    assert await claim(database, account, one, under_way=7) == 5
    assert await claim(database, account, other) == 3, "seven are still under way elsewhere"
    assert await claim(database, account, one, under_way=5) == 5
    assert await claim(database, account, other) == 5
    async with database.transaction() as connection:
        await release_share(connection, account, one)
    assert await claim(database, account, other) == 10


async def test_what_a_dead_process_held_comes_back_after_its_lease(database):
    account, dead, living = uuid4(), uuid4(), uuid4()
    expired = boottime() + 0.3
    assert await claim(database, account, dead, seconds=0.3) == 10
    assert await claim(database, account, living) == 0

    async def is_free() -> bool:
        return await claim(database, account, living) == 10

    await until(is_free)
    assert boottime() >= expired


async def test_more_processes_than_requests_take_turns(database):
    account, workers = uuid4(), [uuid4() for _ in range(3)]
    assert [await claim(database, account, worker, most=1) for worker in workers] == [1, 0, 0]
    async with database.transaction() as connection:
        await release_share(connection, account, workers[0])
    assert [await claim(database, account, worker, most=1) for worker in workers[1:]] == [1, 0]


async def test_together_they_never_hold_more_than_there_is(database):
    account, chance = uuid4(), random.Random(7)

    async def work() -> None:
        worker, slots = uuid4(), 0
        for _ in range(20):
            slots = await claim(database, account, worker, under_way=chance.randint(0, slots))
            assert await held(database, account) <= 10

    await asyncio.gather(*(work() for _ in range(6)))
    assert await held(database, account) == 10


@only_sms
@pytest.mark.parametrize("most", [1, 3])
async def test_two_processes_keep_to_the_requests_of_their_account(desk: Desk, scene: Scene, most: int):
    loop, under_way, peak = asyncio.get_running_loop(), 0, 0

    async def answer_slowly(writer: asyncio.StreamWriter, _number: int) -> bool:
        nonlocal under_way, peak
        under_way += 1
        peak = max(peak, under_way)
        answered = loop.create_future()
        loop.call_later(0.02, answered.set_result, None)
        await answered
        under_way -= 1
        writer.write(ANSWER)
        return True

    async with server(answer_slowly) as heard, sending_of(scene) as other:
        await allow(desk, url=heard.url, concurrentMax=most)
        await scene.arrive(scene.lot(30), scene.lot(30, start=30), scene.lot(30, start=60))
        await scene.launch()
        context = JobContext(asyncio.Event(), Heartbeat("sender", 60))
        jobs = [_run(sending, context) for sending in (desk.sending, other)]
        task = asyncio.gather(*jobs)
        await until(lambda: len(heard.requests) == 90, seconds=60)
        await until(lambda: under_way == 0)
        context.stopping.set()
        await task
    assert peak == most
    assert (await scene.terms())["accepted"]["total"] == 90
    assert await held(scene.database, scene.provider_id) == 0, "what is not needed is given back"


async def _run(sending: Sending, context: JobContext) -> None:
    await asyncio.gather(*(send_lots(sending, "bulk", context) for _ in range(2)), renew_shares(sending.pace, context))


@pytest.mark.parametrize("most", [0, -1, 1.5, "8", True, 10_001])
def test_what_is_no_number_of_requests_is_refused(most: object):
    values = values_of("twilio", "http://127.0.0.1:9")
    values["config"]["concurrentMax"] = most
    (problem,) = validate_account("sms", "twilio", values, frozenset({"127.0.0.1"}))
    assert problem.field == "config.concurrentMax"
