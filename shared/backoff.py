"""How long to wait before the next attempt."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """Doubling delays with full jitter, in seconds, never above `most_seconds`."""

    first_seconds: float = 0.1
    most_seconds: float = 10.0

    def delay(self, attempt: int) -> float:
        """Seconds before attempt number `attempt` (1 is the first retry)."""
        ceiling = min(self.most_seconds, self.first_seconds * 2.0 ** min(attempt - 1, 30))
        return ceiling * random.uniform(0.5, 1.0)


async def wait_unless(stopping: asyncio.Event, seconds: float) -> bool:
    """Waits; returns True at once when the service begins to stop."""
    try:
        await asyncio.wait_for(stopping.wait(), seconds)
    except TimeoutError:
        return False
    return True


async def wait_for_any(events: Iterable[asyncio.Event], seconds: float) -> None:
    """Waits until one of the events is set, for so long at most."""
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()
