"""Waiting in tests: for a condition, with a deadline, never for a time."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable

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
