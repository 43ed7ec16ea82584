"""A scene with an account at the simulator, and a sender at work."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

import pytest
from cryptography.fernet import Fernet

from contracts.events import LotResolved
from services.dispatcher.accounts import account_columns, open_accounts
from services.dispatcher.domain import Tariffs
from services.dispatcher.jobs.parts import Sending
from services.dispatcher.jobs.pricing import Pricing
from services.dispatcher.jobs.repairing import Resolved, resolve_once
from services.dispatcher.jobs.sending import send_lots
from services.dispatcher.settings import DispatcherSettings
from services.dispatcher.store.providers import update_provider
from services.dispatcher.tables import PROVIDERS
from shared.database import insert_once
from shared.links import link_codes
from shared.probes import Heartbeat
from shared.providers.wire import Wire
from shared.runtime import JobContext
from shared.security import references, seal
from shared.settings import load
from tests.dispatcher.conftest import Scene
from tests.provider_simulator.conftest import Simulated
from tests.providers.samples import values_of
from tests.waiting import until

KEY = Fernet.generate_key().decode()
LINK_BASE_URL = "https://n.example"
TYPES = {"sms": "twilio", "push": "firebase"}


@dataclass
class Desk:
    """A scene with an account at the simulator and a sender."""

    scene: Scene
    simulated: Simulated
    sending: Sending

    async def send(self, *lots: LotResolved, **content: object) -> None:
        """Sends the lots to the end, or until they are held."""
        await self.scene.arrive(*lots)
        await self.scene.launch(**content)
        await self.work(len(lots))

    async def work(self, lots: int, *states: str, lane: str = "bulk") -> None:
        """Sends until so many lots are in these states: by default done or held."""
        context = JobContext(asyncio.Event(), Heartbeat("sender", 60))
        sender = asyncio.create_task(send_lots(self.sending, lane, context))
        await until(partial(self._are_in, lots, states or ("done", "held")))
        context.stopping.set()
        await sender

    async def _are_in(self, lots: int, states: tuple[str, ...]) -> bool:
        async with self.scene.database.pool.connection() as connection:
            cursor = await connection.execute("SELECT count(*) FROM lots WHERE state = ANY (%s)", (list(states),))
            return await cursor.fetchone() == (lots,)

    async def price(self) -> int:
        """Asks for prices until nothing is due; says how many questions that took."""
        pricing, questions = Pricing(self.sending), 0
        while await pricing.ask_once(JobContext(asyncio.Event(), Heartbeat("prices", 60))):
            questions += 1
        return questions

    async def resolve(self, **options: object) -> Resolved:
        return await resolve_once(self.sending, self.scene.channel, 0.0, **options)


@asynccontextmanager
async def sending_of(scene: Scene) -> AsyncIterator[Sending]:
    """What the senders of one process share."""
    settings = load(
        DispatcherSettings,
        database_url="postgresql://unused",
        kafka_bootstrap_servers="unused:1",
        secrets_key=KEY,
        internal_token=KEY,
        http_port=0,
        public_base_url="http://127.0.0.1:9",
        link_base_url=LINK_BASE_URL,
        idle_seconds=0.05,
    )
    wire = Wire(allowed_hosts=frozenset({"127.0.0.1"}), timeout_seconds=2)
    async with open_accounts(scene.database, seal(KEY), wire) as accounts:
        yield Sending(scene.database, settings, accounts, references(KEY), link_codes(KEY), Tariffs({}))


async def allow(desk: Desk, url: str | None = None, **limits: float) -> None:
    """Gives the scene's account limits, and another address."""
    scene = desk.scene
    values = values_of(TYPES[scene.channel.name], url or desk.simulated.url)
    values["config"] |= limits
    columns = account_columns(seal(KEY), scene.channel.name, values)
    async with scene.database.engine.begin() as connection:
        await update_provider(connection, scene.channel.name, scene.user_id, scene.provider_id, columns)


@pytest.fixture
async def desk(scene: Scene, simulated: Simulated) -> AsyncIterator[Desk]:
    kind = TYPES[scene.channel.name]
    values = {
        "id": scene.provider_id,
        "user_id": scene.user_id,
        "provider_name": "ours",
        "provider_type": kind,
        **account_columns(seal(KEY), scene.channel.name, values_of(kind, simulated.url)),
    }
    async with scene.database.engine.begin() as connection:
        await insert_once(connection, PROVIDERS[scene.channel.name], values)
    async with sending_of(scene) as sending:
        yield Desk(scene, simulated, sending)
