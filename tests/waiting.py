"""Waiting in tests: for a condition, with a deadline, never for a time."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable

from shared.database import Database

POLL_SECONDS = 0.02


async def until(
    condition: Callable[[], Awaitable[object] | object], seconds: float = 10.0, what: str | None = None
) -> None:
    """Returns when the condition (plain or async) holds; fails the test when it does not in time."""
    last: object = None
    try:
        async with asyncio.timeout(seconds):
            while True:
                last = condition()
                if inspect.isawaitable(last):
                    last = await last
                if last:
                    return
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError:
        name = what or getattr(condition, "__name__", "condition")
        raise AssertionError(f"{name} does not hold after {seconds} s; last seen: {last!r}") from None


async def until_blocked(database: Database, statements: int = 1) -> None:
    """Returns when so many statements of this database's role wait for another one's lock."""

    async def is_blocked() -> bool:
        async with database.pool.connection() as connection:
            cursor = await connection.execute(
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE usename = current_user AND wait_event_type = 'Lock' AND pg_blocking_pids(pid) <> '{}'"
            )
            row = await cursor.fetchone()
        return row is not None and row[0] >= statements

    await until(is_blocked, what=f"{statements} blocked")
