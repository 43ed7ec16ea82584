"""The only way out: records are written in the transaction that makes them true, and published afterwards.

The relay finds work by `sent_at IS NULL`, never by a cursor on the id: ids are given before they commit, and a
cursor that has passed an id never sees the row that commits late.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from contracts.events import Event
from contracts.topics import Topic
from shared.codec import encode
from shared.database import Connection, Database
from shared.metrics import OUTBOX_OLDEST_AGE, OUTBOX_PENDING
from shared.probes import Heartbeat

RELAY_BATCH_MAX = 200
IDLE_SECONDS = 0.5
GATHER_SECONDS = 0.01
KEPT_MINUTES = 10
PURGE_MAX = 5_000


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One record to publish."""

    topic: Topic
    key: str
    event: Event


Publish = Callable[[str, bytes, bytes], Awaitable["asyncio.Future[object]"]]
"""Takes topic, key and value, and returns a future that is done when Kafka has the record on all replicas."""


async def put(connection: Connection, records: Sequence[Outgoing]) -> None:
    """Writes the records in the caller's transaction."""
    if not records:
        return
    await connection.execute(
        "INSERT INTO outbox (topic, key, value) SELECT * FROM unnest(%b::text[], %b::text[], %b::bytea[])",
        ([r.topic.name for r in records], [r.key for r in records], [encode(r.event) for r in records]),
    )


async def claim_unsent(connection: Connection, rows_max: int) -> list[tuple[int, str, str, bytes]]:
    """Locks the oldest unpublished rows that no other relay holds; (id, topic, key, value) in order of id."""
    cursor = await connection.execute(
        """
        SELECT id, topic, key, value FROM outbox
        WHERE sent_at IS NULL ORDER BY id LIMIT %b FOR UPDATE SKIP LOCKED
        """,
        (rows_max,),
        binary=True,
    )
    return await cursor.fetchall()


async def relay_once(database: Database, publish: Publish, rows_max: int = RELAY_BATCH_MAX) -> int:
    """Publishes one batch and marks it sent; a crash in between publishes it again, which every reader bears."""
    async with database.pool.connection() as connection:
        rows = await claim_unsent(connection, rows_max)
        if rows:
            futures = [await publish(topic, key.encode(), value) for _, topic, key, value in rows]
            await asyncio.gather(*futures)
            await connection.execute(
                "UPDATE outbox SET sent_at = clock_timestamp() WHERE id = ANY(%b)", ([row[0] for row in rows],)
            )
    return len(rows)


async def relay(database: Database, publish: Publish, stopping: asyncio.Event, heartbeat: Heartbeat) -> None:
    """Publishes until the service stops and nothing is left that was committed before the stop."""
    while True:
        last_round = stopping.is_set()
        database.committed.clear()
        heartbeat.begin()
        published = await relay_once(database, publish)
        heartbeat.end()
        if published == RELAY_BATCH_MAX:
            continue
        if last_round:
            return
        try:
            async with asyncio.timeout(IDLE_SECONDS):
                await database.committed.wait()
        except TimeoutError:
            continue
        await asyncio.sleep(GATHER_SECONDS)


async def measure(database: Database) -> None:
    """Sets the outbox gauges."""
    async with database.pool.connection() as connection:
        cursor = await connection.execute(
            "SELECT count(*), coalesce(extract(epoch FROM clock_timestamp() - min(created_at)), 0)::float8"
            " FROM outbox WHERE sent_at IS NULL"
        )
        row = await cursor.fetchone()
    assert row is not None
    OUTBOX_PENDING.set(row[0])
    OUTBOX_OLDEST_AGE.set(row[1])


async def purge(database: Database) -> None:
    """Deletes a bounded number of rows that were published a while ago."""
    async with database.pool.connection() as connection:
        await connection.execute(
            """
            DELETE FROM outbox WHERE id IN (
                SELECT id FROM outbox WHERE sent_at < now() - %b * interval '1 minute' ORDER BY sent_at LIMIT %b
            )
            """,
            (KEPT_MINUTES, PURGE_MAX),
        )
