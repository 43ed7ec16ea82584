"""What is asked about attempts of unknown outcome, and what may be believed of the answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial

import pytest
from cryptography.fernet import Fernet

from contracts.events import LotResolved
from services.dispatcher.accounts import account_columns, open_accounts
from services.dispatcher.domain import Tariffs
from services.dispatcher.jobs.repairing import Resolved, resolve_once
from services.dispatcher.jobs.sending import Sending, send_lots
from services.dispatcher.settings import DispatcherSettings
from services.dispatcher.store.providers import insert_provider
from shared.probes import Heartbeat
from shared.providers.wire import Wire
from shared.runtime import JobContext
from shared.security import references, seal
from shared.settings import load
from tests.dispatcher.conftest import Scene
from tests.provider_simulator.conftest import Simulated, simulated
from tests.providers.samples import values_of
from tests.waiting import until

KEY = Fernet.generate_key().decode()
TYPES = {"sms": "twilio", "push": "firebase"}
LOST = {"accept_then_close": 1.0, "lost_receipt": 1.0}
NEVER_TAKEN = {"server_error": 1.0}

__all__ = ["simulated"]
only_sms = pytest.mark.parametrize("scene", ["sms"], indirect=True)


@dataclass
class Desk:
    """A scene with an account at the simulator and a sender."""

    scene: Scene
    simulated: Simulated
    sending: Sending

    async def send(self, *lots: LotResolved) -> None:
        """Sends the lots to the end."""
        await self.scene.arrive(*lots)
        await self.scene.launch()
        context = JobContext(asyncio.Event(), Heartbeat("sender", 60))
        sender = asyncio.create_task(send_lots(self.sending, "bulk", context))
        await until(partial(self._all_answered, len(lots)))
        context.stopping.set()
        await sender

    async def _all_answered(self, lots: int) -> bool:
        async with self.scene.database.pool.connection() as connection:
            cursor = await connection.execute("SELECT count(*) FROM lots WHERE state = 'done'")
            return await cursor.fetchone() == (lots,)

    async def resolve(self, **options: object) -> Resolved:
        return await resolve_once(self.sending, self.scene.channel, 0.0, **options)


@pytest.fixture
async def desk(scene: Scene, simulated: Simulated) -> AsyncIterator[Desk]:
    settings = load(
        DispatcherSettings,
        database_url="postgresql://unused",
        kafka_bootstrap_servers="unused:1",
        secrets_key=KEY,
        internal_token=KEY,
        http_port=0,
        public_base_url="http://127.0.0.1:9",
        idle_seconds=0.05,
    )
    kind = TYPES[scene.channel.name]
    values = {
        "id": scene.provider_id,
        "user_id": scene.user_id,
        "provider_name": "ours",
        "provider_type": kind,
        **account_columns(seal(KEY), scene.channel.name, values_of(kind, simulated.url)),
    }
    async with scene.database.engine.begin() as connection:
        await insert_provider(connection, scene.channel.name, values)
    wire = Wire(allowed_hosts=frozenset({"127.0.0.1"}), timeout_seconds=2)
    async with open_accounts(scene.database, seal(KEY), wire) as accounts:
        yield Desk(scene, simulated, Sending(scene.database, settings, accounts, references(KEY), Tariffs({})))


@only_sms
async def test_what_the_provider_has_is_accepted(desk):
    await desk.simulated.set_faults(rates=LOST)
    await desk.send(desk.scene.lot(3))
    assert (await desk.scene.terms())["unknown"] == 3
    assert (await desk.resolve()).accepted == 3
    await desk.scene.resolve(3, 1)
    terms = await desk.scene.terms()
    assert (terms["unknown"], terms["accepted"]["total"], terms["balanced"]) == (0, 3, True)
    assert len(await desk.scene.events()) == 3


@only_sms
async def test_what_the_provider_does_not_have_stays_unknown_where_the_campaign_holds(desk):
    await desk.simulated.set_faults(rates=NEVER_TAKEN)
    await desk.send(desk.scene.lot(2))
    found = await desk.resolve()
    assert (found.asked, found.accepted, found.requeued) == (2, 0, 0)
    assert (await desk.scene.terms())["unknown"] == 2


@only_sms
async def test_a_message_of_another_attempt_proves_nothing(desk):
    """The same text to the same address, twice: the one that arrived must not stand for the one that did not."""
    await desk.simulated.set_faults(rates=NEVER_TAKEN)
    lost = desk.scene.lot(1)
    await desk.send(lost)
    other = Scene(desk.scene.database, desk.scene.channel, desk.scene.user_id, provider_id=desk.scene.provider_id)
    await desk.simulated.set_faults(rates={})
    await Desk(other, desk.simulated, desk.sending).send(other.lot(1))
    assert (await other.terms())["accepted"]["total"] == 1
    found = await desk.resolve()
    assert (found.asked, found.accepted) == (1, 0)
    assert (await desk.scene.terms())["unknown"] == 1


@only_sms
async def test_two_unknown_attempts_at_one_address_are_left_alone(desk):
    """One of them may have arrived; nobody can tell which."""
    await desk.simulated.set_faults(rates=LOST)
    await desk.send(desk.scene.lot(1))
    await desk.simulated.set_faults(rates=NEVER_TAKEN, seed=2)
    other = Scene(desk.scene.database, desk.scene.channel, desk.scene.user_id, provider_id=desk.scene.provider_id)
    await Desk(other, desk.simulated, desk.sending).send(other.lot(1))
    found = await desk.resolve()
    assert (found.asked, found.accepted) == (2, 0)


@only_sms
async def test_rounds_go_on_where_the_last_one_ended(desk):
    await desk.simulated.set_faults(rates=NEVER_TAKEN)
    lot = desk.scene.lot(5)
    await desk.send(lot)
    ids = [one.recipient_id for one in lot.recipients]
    first = await desk.resolve(rows_max=3)
    assert (first.asked, first.last) == (3, ids[2])
    second = await desk.resolve(rows_max=3, after=first.last)
    assert second.asked == 2
    assert (await desk.resolve(rows_max=3, after=second.last)).asked == 3


@pytest.mark.parametrize("scene", ["push"], indirect=True)
async def test_a_provider_that_cannot_be_asked_is_not_asked(desk):
    await desk.simulated.set_faults(rates=LOST)
    await desk.send(desk.scene.lot(2))
    sent = len(await desk.simulated.log())
    found = await desk.resolve()
    assert (found.asked, found.accepted) == (2, 0)
    assert len(await desk.simulated.log()) == sent
    assert (await desk.scene.terms())["unknown"] == 2
