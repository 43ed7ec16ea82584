"""Kafka and PostgreSQL for the fleet: our own ones in the local state, or existing ones named by the environment."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from deploy.local import kafka, postgres
from deploy.local.errors import FleetError
from deploy.local.roster import Roster
from deploy.local.supervised import Program

READY_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Servers:
    """Addresses of what the services stand on."""

    kafka: str
    database_url: str
    """As an administrator, who may make roles and databases."""


@asynccontextmanager
async def running(roster: Roster) -> AsyncIterator[Servers]:
    """Starts the servers that the environment does not name, both at once, and stops them at the end."""
    starting = [
        _start_kafka(roster, os.environ.get("KAFKA_BOOTSTRAP_SERVERS", "")),
        _start_postgres(roster, os.environ.get("DATABASE_URL", "")),
    ]
    tasks = [asyncio.ensure_future(start) for start in starting]
    try:
        try:
            kafka_address, database_url = await asyncio.gather(*tasks)
        except FleetError:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            raise
        yield Servers(kafka_address, database_url)
    finally:
        own = [roster.supervised[name] for name in ("kafka", "postgres") if name in roster.supervised]
        await asyncio.gather(*(server.stop() for server in own))


async def _start_kafka(roster: Roster, existing: str) -> str:
    if existing:
        return existing
    program = await _start(roster, kafka.prepare(roster.state))
    return f"127.0.0.1:{program.port}"


async def _start_postgres(roster: Roster, existing: str) -> str:
    if existing:
        return existing
    program = await _start(roster, postgres.prepare(roster.state))
    assert program.port is not None
    return postgres.admin_url(roster.state, program.port)


async def _start(roster: Roster, preparing: Awaitable[Program]) -> Program:
    program = await preparing
    await roster.start(program).wait_ready(READY_SECONDS)
    return program
