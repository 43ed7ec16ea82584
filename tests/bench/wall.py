"""`python -m tests.bench.wall`: what the wall between tenants costs PostgreSQL, in processor time of its backend.

The ledger's path (lots stored, attempts claimed, outcomes recorded) as the role that owns the tables, without the wall,
with it, and with the wall that was not built (FORCE, and a policy that lets the fleet through); then one
recipient and the accounting of all of them, as the gateway asks for them, on both sides of the wall.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable
from pathlib import Path

import psycopg
from psycopg import sql
from pydantic import SecretStr

from contracts.channels import SMS
from services.dispatcher.store.campaigns import find_ledger
from services.dispatcher.store.outcomes import Recorded
from services.dispatcher.store.recipients import find_recipient
from shared.database import Database, TenantDatabase, ask_for, open_database, raw
from shared.database.migrations import migrate
from shared.database.tenancy import Transactions
from tests import servers
from tests.dispatcher.conftest import Scene

LOTS = 40
LOT_RECIPIENTS = 500
READS = 2_000
ACCOUNTINGS = 20
ROUNDS = 3

VARIANTS = {
    "without the wall": "DISABLE ROW LEVEL SECURITY",
    "with it": "ENABLE ROW LEVEL SECURITY",
    "FORCE": "FORCE ROW LEVEL SECURITY",
}


async def alter(database: Database, clause: str) -> None:
    """Makes the walls of all tables so; FORCE needs a policy that lets the fleet through."""
    async with database.transaction() as connection:
        cursor = await connection.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'"
        )
        for (name,) in await cursor.fetchall():
            table = sql.Identifier(name)
            statements = [sql.SQL("ALTER TABLE {} NO FORCE ROW LEVEL SECURITY").format(table)]
            statements.append(sql.SQL("DROP POLICY IF EXISTS fleet ON {}").format(table))
            if clause.startswith("FORCE"):
                fleet = sql.SQL("CREATE POLICY fleet ON {} USING (current_setting('app.fleet', true) = 'on')")
                statements.append(fleet.format(table))
            statements.append(sql.SQL(f"ALTER TABLE {{}} {clause}").format(table))
            for statement in statements:
                await connection.execute(statement)


def cpu_nanoseconds(backend: int) -> int:
    """Processor time that the backend has taken so far."""
    return int(Path(f"/proc/{backend}/schedstat").read_text().split()[0])


async def cpu_microseconds(backend: int, work: Awaitable[None], things: int) -> float:
    """Processor time that the backend takes for each thing of the work."""
    before = cpu_nanoseconds(backend)
    await work
    return (cpu_nanoseconds(backend) - before) / things / 1e3


async def send_everything(scene: Scene) -> None:
    """Lots come, are leased, claimed and recorded."""
    await scene.launch()
    for number in range(LOTS):
        await scene.arrive(scene.lot(LOT_RECIPIENTS, start=number * LOT_RECIPIENTS))
    while (lot := await scene.lease()) is not None:
        micro_lot = await scene.claim(lot)
        outcomes = [
            Recorded(one.id, one.attempts, "accepted", provider_message_id=one.id.hex) for one in micro_lot.claimed
        ]
        await scene.record(lot, micro_lot, *outcomes)


async def read_recipients(database: Transactions, scene: Scene) -> None:
    """A tenant looks people up, each in a transaction of its own."""
    ask_for(scene.user_id)
    for _ in range(READS):
        async with database.begin() as connection:
            await find_recipient(connection, SMS, scene.user_id, scene.campaign_id, scene.worker)


async def read_accounting(database: Transactions, scene: Scene) -> None:
    """The accounting reads every recipient of the campaign."""
    ask_for(scene.user_id)
    for _ in range(ACCOUNTINGS):
        async with database.transaction() as connection:
            await find_ledger(connection, SMS, scene.user_id, scene.campaign_id)


async def measure(address: str) -> None:
    """Prints the table; the pool and the engine have one connection each."""
    async with open_database(SecretStr(address), 1, "bench") as database:
        async with database.transaction() as connection:
            await connection.execute("SET app.fleet = 'on'")
            pool_backend = connection.info.backend_pid
        async with database.begin() as connection:
            engine_backend = (await raw(connection)).info.backend_pid
        for number in range(1, ROUNDS + 1):
            for name, clause in VARIANTS.items():
                await alter(database, clause)
                scene = Scene(database, SMS)
                cost = await cpu_microseconds(pool_backend, send_everything(scene), LOTS * LOT_RECIPIENTS)
                print(f"{number} ledger, {name:<17} {cost:6.2f} µs a recipient")
            await alter(database, VARIANTS["with it"])
            for name, side in (("whole fleet", database), ("tenant", TenantDatabase(database))):
                one = await cpu_microseconds(engine_backend, read_recipients(side, scene), READS)
                every = await cpu_microseconds(pool_backend, read_accounting(side, scene), ACCOUNTINGS)
                print(f"{number} {name:<11} one recipient {one:4.0f} µs, accounting {every / 1e3:5.1f} ms")


def main() -> None:
    """Measures in a database of its own."""
    with servers.running() as found:
        server, _, _ = found.database_url.rpartition("/")
        name = f"bench_{uuid.uuid4().hex[:12]}"
        with psycopg.connect(found.database_url, autocommit=True) as admin:
            admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        asyncio.run(measure(migrate(f"{server}/{name}", "dispatcher", "only-for-the-bench-0123")))


if __name__ == "__main__":
    main()
