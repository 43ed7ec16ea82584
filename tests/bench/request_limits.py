"""What it costs to limit requests: a bucket in the database for each, against a second's worth taken at once.

Processor time of this process and of PostgreSQL per request, and how far two replicas together let a caller go beyond
the limit. `python -m tests.bench.request_limits`.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable

import psutil
import psycopg
from psycopg import sql
from pydantic import SecretStr
from rich.table import Table

from notify.display import console
from services.gateway.domain.limits import Rate
from services.gateway.handlers.limits import Limits
from services.gateway.store.limits import take_tokens
from shared.database import Database, open_database
from shared.database.migrations import migrate
from tests import servers

REQUESTS = 5_000
IN_FLIGHT = 20
RATE = Rate(12_000)
ROLE_SECRET = "only-for-the-bench"


async def main() -> None:
    """Prints the table."""
    with servers.running() as found:
        server, _, _ = found.database_url.rpartition("/")
        name = f"bench_{uuid.uuid4().hex[:8]}"
        with psycopg.connect(found.database_url, autocommit=True) as admin:
            admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        url = SecretStr(migrate(f"{server}/{name}", "gateway", ROLE_SECRET))
        async with open_database(url, 4, "bench") as database:
            console.print(await measure(database))


async def measure(database: Database) -> Table:
    """Both ways for as many requests, and the overshoot of two replicas."""
    limits = Limits(database)

    async def each() -> None:
        async with database.pool.connection() as connection:
            await take_tokens(connection, "each", RATE, 1)

    async def leased() -> None:
        await limits.count("leased", RATE)

    table = Table(title=f"{REQUESTS:,} requests, {IN_FLIGHT} at once, limit {RATE.per_minute:,} a minute")
    for title in ("way", "gateway, µs a request", "PostgreSQL, µs a request"):
        table.add_column(title, justify="right")
    for title, request in (("each asks the database", each), ("a second's worth is taken", leased)):
        ours, theirs = await cost(database, request)
        table.add_row(title, f"{ours:.1f}", f"{theirs:.1f}")
    let_through, seconds = await overshoot(database)
    allowed = RATE.per_minute + RATE.per_second * seconds
    table.caption = (
        f"two replicas let {let_through:,} of {2 * REQUESTS * 2:,} requests through in {seconds:.1f} s; exactly "
        f"{allowed:,.0f} are allowed"
    )
    return table


async def cost(database: Database, request: Callable[[], Awaitable[None]]) -> tuple[float, float]:
    """(processor microseconds of ours, of PostgreSQL) per request."""
    ours, theirs = time.process_time(), await _backends(database)
    await _many(request, REQUESTS)
    ours = time.process_time() - ours
    spent = sum(cpu - theirs.get(pid, 0.0) for pid, cpu in (await _backends(database)).items())
    return ours / REQUESTS * 1e6, spent / REQUESTS * 1e6


async def _backends(database: Database) -> dict[int, float]:
    """Processor seconds of the backends of this database, by process."""
    async with database.pool.connection() as connection:
        cursor = await connection.execute("SELECT pid FROM pg_stat_activity WHERE datname = current_database()")
        times = {row[0]: psutil.Process(row[0]).cpu_times() for row in await cursor.fetchall()}
    return {pid: one.user + one.system for pid, one in times.items()}


async def overshoot(database: Database) -> tuple[int, float]:
    """(requests that two replicas let through, seconds)."""
    replicas = [Limits(database), Limits(database)]
    let_through = 0

    async def request(limits: Limits) -> None:
        nonlocal let_through
        standing = await limits.count("shared", RATE)
        let_through += standing.wait_seconds == 0

    begin = time.monotonic()
    await asyncio.gather(*(_many(lambda one=one: request(one), 2 * REQUESTS) for one in replicas))  # type: ignore[misc]
    return let_through, time.monotonic() - begin


async def _many(request: Callable[[], Awaitable[None]], count: int) -> None:
    async def some() -> None:
        for _ in range(count // IN_FLIGHT):
            await request()

    await asyncio.gather(*(some() for _ in range(IN_FLIGHT)))


if __name__ == "__main__":
    asyncio.run(main())
