"""A replay of the log finds every sum that is not what the log gives, and sets it right while others go on counting."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from pydantic import SecretStr

from contracts.events.delivery import notification_event_id
from services.analytics.handlers import on_notifications_recorded
from services.analytics.rebuilding import Rebuilt, rebuild
from services.analytics.store.aggregates import AGGREGATES
from services.analytics.store.partitions import close_month, create_partitions, find_months_before
from services.analytics.store.replay import correct_aggregates, find_differences, replay
from shared.database import Database
from shared.ids import new_id
from tests.analytics.records import events_of, record, repriced

COMMAND_SECONDS = 60.0
FEW = 7
"""Records counted in one step, so that a replay has many."""

MONTH = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def count_again(database_of):
    """`await count_again(correct=…)` is a rebuild in small steps."""

    async def count_again(correct: bool = False) -> Rebuilt:
        return await rebuild(SecretStr(database_of("analytics")), correct, rows_max=FEW)

    return count_again


def busy(recipient_ids: list[UUID], campaign_id: UUID | None = None) -> list:
    """Records of a campaign that have a part in every aggregate."""
    campaign_id = campaign_id or uuid4()
    return [
        record(campaign_id, [e for one in recipient_ids for e in events_of(one, "sent", "delivered", cost_micros=3)]),
        record(campaign_id, [e for one in recipient_ids for e in events_of(one, "bounced", code="30003")]),
        repriced(campaign_id, recipient_ids[0], 5, "EUR", before=3, identity=UUID(int=recipient_ids[0].int + 99)),
    ]


def some() -> list[UUID]:
    return [new_id() for _ in range(10)]


async def execute(database: Database, statement: str) -> int:
    async with database.transaction() as connection:
        return (await connection.execute(statement)).rowcount


async def test_what_was_counted_live_is_what_a_replay_counts(database, count_again):
    for _ in range(2):
        await on_notifications_recorded(database, busy(some()))
    found = await count_again()
    assert (found.records, found.differing, found.differences) == (62, 0, [])


FAULTS = {
    **{f"a wrong sum in {one.table}": f"UPDATE {one.table} SET {one.value} = {one.value} + 1" for one in AGGREGATES},
    **{f"rows missing in {one.table}": f"DELETE FROM {one.table}" for one in AGGREGATES},
    "an event deleted": "DELETE FROM notification_events WHERE event_type = 'delivered'",
    "an event changed": "UPDATE notification_events SET event_type = 'opened' WHERE event_type = 'delivered'",
    "a price changed": "UPDATE repricings SET cost_micros = cost_micros + 1",
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_fault_is_found_named_and_set_right(database, count_again, fault):
    await on_notifications_recorded(database, busy(some()))
    assert await execute(database, FAULTS[fault]) > 0
    found = await count_again()
    assert found.differing > 0
    assert all(one.kept != one.replayed for one in found.differences)
    assert (await count_again(correct=True)).differing == found.differing
    assert (await count_again()).differing == 0


async def test_a_sum_that_the_log_does_not_know_becomes_nothing(database, count_again):
    await execute(database, "INSERT INTO tenant_costs VALUES ('nobody', 'sms', 'USD', 12)")
    (difference,) = (await count_again(correct=True)).differences
    assert difference.keys == {"user_id": "nobody", "campaign_type": "sms", "currency": "USD"}
    assert (difference.kept, difference.replayed) == (12, 0)
    assert (await count_again()).differing == 0


async def test_what_is_counted_between_replay_and_correction_stays(database, count_again):
    await on_notifications_recorded(database, busy(some()))
    await execute(database, "UPDATE tenant_totals SET events = events + 100")
    async with database.pool.connection() as connection:
        steps = [count async for count in replay(connection, FEW)]
        assert len(steps) > 1
        await on_notifications_recorded(database, busy(some()))
        differing, _ = await find_differences(connection, FEW)
        assert differing > 0
        await connection.commit()
        await on_notifications_recorded(database, busy(some()))
        await correct_aggregates(connection)
    assert (await count_again()).differing == 0


async def test_consumers_go_on_while_it_is_rebuilt(database, count_again):
    await on_notifications_recorded(database, busy(some()))
    await execute(database, "UPDATE campaign_totals SET events = events - 1")
    campaign_id = uuid4()
    writing = [on_notifications_recorded(database, busy(some(), campaign_id)) for _ in range(20)]
    rebuilt, *_ = await asyncio.gather(count_again(correct=True), *writing)
    assert rebuilt.differing > 0
    assert (await count_again()).differing == 0


async def test_rebuilds_at_the_same_time_correct_a_difference_once(database, count_again):
    await on_notifications_recorded(database, busy(some()))
    await execute(database, "UPDATE tenant_totals SET events = events + 1")
    found = await asyncio.gather(*(count_again(correct=True) for _ in range(3)))
    assert sorted(bool(one.differing) for one in found) == [False, False, True]
    assert (await count_again()).differing == 0


def of_march(number: int) -> UUID:
    """A recipient of March 2026."""
    return UUID(int=(int(MONTH.timestamp() * 1000) + number << 80) + (number << 8))


async def test_a_closed_month_leaves_its_part_of_every_sum(database, count_again):
    async with database.transaction() as connection:
        await create_partitions(connection, MONTH, 1)
    old, campaign_id = [of_march(number) for number in range(5)], uuid4()
    await on_notifications_recorded(database, busy(old, campaign_id))
    await on_notifications_recorded(database, busy(some(), campaign_id))
    sums = [await contents(database, one.table, one.value) for one in AGGREGATES]
    async with database.transaction() as connection:
        april = datetime(2026, 4, 1, tzinfo=UTC)
        assert await find_months_before(connection, MONTH) == []
        assert await find_months_before(connection, april) == [MONTH]
        await close_month(connection, MONTH)
        assert await find_months_before(connection, april) == []
    assert [await contents(database, one.table, one.value) for one in AGGREGATES] == sums
    gone = [notification_event_id(one, "sent") for one in old]
    async with database.pool.connection() as connection:
        cursor = await connection.execute("SELECT FROM notification_events WHERE id = ANY(%b)", (gone,))
        assert await cursor.fetchall() == []
    assert (await count_again()).differing == 0
    await execute(database, "UPDATE tenant_costs SET cost_micros = cost_micros + 1")
    assert (await count_again(correct=True)).differing > 0
    assert [await contents(database, one.table, one.value) for one in AGGREGATES] == sums


async def contents(database: Database, table: str, value: str) -> list[tuple]:
    async with database.pool.connection() as connection:
        cursor = await connection.execute(f"SELECT {value}, to_jsonb(t) - 'closed' FROM {table} t ORDER BY 2")
        return await cursor.fetchall()


async def test_the_command_tells_by_its_exit_code(database, database_of):
    async def command(*arguments: str) -> tuple[int | None, str]:
        environment = {
            "PATH": os.environ["PATH"],
            "HTTP_PORT": "0",
            "DATABASE_URL": database_of("analytics"),
            "KAFKA_BOOTSTRAP_SERVERS": "none",
            "SECRETS_KEY": "none",
            "INTERNAL_TOKEN": "none",
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "services.analytics", *arguments, env=environment, stdout=asyncio.subprocess.PIPE
        )
        out, _ = await asyncio.wait_for(process.communicate(), COMMAND_SECONDS)
        return process.returncode, out.decode()

    campaign_id = uuid4()
    await on_notifications_recorded(database, busy(some(), campaign_id))
    assert (await command("rebuild", "--verify"))[0] == 0
    fault = f"UPDATE campaign_totals SET events = events + 1 WHERE campaign_id = '{campaign_id}'"
    await execute(database, fault)
    code, out = await command("rebuild", "--verify")
    assert code == 1
    assert f"campaign_totals (user_id ada, campaign_id {campaign_id}, event_type sent): kept 11, replayed 10" in out
    code, out = await command("rebuild", "--verify", "--json")
    assert code == 1
    assert json.loads(out)["differing"] > 0
    assert (await command("rebuild"))[0] == 0
    assert (await command("rebuild", "--verify"))[0] == 0
    assert (await command("rewind"))[0] == 2
