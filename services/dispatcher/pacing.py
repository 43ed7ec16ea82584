"""What one process knows about the pace of its accounts; the truth is in the database."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from contracts.content import count_segments
from services.dispatcher.accounts import Usable
from services.dispatcher.store.rates import Grant, claim_units, mark_throttled, mark_used
from shared.database import Database
from shared.providers.provider import Deferred, Message, Outcome

LOOK_SECONDS = 1.0
"""How long an account that nobody limits is not looked at again."""

HOLD_SECONDS_MAX = 3600.0
THROTTLED = "throttled"
RATE_LIMITED = "rate_limited"


@dataclass(slots=True)
class _Taken:
    """What all senders of this process got through to one account, second by second."""

    since: float = field(default_factory=time.monotonic)
    messages: int = 0
    per_second: float = 0.0

    def add(self, messages: int) -> float:
        """Messages a second, of the last whole second or of what there is."""
        now = time.monotonic()
        self.messages += messages
        seconds = now - self.since
        if seconds >= LOOK_SECONDS:
            self.per_second, self.since, self.messages = self.messages / seconds, now, 0
            return self.per_second
        return max(self.per_second, self.messages / max(seconds, 0.05), 1.0)


@dataclass(slots=True)
class Pace:
    """Grants of units to send, and what to do when a provider complains."""

    database: Database
    _free_until: dict[UUID, float] = field(default_factory=dict)
    _taken: dict[UUID, _Taken] = field(default_factory=dict)

    async def grant(self, usable: Usable, wanted: int, urgent: bool) -> Grant:
        """How many messages may be sent now, up to `wanted`."""
        if usable.per_second is None and time.monotonic() < self._free_until.get(usable.id, 0.0):
            return Grant(wanted, 0.0, limited=False)
        async with self.database.transaction() as connection:
            grant = await claim_units(connection, usable.id, usable.per_second, wanted, urgent)
        if not grant.limited:
            self._free_until[usable.id] = time.monotonic() + LOOK_SECONDS
        return grant

    async def settle(self, usable: Usable, messages: Sequence[Message]) -> None:
        """Owns up to segments beyond the one of each message that the grant counted."""
        if usable.per_second is None or usable.provider.capabilities.rate_unit != "segments":
            return
        extra = sum(count_segments(message.text).count - 1 for message in messages)
        if extra:
            async with self.database.transaction() as connection:
                await mark_used(connection, usable.id, usable.per_second, extra)

    async def hear(self, usable: Usable, outcomes: Sequence[Outcome | None]) -> None:
        """Slows the account down where the provider says that it was too fast."""
        complaints = [one for one in outcomes if isinstance(one, Deferred) and one.reason == THROTTLED]
        taken = sum(not isinstance(one, Deferred) for one in outcomes if one is not None)
        achieved = self._taken.setdefault(usable.id, _Taken()).add(taken)
        if not complaints:
            return
        hold = max(one.retry_after_seconds or 0.0 for one in complaints)
        self._free_until.pop(usable.id, None)
        async with self.database.transaction() as connection:
            share = len(complaints) / (len(complaints) + taken)
            await mark_throttled(connection, usable.id, achieved, share, min(hold, HOLD_SECONDS_MAX))
