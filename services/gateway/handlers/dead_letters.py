"""A tenant's records that could not be processed: what waits, and putting one back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime

from services.gateway.domain.dead_letters import tenant_of
from shared.dead_letters import DeadLetter, Found, Part, find_dead_letters, redrive
from shared.http import Problem

NEWEST = 10_000
"""Of the records among which a tenant's are; older ones are left to `notify dead-letters`."""

READERS_MAX = 2
"""So many read at once; others wait for their turn."""

LOOK_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class LetterFilter:
    """Which letters; None is any. `reason` is a part of the reason, in any case."""

    topic: str | None = None
    service: str | None = None
    reason: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def takes(self, letter: DeadLetter) -> bool:
        """Whether the letter is one of those."""
        return (
            self.topic in (None, letter.topic)
            and self.service in (None, letter.service)
            and (self.reason is None or self.reason.lower() in letter.reason.lower())
            and (self.since is None or letter.at >= self.since)
            and (self.until is None or letter.at < self.until)
        )


@dataclass(slots=True)
class DeadLetterOffice:
    """Reads the topic of dead letters for tenants. A letter of no single tenant is shown to none."""

    kafka: str
    _turn: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(READERS_MAX))

    async def find(self, user_id: str, wanted: LetterFilter) -> Found:
        """The tenant's letters, without their contents."""

        def keep(letter: DeadLetter) -> DeadLetter | None:
            return replace(letter, value=b"") if _is_of(letter, user_id) and wanted.takes(letter) else None

        return await self._find(user_id, keep)

    async def read(self, user_id: str, letter_id: str) -> DeadLetter:
        """One of the tenant's letters; a 404 problem for what does not wait or is not theirs."""

        def keep(letter: DeadLetter) -> DeadLetter | None:
            return letter if letter.id == letter_id and _is_of(letter, user_id) else None

        found = await self._find(user_id, keep)
        if not found.letters:
            older = ", or is too old to be found by others than operators" if found.is_cut else ""
            raise Problem(404, "Not found", f"no dead letter waits under this id; it may have been put back{older}")
        return found.letters[0]

    async def redrive(self, user_id: str, letter_id: str) -> DeadLetter:
        """Puts one of the tenant's letters back where it came from."""
        letter = await self.read(user_id, letter_id)
        async with self._look():
            await redrive(self.kafka, [letter])
        return letter

    async def _find(self, user_id: str, keep: Callable[[DeadLetter], DeadLetter | None]) -> Found:
        async with self._look():
            return await find_dead_letters(self.kafka, keep, Part(user_id.encode(), NEWEST))

    @asynccontextmanager
    async def _look(self) -> AsyncIterator[None]:
        """A turn at Kafka, within a time."""
        async with asyncio.timeout(LOOK_SECONDS), self._turn:
            yield


def _is_of(letter: DeadLetter, user_id: str) -> bool:
    return letter.key == user_id.encode() and tenant_of(letter.topic, letter.key, letter.value) == user_id
