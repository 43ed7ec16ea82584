"""Delivers callbacks: few kept-alive connections per receiver, requests written one after another without waiting.

A receiver that is down, or answers 429 or 5xx, hears the callback again with back-off until its time is up.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from collections.abc import Callable
from typing import cast

from services.provider_simulator import metrics

_IN_FLIGHT_PER_CONNECTION_MAX = 32
_TICK_SECONDS = 0.01
_RETRY_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0)
_ORIGINS_MAX = 64

_TAKEN = metrics.CALLBACKS.labels("taken")
_REFUSED = metrics.CALLBACKS.labels("refused")
_RETRIED = metrics.CALLBACKS.labels("retried")
_GIVEN_UP = metrics.CALLBACKS.labels("given_up")


class Callback:
    """One request to make. `build` gives the bytes of the whole request, `on_end` hears the last status (0: none)."""

    __slots__ = ("attempts", "build", "give_up_at", "on_end", "url")

    def __init__(self, url: str, build: Callable[[], bytes], on_end: Callable[[int], None]) -> None:
        self.url = url
        self.build = build
        self.on_end = on_end
        self.attempts = 0
        self.give_up_at = 0.0


class Courier:
    """All callbacks of the process, made on one event loop."""

    def __init__(self, connections_max: int, timeout_seconds: float, retry_seconds: float, waiting_max: int) -> None:
        self._connections_max = connections_max
        self._timeout_seconds = timeout_seconds
        self._retry_seconds = retry_seconds
        self._waiting_max = waiting_max
        self._loop = asyncio.get_running_loop()
        self._due: list[tuple[float, int, Callback]] = []
        self._number = 0
        self._origins: dict[str, _Origin] = {}
        self._timer: asyncio.TimerHandle | None = None
        self.unfinished = 0

    @property
    def full(self) -> bool:
        """No more can be planned at the moment."""
        return self.unfinished >= self._waiting_max

    def plan(self, callback: Callback, seconds: float) -> None:
        """Makes the callback after so many seconds."""
        self.unfinished += 1
        callback.give_up_at = self._loop.time() + seconds + self._retry_seconds
        self._push(callback, seconds)

    def forget(self) -> None:
        """Drops everything that is planned."""
        self.unfinished -= len(self._due)
        self._due.clear()
        for origin in self._origins.values():
            self.unfinished -= len(origin.waiting)
            origin.waiting.clear()

    async def close(self) -> None:
        """Ends all connections; what is planned is dropped."""
        self.forget()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for origin in self._origins.values():
            origin.close()

    def ended(self, callback: Callback, status: int) -> None:
        """An answer came, or with status 0 the connection broke."""
        if 200 <= status < 300:
            _TAKEN.inc()
        elif status == 0 or status == 429 or status >= 500:
            if self._loop.time() < callback.give_up_at:
                _RETRIED.inc()
                delay = _RETRY_SECONDS[min(callback.attempts, len(_RETRY_SECONDS)) - 1]
                self._push(callback, delay)
                return
            _GIVEN_UP.inc()
        else:
            _REFUSED.inc()
        self.unfinished -= 1
        callback.on_end(status)

    def _push(self, callback: Callback, seconds: float) -> None:
        self._number += 1
        heapq.heappush(self._due, (self._loop.time() + seconds, self._number, callback))
        if self._timer is None:
            self._timer = self._loop.call_later(_TICK_SECONDS, self._tick)

    def _tick(self) -> None:
        now = self._loop.time()
        self._timer = None
        due = self._due
        while due and due[0][0] <= now:
            callback = heapq.heappop(due)[2]
            self._origin(callback.url).take(callback)
        waiting = bool(due)
        for origin in self._origins.values():
            origin.feed()
            waiting = origin.check(now, self._timeout_seconds) or waiting
        if waiting and self._timer is None:
            self._timer = self._loop.call_later(_TICK_SECONDS, self._tick)

    def _origin(self, url: str) -> _Origin:
        scheme, _, rest = url.partition("://")
        key = f"{scheme}://{rest.partition('/')[0]}"
        origin = self._origins.get(key)
        if origin is None:
            while len(self._origins) >= _ORIGINS_MAX:
                self._origins.pop(next(iter(self._origins))).close()
            origin = self._origins[key] = _Origin(self, key, self._connections_max)
        return origin


class _Origin:
    """One receiver."""

    def __init__(self, courier: Courier, url: str, connections_max: int) -> None:
        scheme, _, authority = url.partition("://")
        host, colon, port = authority.rpartition(":")
        if not colon or authority.endswith("]"):
            host, port = authority, "443" if scheme == "https" else "80"
        self._courier = courier
        self._tls = scheme == "https"
        self._host = host.strip("[]")
        self._port = int(port)
        self._connections_max = connections_max
        self._connections: list[_Connection] = []
        self._opening: set[asyncio.Task[None]] = set()
        self._next = 0
        self._open_again_at = 0.0
        self.waiting: deque[Callback] = deque()

    def take(self, callback: Callback) -> None:
        self.waiting.append(callback)

    def feed(self) -> None:
        """Writes what waits, spread over the connections; opens further ones while there is need."""
        waiting, connections = self.waiting, self._connections
        if not waiting:
            return
        needed = -(-len(waiting) // 4)
        missing = min(self._connections_max, needed) - len(connections) - len(self._opening)
        if asyncio.get_running_loop().time() < self._open_again_at:
            missing = 0
        for _ in range(missing):
            task = asyncio.create_task(self._open())
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)
        for _ in range(len(connections)):
            if not waiting:
                return
            self._next = (self._next + 1) % len(connections)
            connection = connections[self._next]
            room = _IN_FLIGHT_PER_CONNECTION_MAX - len(connection.in_flight)
            if room > 0:
                callbacks = [waiting.popleft() for _ in range(min(room, len(waiting)))]
                connection.write(callbacks)

    def check(self, now: float, timeout_seconds: float) -> bool:
        """Breaks connections that do not answer; True while anything is under way."""
        for connection in list(self._connections):
            if connection.in_flight and now - connection.moved_at > timeout_seconds:
                connection.abort()
        return bool(self.waiting or self._opening or any(connection.in_flight for connection in self._connections))

    def lost(self, connection: _Connection) -> None:
        if connection in self._connections:
            self._connections.remove(connection)
        while connection.in_flight:
            self._courier.ended(connection.in_flight.popleft(), 0)

    def close(self) -> None:
        for task in self._opening:
            task.cancel()
        for connection in list(self._connections):
            connection.in_flight.clear()
            connection.abort()

    async def _open(self) -> None:
        try:
            _, connection = await asyncio.wait_for(
                asyncio.get_running_loop().create_connection(
                    lambda: _Connection(self, self._courier), self._host, self._port, ssl=True if self._tls else None
                ),
                5,
            )
        except (OSError, TimeoutError):
            self._open_again_at = asyncio.get_running_loop().time() + _RETRY_SECONDS[0]
            if not self._connections and len(self._opening) <= 1:
                waiting, self.waiting = self.waiting, deque()
                for callback in waiting:
                    callback.attempts += 1
                    self._courier.ended(callback, 0)
            return
        self._connections.append(connection)
        self.feed()


class _Connection(asyncio.Protocol):
    """Requests out, answers in, in the same order."""

    def __init__(self, origin: _Origin, courier: Courier) -> None:
        self._origin = origin
        self._courier = courier
        self._transport: asyncio.Transport | None = None
        self._rest = b""
        self.in_flight: deque[Callback] = deque()
        self.moved_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self.moved_at = asyncio.get_running_loop().time()

    def write(self, callbacks: list[Callback]) -> None:
        if not self.in_flight:
            self.moved_at = asyncio.get_running_loop().time()
        for callback in callbacks:
            callback.attempts += 1
        self.in_flight.extend(callbacks)
        assert self._transport is not None
        self._transport.write(b"".join([callback.build() for callback in callbacks]))

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self.moved_at = asyncio.get_running_loop().time()
        rest = self._rest + data if self._rest else data
        start = 0
        while (end := rest.find(b"\r\n\r\n", start)) >= 0:
            head = rest[start:end].lower()
            body_start = end + 4
            status = int(head[9:12]) if head[9:12].isdigit() else 0
            if b"transfer-encoding: chunked" in head:
                body_end = rest.find(b"0\r\n\r\n", body_start)
                if body_end < 0:
                    break
                following = body_end + 5
            else:
                at = head.find(b"content-length:")
                length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
                following = body_start + length
                if following > len(rest):
                    break
            start = following
            if status >= 200 and self.in_flight:
                self._courier.ended(self.in_flight.popleft(), status)
            if b"connection: close" in head and self._transport is not None:
                self._transport.abort()
                break
        self._rest = rest[start:]
        self._origin.feed()

    def connection_lost(self, _error: Exception | None) -> None:
        self._origin.lost(self)
