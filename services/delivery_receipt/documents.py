"""Public documents of vendors, such as certificates, without which a callback cannot be judged."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from shared.logs import logger
from shared.providers.faults import Fault
from shared.providers.lane import Lane
from shared.providers.provider import HttpRequest, boottime
from shared.providers.wire import Wire

KEPT_SECONDS = 86_400.0
KEPT_MAX = 64
AGAIN_SECONDS = 5.0
"""How long a URL that gave nothing is left alone."""

_IN_FLIGHT_MAX = 4


@dataclass(slots=True)
class Documents:
    """What was fetched, by URL, for a day. Vendors' modules decide which URLs they trust.

    Callers are not authenticated yet, so no more than `fetches_max` a second are made.
    """

    wire: Wire
    fetches_max: int
    known: dict[str, bytes] = field(default_factory=dict)
    _fetched_at: dict[str, float] = field(default_factory=dict)
    _failed_at: dict[str, float] = field(default_factory=dict)
    _fetches: int = 0
    _fetches_until: float = 0.0
    _lane: Lane = field(init=False)

    def __post_init__(self) -> None:
        self._lane = self.wire.lane(_IN_FLIGHT_MAX)

    async def fetch(self, url: str) -> bool:
        """Makes sure of the document; False if it cannot be had now."""
        now = time.monotonic()
        if url in self.known and now - self._fetched_at[url] < KEPT_SECONDS:
            return True
        if now - self._failed_at.get(url, -AGAIN_SECONDS) < AGAIN_SECONDS or not self._may_fetch(now):
            return False
        body = await self.visit(url)
        if body is None:
            self._failed_at[url] = now
            _shorten(self._failed_at)
            return False
        self.known[url], self._fetched_at[url] = body, now
        for old in list(self.known)[:-KEPT_MAX]:
            del self.known[old], self._fetched_at[old]
        return True

    async def visit(self, url: str) -> bytes | None:
        """Fetches a URL once; None unless it answers with 200."""
        answer = await self._lane.exchange(HttpRequest("GET", url, ()), boottime() + self.wire.timeout_seconds)
        if isinstance(answer, Fault) or answer.status != 200:
            reason = answer.kind if isinstance(answer, Fault) else str(answer.status)
            logger().warning("document_missing", reason=reason)
            return None
        return answer.body

    def _may_fetch(self, now: float) -> bool:
        if now >= self._fetches_until:
            self._fetches, self._fetches_until = 0, now + 1.0
        self._fetches += 1
        return self._fetches <= self.fetches_max


def _shorten(times: dict[str, float]) -> None:
    for old in list(times)[:-KEPT_MAX]:
        del times[old]
