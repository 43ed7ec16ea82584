"""What was read from the database a moment ago."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

SECONDS = 5.0
"""A change that another replica makes is seen after so long."""

ENTRIES_MAX = 10_000

Value = TypeVar("Value")


@dataclass(slots=True)
class Recent(Generic[Value]):
    """Values of the last `SECONDS`; when there are too many, the oldest give way."""

    _entries: dict[str, tuple[float, Value]] = field(default_factory=dict)

    def has(self, key: str) -> bool:
        """Whether `find` would answer at once."""
        entry = self._entries.get(key)
        return entry is not None and time.monotonic() - entry[0] < SECONDS

    async def find(self, key: str, read: Callable[[], Awaitable[Value]]) -> Value:
        """The value that is known, else that which is read."""
        if self.has(key):
            return self._entries[key][1]
        return self.put(key, await read())

    def put(self, key: str, value: Value) -> Value:
        """The value from now on."""
        self._entries.pop(key, None)
        if len(self._entries) >= ENTRIES_MAX:
            del self._entries[next(iter(self._entries))]
        self._entries[key] = (time.monotonic(), value)
        return value

    def forget(self, key: str) -> None:
        """The next one who asks reads it."""
        self._entries.pop(key, None)
