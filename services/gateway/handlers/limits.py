"""Limits of requests that hold over all replicas without asking the database for each (docs/decisions/0010)."""

from __future__ import annotations

import asyncio
import math
import time
from dataclasses import dataclass, field

from services.gateway.domain.limits import Rate, Standing
from services.gateway.store.limits import take_tokens
from shared.database import Database

SHARES_MAX = 10_000
SHARE_SECONDS = 5.0
"""What a replica took and did not use in this time is not used any more."""


@dataclass(slots=True)
class _Share:
    """What this replica took from one caller's bucket."""

    tokens: int = 0
    left_in_bucket: float = 0.0
    taken_at: float = 0.0
    empty_until: float = 0.0
    taking: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass(slots=True)
class Limits:
    """The callers that this replica has heard of lately."""

    database: Database
    _shares: dict[str, _Share] = field(default_factory=dict)

    async def count(self, subject: str, rate: Rate) -> Standing:
        """Counts one request of the subject and says what is left."""
        share = self._shares.get(subject) or self._remember(subject)
        if not self._is_usable(share):
            async with share.taking:
                if not self._is_usable(share):
                    await self._take(subject, share, rate)
        remaining = math.floor(share.left_in_bucket)
        if share.tokens <= 0:
            return Standing(rate, remaining, math.ceil(max(share.empty_until - time.monotonic(), 0.001)))
        share.tokens -= 1
        return Standing(rate, min(remaining + share.tokens, rate.per_minute - 1))

    def is_empty(self, subject: str) -> bool:
        """Whether the subject has used up everything, as far as this replica knows."""
        share = self._shares.get(subject)
        return share is not None and time.monotonic() < share.empty_until

    def _is_usable(self, share: _Share) -> bool:
        now = time.monotonic()
        return now < share.empty_until or (share.tokens > 0 and now - share.taken_at < SHARE_SECONDS)

    async def _take(self, subject: str, share: _Share, rate: Rate) -> None:
        async with self.database.pool.connection() as connection:
            share.tokens, share.left_in_bucket = await take_tokens(connection, subject, rate, rate.lease)
        share.taken_at = time.monotonic()
        share.empty_until = 0.0
        if share.tokens == 0:
            share.empty_until = share.taken_at + (1 - share.left_in_bucket) / rate.per_second

    def _remember(self, subject: str) -> _Share:
        if len(self._shares) >= SHARES_MAX:
            del self._shares[next(iter(self._shares))]
        return self._shares.setdefault(subject, _Share())
