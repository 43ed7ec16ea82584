"""What one process knows about the pace of its accounts; the truth is in the database."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from services.dispatcher.accounts import Usable
from services.dispatcher.store.rates import Grant, claim_units, mark_measured, mark_throttled, mark_used
from services.dispatcher.store.shares import claim_share, release_share
from shared.database import Database
from shared.providers.provider import Deferred, Message, Outcome

LOOK_SECONDS = 1.0
"""How long an account that nobody limits, or a share, is not looked at again."""

UNUSED_SECONDS = 2.0
"""After which a process gives its share of an account back."""

SLOT_USES_MAX = 4
"""Requests of one micro-lot that may come after one another, where few may be under way at a time."""

HOLD_SECONDS_MAX = 3600.0
THROTTLED = "throttled"
RATE_LIMITED = "rate_limited"


@dataclass(slots=True)
class _Taken:
    """What all senders of this process got through to one account, second by second."""

    since: float = field(default_factory=time.monotonic)
    messages: int = 0
    per_second: float = 0.0

    def add(self, messages: int) -> int:
        """Counts messages; returns those of a whole second when it is over."""
        now = time.monotonic()
        self.messages += messages
        seconds = now - self.since
        if seconds < LOOK_SECONDS:
            return 0
        whole, self.messages, self.since = self.messages, 0, now
        self.per_second = whole / seconds
        return whole

    def achieved(self) -> float:
        """Messages a second, of the last whole second or of what there is."""
        return max(self.per_second, self.messages / max(time.monotonic() - self.since, 0.05), 1.0)


@dataclass(slots=True)
class _Share:
    """This process's part of the requests that may be under way for an account."""

    usable: Usable
    slots: int = 0
    claimed_at: float = 0.0
    used_at: float = 0.0


@dataclass(slots=True)
class Pace:
    """Grants of units to send, and what to do when a provider complains.

    A share is leased for `share_seconds`: at least a lot's lease and the provider's timeout.
    """

    database: Database
    worker: UUID
    share_seconds: float
    _free_until: dict[UUID, float] = field(default_factory=dict)
    _taken: dict[UUID, _Taken] = field(default_factory=dict)
    _shares: dict[UUID, _Share] = field(default_factory=dict)

    async def grant(self, usable: Usable, wanted: int, urgent: bool) -> Grant:
        """How many messages may be sent now, up to `wanted`."""
        if usable.concurrent_max is not None:
            slots = await self._slots(usable)
            if slots == 0:
                return Grant(0, LOOK_SECONDS, limited=True)
            wanted = min(wanted, slots * SLOT_USES_MAX * usable.provider.capabilities.batch_max)
        if usable.per_second is None and time.monotonic() < self._free_until.get(usable.id, 0.0):
            return Grant(wanted, 0.0, limited=False)
        of_unit = _messages_of_unit(usable)
        async with self.database.transaction() as connection:
            units = -(-wanted // of_unit)
            grant = await claim_units(connection, usable.id, usable.per_second, units, urgent)
        if not grant.limited:
            self._free_until[usable.id] = time.monotonic() + LOOK_SECONDS
        return Grant(min(grant.units * of_unit, wanted), grant.wait_seconds, grant.limited)

    async def settle(self, usable: Usable, messages: Sequence[Message]) -> None:
        """Owns up to units beyond those that the grant counted."""
        if usable.per_second is None or usable.provider.capabilities.rate_unit == "messages":
            return
        extra = usable.provider.units(messages) - -(-len(messages) // _messages_of_unit(usable))
        if extra > 0:
            async with self.database.transaction() as connection:
                await mark_used(connection, usable.id, usable.per_second, extra)

    async def hear(self, usable: Usable, messages: Sequence[Message], outcomes: Sequence[Outcome | None]) -> None:
        """Remembers what got through, and slows the account down where the provider says that it was too fast."""
        complaints = [one for one in outcomes if isinstance(one, Deferred) and one.reason == THROTTLED]
        count = sum(not isinstance(one, Deferred) for one in outcomes if one is not None)
        taken = self._taken.setdefault(usable.id, _Taken())
        whole = taken.add(count)
        if not whole and not complaints:
            return
        async with self.database.transaction() as connection:
            if whole:
                await mark_measured(connection, usable.id, whole)
            if complaints:
                self._free_until.pop(usable.id, None)
                hold = max(one.retry_after_seconds or 0.0 for one in complaints)
                share = len(complaints) / (len(complaints) + count)
                achieved = taken.achieved() * usable.provider.units(messages) / len(messages)
                await mark_throttled(connection, usable.id, achieved, share, min(hold, HOLD_SECONDS_MAX))

    async def renew(self, stopping: bool = False) -> bool:
        """Renews the shares in use and gives the others back; True when none is left."""
        for share in list(self._shares.values()):
            unused = stopping or time.monotonic() - share.used_at > UNUSED_SECONDS
            if unused and share.usable.provider.limit(share.slots) == 0:
                del self._shares[share.usable.id]
                async with self.database.transaction() as connection:
                    await release_share(connection, share.usable.id, self.worker)
            else:
                await self._claim(share)
        return not self._shares

    async def _slots(self, usable: Usable) -> int:
        share = self._shares.get(usable.id)
        if share is None or share.usable is not usable:
            share = self._shares[usable.id] = _Share(usable)
        share.used_at = time.monotonic()
        if share.used_at - share.claimed_at >= LOOK_SECONDS:
            await self._claim(share)
        return share.slots

    async def _claim(self, share: _Share) -> None:
        """Few in this process may be under way before the database has allowed it, and more only afterwards."""
        usable = share.usable
        assert usable.concurrent_max is not None
        under_way = usable.provider.limit(share.slots)
        share.claimed_at = time.monotonic()
        async with self.database.transaction() as connection:
            share.slots = await claim_share(
                connection, usable.id, self.worker, usable.concurrent_max, under_way, self.share_seconds
            )
        usable.provider.limit(share.slots)


def _messages_of_unit(usable: Usable) -> int:
    """How many messages a unit may stand for: a request takes whole batches where its vendor does."""
    capabilities = usable.provider.capabilities
    return capabilities.batch_max if capabilities.rate_unit == "requests" else 1
