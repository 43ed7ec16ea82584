"""Checkers that must be able to fail: each scenario holds for the product and breaks with its seeded bug.

The bugs are put in from here; the product has no switch for them.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from pydantic import SecretStr

from contracts import topics
from contracts.channels import SMS
from contracts.events import CampaignResumed
from services.dispatcher.domain import LEASE_MARGIN_SECONDS
from services.dispatcher.store import claims, parts
from services.dispatcher.store.claims import claim_recipients
from services.dispatcher.store.outcomes import Recorded, claim_expired, mark_unfinished_unknown
from shared import outbox
from shared.codec import now
from shared.database import Database, open_database
from shared.ids import new_id
from shared.outbox import Outgoing, put
from shared.providers import lane as lanes
from shared.providers import transfer
from shared.providers import wire as wires
from shared.providers.provider import HttpRequest
from tests.dispatcher.conftest import LEASE_SECONDS, Scene
from tests.waiting import until_blocked


@pytest_asyncio.fixture
async def database(database_of) -> AsyncIterator[Database]:
    async with open_database(SecretStr(database_of("dispatcher")), 6, "test") as opened:
        async with opened.transaction() as connection:
            await connection.execute(
                "TRUNCATE lots, campaigns, outbox, opt_outs, message_parts, sms_campaign_recipients"
            )
        yield opened


class Killed(Exception):
    """The worker dies here."""


# --- the order of the ledger: attempt committed before the call ------------------------------------------------------


@contextlib.asynccontextmanager
async def committed_before(database: Database, scene: Scene, lot: claims.Lot) -> AsyncIterator[claims.MicroLot]:
    async with database.transaction() as connection:
        micro_lot = await claim_recipients(connection, SMS, lot, scene.worker, LEASE_SECONDS, 500)
    yield micro_lot


@contextlib.asynccontextmanager
async def committed_after(database: Database, scene: Scene, lot: claims.Lot) -> AsyncIterator[claims.MicroLot]:
    """The mutant: one transaction around claim and call, as a careless hand would write it."""
    async with database.transaction() as connection:
        yield await claim_recipients(connection, SMS, lot, scene.worker, LEASE_SECONDS, 500)


@pytest.mark.parametrize(
    ("claiming", "sends"), [(committed_before, 5), (committed_after, 10)], ids=["product", "mutant"]
)
async def test_a_worker_that_dies_in_the_call_sends_nothing_twice(database, claiming, sends):
    scene = Scene(database, SMS)
    await scene.arrive(scene.lot(5))
    await scene.launch()
    sent = []
    for _ in range(2):
        lot = await scene.lease()
        if lot is None:
            break
        with contextlib.suppress(Killed):
            async with claiming(database, scene, lot) as micro_lot:
                sent.extend(one.address for one in micro_lot.claimed)
                raise Killed
        async with database.transaction() as connection:
            await connection.execute(
                "UPDATE lots SET lease_until = now() - interval '1 minute' WHERE id = %s", (lot.id,)
            )
        async with database.transaction() as connection:
            expired = await claim_expired(connection, LEASE_MARGIN_SECONDS)
            assert expired is not None
            await mark_unfinished_unknown(connection, SMS, expired.id)
    assert len(sent) == sends
    assert (len(sent) == len(set(sent))) == (sends == 5)


# --- the re-check of opt-outs in the claim ---------------------------------------------------------------------------


def without_recheck(statement: str) -> str:
    """The mutant: the claim trusts what the audience service knew when it made the lot."""
    start = statement.index("CASE WHEN EXISTS (\n                SELECT FROM opt_outs")
    end = statement.index("THEN 'opted_out' END)", start) + len("THEN 'opted_out' END)")
    return statement[:start] + "NULL)" + statement[end:]


@pytest.mark.parametrize("mutant", [False, True], ids=["product", "mutant"])
async def test_nobody_is_attempted_after_opting_out(database, monkeypatch, mutant):
    if mutant:
        monkeypatch.setitem(claims._CLAIM, "sms", without_recheck(claims._CLAIM["sms"]))
    scene = Scene(database, SMS)
    lot = scene.lot(3)
    await scene.arrive(lot)
    await scene.launch()
    leased = await scene.lease()
    await scene.opt_out(lot.recipients[0].address)
    attempted = {one.address for one in (await scene.claim(leased)).claimed}
    assert (lot.recipients[0].address in attempted) == mutant


# --- the lock under which parts of a long text are counted -----------------------------------------------------------


async def count_without_lock(_connection, _channel, recipient_ids):
    """The mutant: reads what is there of the parts without waiting for whoever is writing another one."""
    return dict.fromkeys(recipient_ids, 2)


@pytest.mark.parametrize("mutant", [False, True], ids=["product", "mutant"])
async def test_two_parts_at_the_same_time_make_a_whole(database, monkeypatch, mutant):
    if mutant:
        monkeypatch.setattr(parts, "lock_parts", count_without_lock)
    scene = Scene(database, SMS)
    await scene.arrive(scene.lot(1))
    await scene.launch()
    lot = await scene.lease()
    micro_lot = await scene.claim(lot)
    (one,) = micro_lot.claimed
    await scene.record(lot, micro_lot, Recorded(one.id, 1, "accepted", segments=2))
    async with database.transaction() as connection:
        await connection.execute("SELECT FROM sms_campaign_recipients FOR UPDATE")
        both = asyncio.gather(*(scene.receive((one.id, "delivered"), parts=[part]) for part in ("1", "2")))
        await until_blocked(database, 2)
    await both
    assert ((await scene.terms())["accepted"]["delivered"] == 0) == mutant


# --- the outbox's way of finding rows --------------------------------------------------------------------------------


class CursorRelay:
    """The mutant: remembers the highest id it has published, and looks only above it."""

    def __init__(self) -> None:
        self.last = 0

    async def claim_unsent(self, connection, rows_max):
        cursor = await connection.execute(
            "SELECT id, topic, key, value FROM outbox WHERE id > %s ORDER BY id LIMIT %s", (self.last, rows_max)
        )
        rows = await cursor.fetchall()
        self.last = max([self.last, *(row[0] for row in rows)])
        return rows


def _record(key: str) -> Outgoing:
    event = CampaignResumed(
        event_id=new_id(), occurred_at=now(), campaign_id=new_id(), user_id="u", channel="sms", version=1
    )
    return Outgoing(topics.CAMPAIGN_LIFECYCLE, key, event)


@pytest.mark.parametrize("mutant", [False, True], ids=["product", "mutant"])
async def test_a_row_that_commits_late_is_published(database, monkeypatch, mutant):
    async with database.transaction() as connection:
        await connection.execute("TRUNCATE outbox")
    if mutant:
        monkeypatch.setattr(outbox, "claim_unsent", CursorRelay().claim_unsent)
    published: list[bytes] = []

    async def publish(_topic: str, key: bytes, _value: bytes) -> asyncio.Future[object]:
        published.append(key)
        done: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done

    async with database.transaction() as slow:
        await put(slow, [_record("slow")])
        async with database.transaction() as quick:
            await put(quick, [_record("quick")])
        await outbox.relay_once(database, publish)
    await outbox.relay_once(database, publish)
    assert (b"slow" in published) != mutant
    assert b"quick" in published


# --- the fence at the write ------------------------------------------------------------------------------------------


@contextlib.contextmanager
def clock_checked_too_early(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The mutant: the deadline is compared with the time at which the request was handed over."""
    started = wires.boottime()
    with monkeypatch.context() as patch:
        for checks in (lanes, transfer):
            patch.setattr(checks, "boottime", lambda: started)
        yield


@pytest.mark.parametrize("mutant", [False, True], ids=["product", "mutant"])
async def test_a_worker_that_was_frozen_past_its_lease_writes_nothing(monkeypatch, mutant):
    written = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        written.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}")

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    wire = wires.Wire(allowed_hosts=frozenset({"127.0.0.1"}), timeout_seconds=5.0)
    request = HttpRequest("POST", f"http://127.0.0.1:{port}/", ("Content-Type: text/plain",), b"x")
    try:
        with clock_checked_too_early(monkeypatch) if mutant else contextlib.nullcontext():
            exchange = asyncio.ensure_future(wire.lane(1).exchange(request, wires.boottime() + 0.05))
            _freeze(0.2)
            await exchange
    finally:
        await wire.close()
        server.close()
    assert bool(written) == mutant


def _freeze(seconds: float) -> None:
    """Stands still with the whole loop, as a stopped process does; the clock goes on."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        pass
