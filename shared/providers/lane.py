"""One account's share of the wire: how many of its requests are under way, and which come next."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from shared.providers.faults import Fault
from shared.providers.provider import HttpAnswer, HttpRequest, Tls, boottime
from shared.providers.transfer import Batch, Slot

if TYPE_CHECKING:
    from shared.providers.wire import Wire

_LULL_SECONDS = 10.0
"""After which a connection may have gone silent without anybody noticing."""

_FIRST_MAX = 2
"""Requests on an HTTP/2 connection of whose server nothing is known yet."""

_REFUSALS_MAX = 3
"""Times that a request waits anew after its server had refused its stream."""


class Lane:
    """One account's share of the wire: at most `in_flight_max` requests at a time, the others wait in order.

    An HTTP/2 server says how many streams it takes only after its connection is made, and refuses the others. So such
    a lane begins with two requests, of which one may meet silence, and every answer makes room for one more. It begins
    so again after a lull, and after a refusal or a loss, beside what is in flight on other connections.
    """

    def __init__(self, wire: Wire, in_flight_max: int, http2: bool, tls: Tls | None) -> None:
        self.http2, self.tls = http2, tls
        self.idle: list[Slot] = []
        """Handles with this account's certificates, for nobody else."""
        self._wire = wire
        self._own_max = self._in_flight_max = in_flight_max
        self._window = _FIRST_MAX if http2 else in_flight_max
        self._in_flight, self._answered_at = 0, 0.0
        self._waiting: deque[tuple[Batch, int]] = deque()

    async def exchange_all(
        self,
        requests: Sequence[HttpRequest],
        deadline: float,
        on_done: Callable[[int, HttpAnswer | Fault], None],
    ) -> None:
        """Ends when `on_done` has heard of every request; when cancelled, what is in flight is torn down unheard."""
        if not requests:
            return
        batch = Batch(requests, deadline, on_done, asyncio.get_running_loop().create_future())
        self._waiting.extend((batch, index) for index in range(len(requests)))
        self._wire.start(self)
        try:
            await batch.ended
        except BaseException:
            self._waiting = deque(entry for entry in self._waiting if entry[0] is not batch)
            self._wire.abandon(batch)
            raise

    async def exchange(self, request: HttpRequest, deadline: float) -> HttpAnswer | Fault:
        """One request."""
        results: list[HttpAnswer | Fault] = []
        await self.exchange_all([request], deadline, lambda _index, result: results.append(result))
        return results[0]

    def limit(self, in_flight_max: int) -> int:
        """Allows fewer requests at a time than the lane was made for, or as many again; returns how many there are."""
        self._in_flight_max = max(1, min(in_flight_max, self._own_max))
        self._wire.start(self)
        return self._in_flight

    def next(self) -> tuple[Batch, int] | None:
        """Takes the next request that may start now; settles those whose deadline has passed in the queue."""
        if self.http2 and not self._in_flight and boottime() - self._answered_at > _LULL_SECONDS:
            self.begin_anew()
        while self._waiting and self._in_flight < min(self._window, self._in_flight_max):
            batch, index = self._waiting.popleft()
            if boottime() >= batch.deadline:
                batch.settle(index, Fault("lease_expired", maybe_written=False))
                continue
            self._in_flight += 1
            return batch, index
        return None

    def hear(self, batch: Batch, index: int, result: HttpAnswer | Fault) -> None:
        """Settles a request; one that its server did nothing about waits anew, before the others."""
        if isinstance(result, HttpAnswer):
            self._answered_at = boottime()
            self._window = min(self._window + 1, self._own_max)
        elif self.http2 and result.kind in ("connection_lost", "stream_refused"):
            self.begin_anew()
            if result.kind == "stream_refused" and batch.refusals[index] < _REFUSALS_MAX:
                batch.refusals[index] += 1
                self._waiting.appendleft((batch, index))
                return
        batch.settle(index, result)

    def begin_anew(self) -> None:
        """Lets two requests go to a new connection."""
        self._window = min(self._in_flight + _FIRST_MAX, self._own_max)

    def release(self) -> None:
        """A request of this lane is no longer in flight."""
        self._in_flight -= 1

    def refuse_waiting(self) -> None:
        """Nothing that waits will be written."""
        while self._waiting:
            batch, index = self._waiting.popleft()
            batch.settle(index, Fault("closed", maybe_written=False))
