"""The one HTTP client of the vendors: libcurl's multi interface on the running event loop.

A wire has a `lane` per account; a lane has a queue. What a single request goes through is in `transfer`, what a fault
means in `faults`.
"""

from __future__ import annotations

import asyncio
import os
import select
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pycurl

from shared.providers.faults import Fault
from shared.providers.lane import Lane
from shared.providers.provider import HttpAnswer, Tls, boottime
from shared.providers.transfer import Batch, Slot

_IDLE_CONNECTION_SECONDS = 20
_IDLE_SLOTS_MAX = 512
_DISTRUST_SECONDS = 2.0
"""How long after cutting a connection no idle one is used again: libcurl notices within a second that it is dead."""

_EVENTS_MAX = 256
_ROUNDS_MAX = 16
_STREAMS_MAX = 100
"""Requests on one HTTP/2 connection, where its server allows so many: whatever comes in on a connection, libcurl looks
at every request that is under way on it."""


class Wire:
    """All HTTP to vendors of one process; made and used on one event loop.

    `allowed_hosts` are the hosts that accounts may name besides the vendors' own. No proxy from the environment is
    used and no redirect followed. A request takes at most `timeout_seconds`, its answer `answer_bytes_max`.
    """

    def __init__(
        self,
        *,
        allowed_hosts: frozenset[str] = frozenset(),
        connect_timeout_seconds: float = 5.0,
        timeout_seconds: float = 10.0,
        connections_max: int = 512,
        answer_bytes_max: int = 262_144,
        ca_file: str | None = None,
        proxy: str = "",
    ) -> None:
        self.allowed_hosts = allowed_hosts
        self.timeout_seconds = timeout_seconds
        self._connect_timeout_seconds = connect_timeout_seconds
        self._answer_bytes_max = answer_bytes_max
        self._ca_file = ca_file or ssl.get_default_verify_paths().cafile
        self._proxy = proxy
        self._loop = asyncio.get_running_loop()
        self._idle: list[Slot] = []
        self._carrying: dict[pycurl.Curl, Slot] = {}
        self._hungry: dict[Lane, None] = {}
        self._heard_from: dict[int, float] = {}
        """When something last came on which HTTP/2 connection, by libcurl's numbers for them."""
        self._wanted: set[int] = set()
        self._registered: dict[int, int] = {}
        self._distrusts_until = 0.0
        self._due: float | None = None
        self._timer: asyncio.Handle | None = None
        self._timer_due = 0.0
        self._kicked = self._pump_planned = self._closed = False
        self._epoll = select.epoll()
        self._loop.add_reader(self._epoll.fileno(), self._on_ready)
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._on_socket)
        self._multi.setopt(pycurl.M_TIMERFUNCTION, self._on_timer)
        self._multi.setopt(pycurl.M_MAXCONNECTS, connections_max)
        self._multi.setopt(pycurl.M_MAX_CONCURRENT_STREAMS, _STREAMS_MAX)
        self._multi.setopt(pycurl.M_MAX_TOTAL_CONNECTIONS, connections_max)

    def lane(self, in_flight_max: int, *, http2: bool = False, tls: Tls | None = None) -> Lane:
        """A share of the wire for one account; HTTP/2 is then spoken without asking, its requests share connections."""
        return Lane(self, in_flight_max, http2, tls)

    def start(self, lane: Lane) -> None:
        """The lane has something to write."""
        if self._closed:
            lane.refuse_waiting()
            return
        self._hungry[lane] = None
        self._plan_pump()

    def abandon(self, batch: Batch) -> None:
        """Tears down what is in flight for a caller that is gone."""
        for slot in [slot for slot in self._carrying.values() if slot.batch is batch]:
            self._multi.remove_handle(slot.curl)
            self._put_back(slot)
        self._plan_pump()

    async def close(self) -> None:
        """Ends everything in flight with a fault and closes every connection."""
        if self._closed:
            return
        self._closed = True
        for lane in {slot.lane for slot in self._carrying.values() if slot.lane} | set(self._hungry):
            lane.refuse_waiting()
        for slot in list(self._carrying.values()):
            self._multi.remove_handle(slot.curl)
            batch, index = slot.batch, slot.index
            fault = Fault("closed", maybe_written=slot.written)
            self._put_back(slot)
            if batch is not None:
                batch.settle(index, fault)
        if self._timer is not None:
            self._timer.cancel()
        self._loop.remove_reader(self._epoll.fileno())
        self._multi.close()
        for slot in self._idle:
            slot.curl.close()
        self._idle.clear()
        self._epoll.close()

    # --- the event loop's side -----------------------------------------------------------------------------------

    def _on_ready(self) -> None:
        action = self._multi.socket_action
        for descriptor, events in self._epoll.poll(0, _EVENTS_MAX):
            if descriptor not in self._wanted:  # an idle connection that its server has closed
                self._registered.pop(descriptor, None)
                with suppress(OSError):  # libcurl closed it, too, while it acted on an event before this one
                    self._epoll.unregister(descriptor)
                continue
            mask = 0
            if events & (select.EPOLLIN | select.EPOLLHUP | select.EPOLLERR):
                mask |= pycurl.CSELECT_IN
            if events & select.EPOLLOUT:
                mask |= pycurl.CSELECT_OUT
            if events & select.EPOLLERR:
                mask |= pycurl.CSELECT_ERR
            action(descriptor, mask)
        self._pump()

    def _on_due(self) -> None:
        self._timer = None
        if self._due is None:
            return
        if self._due > self._loop.time():
            self._arm()
            return
        self._due = None
        self._kicked = True
        self._pump()

    def _plan_pump(self) -> None:
        if not self._pump_planned and not self._closed:
            self._pump_planned = True
            self._loop.call_soon(self._planned_pump)

    def _planned_pump(self) -> None:
        self._pump_planned = False
        self._pump()

    def _pump(self) -> None:
        """Settles what has ended, starts what may start, lets libcurl act on its timer; until there is no more."""
        for _ in range(_ROUNDS_MAX):
            if self._closed:
                return
            self._reap()
            self._feed()
            if not self._kicked:
                return
            self._kicked = False
            self._multi.socket_action(pycurl.SOCKET_TIMEOUT, 0)
        self._plan_pump()

    def _reap(self) -> None:
        while True:
            more, good, bad = self._multi.info_read()
            for curl in good:
                slot = self._carrying[curl]
                self._settle(slot, slot.answer())
            for curl, number, _text in bad:
                slot = self._carrying[curl]
                self._settle(slot, slot.fault(number))
            if not more:
                return

    def _settle(self, slot: Slot, result: HttpAnswer | Fault) -> None:
        if slot.http2 and slot.written and self._was_silent(slot, result):
            self._cut(slot)
        self._multi.remove_handle(slot.curl)
        lane, batch, index = slot.lane, slot.batch, slot.index
        self._put_back(slot)
        if lane is not None and batch is not None:
            lane.hear(batch, index, result)

    def _was_silent(self, slot: Slot, result: HttpAnswer | Fault) -> bool:
        """Whether nothing at all has come on a connection since a request was written that now has timed out."""
        connection = slot.curl.getinfo(pycurl.CONN_ID)
        if isinstance(result, Fault) and result.kind == "timeout":
            return self._heard_from.get(connection, 0.0) <= slot.written_at
        now = boottime()
        if connection not in self._heard_from:  # the moment to forget those that are closed
            kept = {one: at for one, at in self._heard_from.items() if now - at <= self.timeout_seconds}
            self._heard_from = kept
        self._heard_from[connection] = now
        return False

    def _cut(self, slot: Slot) -> None:
        """Ends a connection with all that is in flight on it, since libcurl would use it for more.

        Unless something has come that nobody has read yet: then it was this process that was silent.
        """
        descriptor = slot.curl.getinfo(pycurl.ACTIVESOCKET)
        if descriptor < 0:
            return
        unread = select.poll()
        unread.register(descriptor, select.POLLIN)
        if unread.poll(0):
            return
        self._distrusts_until = boottime() + _DISTRUST_SECONDS
        if slot.lane is not None:
            slot.lane.begin_anew()
        with socket.socket(fileno=os.dup(descriptor)) as connection, suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
        self._multi.socket_action(descriptor, pycurl.CSELECT_IN)

    def _put_back(self, slot: Slot) -> None:
        del self._carrying[slot.curl]
        idle = self._idle
        if slot.lane is not None:
            idle = self._idle if slot.tls is None else slot.lane.idle
            slot.lane.release()
            self._hungry[slot.lane] = None
        slot.lane = slot.batch = None
        slot.chunks = []
        if len(idle) < _IDLE_SLOTS_MAX:
            idle.append(slot)
        else:
            slot.curl.close()

    def _feed(self) -> None:
        distrusts = boottime() < self._distrusts_until
        while self._hungry:
            lane = next(iter(self._hungry))
            while (entry := lane.next()) is not None:
                slot = self._slot(lane)
                slot.carry(lane, *entry, distrusts=distrusts and lane.http2)
                self._carrying[slot.curl] = slot
                self._multi.add_handle(slot.curl)
            self._hungry.pop(lane, None)

    def _slot(self, lane: Lane) -> Slot:
        """A handle for the lane; one that holds somebody's certificate is never used for anything else."""
        idle = self._idle if lane.tls is None else lane.idle
        if idle:
            return idle.pop()
        if lane.tls is None:
            return Slot(self._new_easy())
        curl = self._new_easy()
        if lane.tls.ca_file is not None:
            curl.setopt(pycurl.CAINFO, lane.tls.ca_file)
        if lane.tls.certificate is not None:
            curl.setopt(pycurl.SSLCERT_BLOB, lane.tls.certificate)
            curl.setopt(pycurl.SSLKEY_BLOB, lane.tls.certificate)
        return Slot(curl, lane.tls)

    # --- libcurl's side: these only take notes, libcurl must not be called from its own callbacks ------------------

    def _on_socket(self, what: int, descriptor: int, _multi: pycurl.CurlMulti, _data: object) -> None:
        """A connection that rests between two requests stays in the epoll set, which spares two calls a request."""
        if what == pycurl.POLL_REMOVE:
            self._wanted.discard(descriptor)
            return
        self._wanted.add(descriptor)
        mask = (select.EPOLLIN if what & pycurl.POLL_IN else 0) | (select.EPOLLOUT if what & pycurl.POLL_OUT else 0)
        registered = self._registered.get(descriptor)
        if registered == mask:
            return
        if registered is None:
            self._epoll.register(descriptor, mask)
        else:
            self._epoll.modify(descriptor, mask)
        self._registered[descriptor] = mask

    def _on_open(self, descriptor: int, _purpose: int) -> int:
        """A new socket: one that had its number before was closed, and has left the epoll set by that."""
        self._registered.pop(descriptor, None)
        self._wanted.discard(descriptor)
        return int(pycurl.SOCKOPT_OK)

    def _on_timer(self, milliseconds: int) -> None:
        if milliseconds < 0:
            self._due = None
        elif milliseconds == 0:
            self._kicked = True
            self._plan_pump()
        else:
            self._due = self._loop.time() + milliseconds / 1000
            self._arm()

    def _arm(self) -> None:
        """One timer is kept; a later due time only re-arms it when it fires, which spares a timer per request."""
        if self._due is None or self._closed:
            return
        if self._timer is not None:
            if self._timer_due <= self._due:
                return
            self._timer.cancel()
        self._timer_due = self._due
        self._timer = self._loop.call_at(self._due, self._on_due)

    def _new_easy(self) -> pycurl.Curl:
        curl = pycurl.Curl()
        curl.setopt(pycurl.NOSIGNAL, 1)
        curl.setopt(pycurl.SOCKOPTFUNCTION, self._on_open)
        curl.setopt(pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS)
        curl.setopt(pycurl.FOLLOWLOCATION, 0)
        curl.setopt(pycurl.PROXY, self._proxy)
        curl.setopt(pycurl.CONNECTTIMEOUT_MS, int(self._connect_timeout_seconds * 1000))
        curl.setopt(pycurl.TIMEOUT_MS, int(self.timeout_seconds * 1000))
        curl.setopt(pycurl.MAXAGE_CONN, _IDLE_CONNECTION_SECONDS)
        curl.setopt(pycurl.MAXFILESIZE, self._answer_bytes_max)
        curl.setopt(pycurl.SSL_VERIFYPEER, 1)
        curl.setopt(pycurl.SSL_VERIFYHOST, 2)
        curl.setopt(pycurl.SSLVERSION, pycurl.SSLVERSION_TLSv1_2)
        curl.setopt(pycurl.USERAGENT, "omni-sales-notifications")
        if self._ca_file:
            curl.setopt(pycurl.CAINFO, self._ca_file)
        return curl


@asynccontextmanager
async def open_wire(**options: Any) -> AsyncIterator[Wire]:
    """A wire with these options, closed at the end."""
    wire = Wire(**options)
    try:
        yield wire
    finally:
        await wire.close()
