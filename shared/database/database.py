"""Connections to a service's own schema, with every limit chosen."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg_pool import AsyncConnectionPool
from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

Connection: TypeAlias = psycopg.AsyncConnection[tuple[Any, ...]]
"""psycopg, for the hot path."""

SqlConnection: TypeAlias = AsyncConnection
"""SQLAlchemy Core, for small queries."""

CONNECT_TIMEOUT_SECONDS = 5
POOL_TIMEOUT_SECONDS = 30.0
STATEMENT_TIMEOUT_SECONDS = 60
LOCK_TIMEOUT_SECONDS = 20
IDLE_IN_TRANSACTION_SECONDS = 60
ENGINE_CONNECTIONS_MAX = 4


@dataclass(slots=True)
class Database:
    """A service's database. Open transactions through `transaction` or `begin`, so that the outbox hears of them."""

    pool: AsyncConnectionPool[Connection]
    engine: AsyncEngine
    committed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set after each commit; the outbox relay waits for it."""

    @property
    def whole_fleet(self) -> Database:
        """Itself: consumers and jobs see every tenant."""
        return self

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """One transaction on a psycopg connection: committed at the end, rolled back on an exception."""
        async with self.pool.connection() as connection:
            yield connection
        self.committed.set()

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        """One transaction for SQLAlchemy Core statements."""
        async with self.engine.begin() as connection:
            yield connection
        self.committed.set()


async def raw(connection: AsyncConnection) -> Connection:
    """The psycopg connection under an SQLAlchemy connection, in the same transaction."""
    driver: Connection | None = (await connection.get_raw_connection()).driver_connection
    assert driver is not None
    return driver


@asynccontextmanager
async def open_database(url: SecretStr, connections_max: int, service: str) -> AsyncIterator[Database]:
    """Connects (raising `psycopg_pool.PoolTimeout` when nobody answers) and closes at the end."""
    conninfo = url.get_secret_value()
    options = {
        "application_name": service,
        "connect_timeout": CONNECT_TIMEOUT_SECONDS,
        "keepalives_idle": 20,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "options": " ".join(
            (
                f"-c statement_timeout={STATEMENT_TIMEOUT_SECONDS}s",
                f"-c lock_timeout={LOCK_TIMEOUT_SECONDS}s",
                f"-c idle_in_transaction_session_timeout={IDLE_IN_TRANSACTION_SECONDS}s",
                "-c timezone=UTC",
            )
        ),
    }
    pool: AsyncConnectionPool[Connection] = AsyncConnectionPool(
        conninfo,
        kwargs=options,
        min_size=1,
        max_size=connections_max,
        timeout=POOL_TIMEOUT_SECONDS,
        max_waiting=1000,
        max_lifetime=3600.0,
        max_idle=300.0,
        reconnect_timeout=300.0,
        num_workers=2,
        open=False,
        check=None,
        name=service,
    )
    engine = create_async_engine(
        urlunsplit(urlsplit(conninfo)._replace(scheme="postgresql+psycopg")),
        pool_size=ENGINE_CONNECTIONS_MAX,
        max_overflow=0,
        pool_timeout=POOL_TIMEOUT_SECONDS,
        pool_pre_ping=True,
        pool_recycle=3600,
        connect_args=options,
        hide_parameters=True,
    )
    try:
        await pool.open(wait=True, timeout=POOL_TIMEOUT_SECONDS)
        yield Database(pool, engine)
    finally:
        await pool.close(timeout=5.0)
        await engine.dispose()
