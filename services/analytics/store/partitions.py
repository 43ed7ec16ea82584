"""The months of the event log: made before they are needed, closed when they are no longer kept."""

from __future__ import annotations

from datetime import UTC, datetime

from psycopg import sql

from services.analytics.domain import first_id_of, months_from
from services.analytics.store.replay import close_partition
from shared.database import Connection

CLOSE_SECONDS = 600
"""How long the counting of a month may take."""

_NAME = "notification_events_%Y_%m"


async def create_partitions(connection: Connection, now: datetime, months: int) -> None:
    """Makes the partitions of this month and the next ones, where they are missing."""
    for first, following in months_from(now, months):
        name = first.strftime(_NAME)
        cursor = await connection.execute("SELECT to_regclass(%b) IS NULL", (name,))
        row = await cursor.fetchone()
        if row is not None and row[0]:
            statement = sql.SQL("CREATE TABLE {} PARTITION OF notification_events FOR VALUES FROM ({}) TO ({})")
            bounds = (sql.Literal(str(first_id_of(first))), sql.Literal(str(first_id_of(following))))
            await connection.execute(statement.format(sql.Identifier(name), *bounds))


async def find_months_before(connection: Connection, month: datetime) -> list[datetime]:
    """The months before this one that have a partition, the oldest first."""
    cursor = await connection.execute(
        """
        SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'notification_events'::regclass AND c.relname < %b ORDER BY 1
        """,
        (month.strftime(_NAME),),
    )
    return [datetime.strptime(name, _NAME).replace(tzinfo=UTC) for (name,) in await cursor.fetchall()]


async def close_month(connection: Connection, month: datetime) -> None:
    """Drops the events of recipients of this month; the sums keep their part."""
    [(first, following)] = months_from(month, 1)
    await connection.execute(f"SET LOCAL statement_timeout = '{CLOSE_SECONDS}s'")
    await close_partition(connection, first.strftime(_NAME), first_id_of(following))
