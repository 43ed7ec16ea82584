"""Counting the log again, beside the sums that are kept, and setting these right."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg.rows import dict_row

from services.analytics.store.aggregates import AGGREGATES, counting
from shared.database import Connection

REPLAYED = "replayed_"
"""Before the name of an aggregate: its namesake in memory and files of this connection alone."""

DIFFERING = "differing_"
ROWS_MAX = 100_000
"""So many events or repricings are counted in one statement."""

_REBUILD_LOCK = 7_310_528


@dataclass(frozen=True, slots=True)
class Difference:
    """A sum that is not what the log gives."""

    table: str
    keys: dict[str, str]
    kept: int
    replayed: int


async def claim_rebuild(connection: Connection) -> None:
    """Waits for another rebuild, and keeps the next one waiting until the connection is closed: two corrections of
    one difference would be one too many."""
    await connection.execute("SELECT pg_advisory_lock(%b)", (_REBUILD_LOCK,))
    await connection.commit()


async def create_namesakes(connection: Connection) -> None:
    """Makes an empty namesake of each aggregate."""
    for table in (aggregate.table for aggregate in AGGREGATES):
        await connection.execute(f"DROP TABLE IF EXISTS pg_temp.{REPLAYED}{table}")
        await connection.execute(
            f"CREATE TEMP TABLE {REPLAYED}{table} (LIKE {table} INCLUDING DEFAULTS INCLUDING INDEXES)"
        )


def _replaying(table: str, counted: str) -> str:
    return f"""
        WITH part AS MATERIALIZED (
            SELECT * FROM {table} WHERE id > %b ORDER BY id LIMIT %b
        ), {counted}
        SELECT count(*), (SELECT id FROM part ORDER BY id DESC LIMIT 1) FROM part
        """  # noqa: S608


_REPLAY = (
    _replaying("notification_events", counting("part", None, REPLAYED)),
    _replaying("repricings", counting(None, "part", REPLAYED)),
)


async def replay(connection: Connection, rows_max: int = ROWS_MAX) -> AsyncIterator[int]:
    """Counts the log as it was when this transaction began; yields how many records each step has counted.

    Whoever writes meanwhile is not disturbed: all of it sees the log and the aggregates as one commit left them.
    """
    await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    await create_namesakes(connection)
    for statement in _REPLAY:
        after: UUID | None = UUID(int=0)
        while after is not None:
            cursor = await connection.execute(statement, (after, rows_max))
            row = await cursor.fetchone()
            assert row is not None
            count, after = row
            if count:
                yield count


async def find_differences(connection: Connection, rows_max: int) -> tuple[int, list[Difference]]:
    """How many sums differ from the replayed ones, and the first of them. Run it in the replay's transaction."""
    total = 0
    found: list[Difference] = []
    for aggregate in AGGREGATES:
        table, keys, value = aggregate.table, ", ".join(aggregate.keys), aggregate.value
        await connection.execute(f"DROP TABLE IF EXISTS pg_temp.{DIFFERING}{table}")
        cursor = await connection.execute(
            f"""
            CREATE TEMP TABLE {DIFFERING}{table} AS SELECT * FROM (
                SELECT {keys}, coalesce(k.{value}, 0) AS kept,
                       coalesce(r.{value}, 0) + coalesce(k.closed, 0) AS replayed
                FROM {table} k FULL JOIN {REPLAYED}{table} r USING ({keys})) compared
            WHERE kept <> replayed
            """  # noqa: S608
        )
        total += cursor.rowcount
        async with connection.cursor(row_factory=dict_row) as rows:
            await rows.execute(f"SELECT * FROM {DIFFERING}{table} ORDER BY {keys} LIMIT %b", (rows_max - len(found),))  # noqa: S608
            found += [_difference(table, row) for row in await rows.fetchall()]
    return total, found


def _difference(table: str, row: dict[str, Any]) -> Difference:
    kept, replayed = row.pop("kept"), row.pop("replayed")
    return Difference(table, {name: str(value) for name, value in row.items()}, kept, replayed)


async def correct_aggregates(connection: Connection) -> None:
    """Adds to each sum what it differed by when the log was replayed, all at one instant.

    What was counted since then stays. Those who count write events first, so nobody counts under this lock.
    """
    await connection.execute("LOCK TABLE notification_events IN SHARE ROW EXCLUSIVE MODE")
    for aggregate in AGGREGATES:
        keys, value = ", ".join(aggregate.keys), aggregate.value
        await connection.execute(
            f"""
            INSERT INTO {aggregate.table} AS kept ({keys}, {value})
            SELECT {keys}, replayed - kept FROM {DIFFERING}{aggregate.table}
            ON CONFLICT ({keys}) DO UPDATE SET {value} = kept.{value} + excluded.{value}
            """  # noqa: S608
        )


async def close_partition(connection: Connection, partition: str, until: UUID) -> None:
    """Drops a partition, and the repricings with ids before `until`; what they add to each sum is kept in `closed`.

    Only whoever writes an event of that partition waits while it is counted.
    """
    await create_namesakes(connection)
    await connection.execute(f"LOCK TABLE {partition} IN SHARE MODE")
    await connection.execute(
        f"""
        WITH gone AS (
            DELETE FROM repricings WHERE id < %b RETURNING *
        ), {counting(partition, "gone", REPLAYED)}
        SELECT FROM moves LIMIT 1
        """,  # noqa: S608
        (until,),
    )
    await connection.execute(f"DROP TABLE {partition}")
    for aggregate in AGGREGATES:
        keys = ", ".join(aggregate.keys)
        await connection.execute(
            f"""
            INSERT INTO {aggregate.table} AS kept ({keys}, {aggregate.value}, closed)
            SELECT {keys}, 0, {aggregate.value} FROM {REPLAYED}{aggregate.table} ORDER BY {keys}
            ON CONFLICT ({keys}) DO UPDATE SET closed = kept.closed + excluded.closed
            """  # noqa: S608
        )
