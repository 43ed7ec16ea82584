"""Group commit: callbacks wait in memory, bounded, until one transaction has written all that were waiting."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from services.delivery_receipt.domain import Callback


@dataclass(slots=True, eq=False)
class Waiting:
    """A callback whose sender has no answer yet; `answer` gets True when it is durable, False if that failed."""

    callback: Callback
    answer: Callable[[bool], None]
    since: float


class Intake:
    """The queue between the requests and the writer."""

    def __init__(self, waiting_max: int) -> None:
        self._waiting_max = waiting_max
        self._waiting: deque[Waiting] = deque()
        self._arrived = asyncio.Event()
        self._closed = False

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, callback: Callback, answer: Callable[[bool], None]) -> bool:
        """False when the queue is full or closed, which the sender must be told."""
        if self._closed or len(self._waiting) >= self._waiting_max:
            return False
        self._waiting.append(Waiting(callback, answer, time.monotonic()))
        self._arrived.set()
        return True

    async def take(self, group_max: int, gather_seconds: float) -> list[Waiting]:
        """All that wait, up to `group_max`; waits for the first, and a little for others to join it.

        Empty when closed and nothing is left.
        """
        while not self._waiting:
            if self._closed:
                return []
            self._arrived.clear()
            await self._arrived.wait()
        if len(self._waiting) < group_max and not self._closed:
            await asyncio.sleep(gather_seconds)
        return [self._waiting.popleft() for _ in range(min(len(self._waiting), group_max))]

    def close(self) -> None:
        """Takes nothing more; what is there can still be taken out."""
        self._closed = True
        self._arrived.set()
