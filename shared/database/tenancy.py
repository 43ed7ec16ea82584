"""Row-level security: the second wall, behind the `user_id` that every query names itself.

A service's own role owns its tables and sees the whole fleet: consumers and jobs work with it, at no cost. Requests
work as the role `<service>_tenant`, to whom every table shows the rows of the tenant who asks, and none where no tenant
was named. docs/decisions/0007 has the reasons and the measurements.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol

from psycopg import sql

from shared.database.database import Connection, Database, SqlConnection, raw
from shared.database.roles import tenant_role

NOBODY = ""
"""No tenant has this id."""

_asking: ContextVar[str] = ContextVar("asking", default=NOBODY)


def ask_for(user_id: str) -> None:
    """Names the tenant for whom the running request works, from here to its end."""
    _asking.set(user_id)


class Transactions(Protocol):
    """What handlers need of a database, whether they serve a request or the whole fleet."""

    @property
    def whole_fleet(self) -> Database:
        """The database without the wall."""

    def transaction(self) -> AbstractAsyncContextManager[Connection]:
        """One transaction on a psycopg connection."""

    def begin(self) -> AbstractAsyncContextManager[SqlConnection]:
        """One transaction for SQLAlchemy Core statements."""


@dataclass(frozen=True, slots=True)
class TenantDatabase:
    """A service's database as its requests see it: only the rows of the tenant named by `ask_for`."""

    whole_fleet: Database

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """One transaction on a psycopg connection."""
        async with self.whole_fleet.transaction() as connection:
            await _restrict(connection)
            yield connection

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[SqlConnection]:
        """One transaction for SQLAlchemy Core statements."""
        async with self.whole_fleet.begin() as connection:
            await _restrict(await raw(connection))
            yield connection


async def _restrict(connection: Connection) -> None:
    """Holds until the transaction ends, so that it cannot reach whoever gets the connection next.

    SET takes no snapshot: the caller may still choose the isolation level.
    """
    statement = sql.SQL("SET LOCAL ROLE {}; SET LOCAL app.user_id = {}").format(
        sql.Identifier(tenant_role(connection.info.user)), sql.Literal(_asking.get())
    )
    await connection.execute(statement, prepare=False)
