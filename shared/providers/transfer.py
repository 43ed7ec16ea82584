"""One request on its way: the fence at the write, and what came back.

The deadline is checked in libcurl's PREREQFUNCTION, which libcurl calls in the same step that writes the request, so a
worker that was frozen past its lease writes nothing. libcurl silently repeats a request whose reused connection turns
out dead, or whose stream was refused; the second call of the same function stops that. A stream that was refused, or
left out by a GOAWAY, counts as not written: RFC 9113 section 8.7 has it that nothing was done. See docs/decisions/0006.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import pycurl

from shared.providers.faults import Fault, fault_kind
from shared.providers.provider import HttpAnswer, HttpRequest, Tls, boottime

if TYPE_CHECKING:
    from shared.providers.lane import Lane

_REFUSED = (b"HTTP/2 stream ", b" refused by server, try again on a new connection\n")
"""How the line begins and ends by which libcurl tells of a refused stream, and of nothing else."""

_NEW_SECONDS = 1
"""How old an idle connection may be that is used while others are distrusted: libcurl knows whole seconds only."""


class Batch:
    """Requests of one caller; `left` counts those without a result, `refusals` how often a server refused which."""

    __slots__ = ("deadline", "ended", "left", "on_done", "refusals", "requests")

    def __init__(
        self,
        requests: Sequence[HttpRequest],
        deadline: float,
        on_done: Callable[[int, HttpAnswer | Fault], None],
        ended: asyncio.Future[None],
    ) -> None:
        self.requests = requests
        self.deadline = deadline
        self.on_done = on_done
        self.left = len(requests)
        self.refusals: Counter[int] = Counter()
        self.ended = ended

    def settle(self, index: int, result: HttpAnswer | Fault) -> None:
        self.left -= 1
        try:
            self.on_done(index, result)
        except Exception as error:  # a caller's bug is the caller's, and must not stop everybody's wire
            if not self.ended.done():
                self.ended.set_exception(error)
        if not self.left and not self.ended.done():
            self.ended.set_result(None)


class Slot:
    """One easy handle and the request that it carries at the moment."""

    __slots__ = (
        *("abort_kind", "batch", "chunks", "curl", "deadline", "distrusts", "headers", "http2", "index", "lane"),
        *("refused", "tls", "url", "written", "written_at"),
    )

    def __init__(self, curl: pycurl.Curl, tls: Tls | None = None) -> None:
        self.curl = curl
        self.tls = tls
        self.url = ""
        self.headers: tuple[str, ...] | None = None
        self.chunks: list[bytes] = []
        self.deadline = 0.0
        self.written = False
        self.written_at = 0.0
        self.refused = False
        self.abort_kind: str | None = None
        self.batch: Batch | None = None
        self.index = 0
        self.lane: Lane | None = None
        self.http2 = self.distrusts = False
        curl.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1)
        curl.setopt(pycurl.PREREQFUNCTION, self._before_write)
        curl.setopt(pycurl.WRITEFUNCTION, self._receive)
        curl.setopt(pycurl.DEBUGFUNCTION, self._listen)

    def _receive(self, chunk: bytes) -> None:
        self.chunks.append(chunk)

    def _listen(self, kind: int, line: bytes) -> None:
        """What libcurl says while it speaks HTTP/2. Should its words change, refused streams are unknown again."""
        if kind == pycurl.INFOTYPE_TEXT and line.startswith(_REFUSED[0]) and line.endswith(_REFUSED[1]):
            self.written, self.refused = False, True

    def _before_write(self, *_addresses: object) -> int:
        if self.written:
            self.abort_kind = "connection_lost"
        elif self.refused:
            self.abort_kind = "stream_refused"
        elif (now := boottime()) >= self.deadline:
            self.abort_kind = "lease_expired"
        else:
            self.written, self.written_at = True, now
            return pycurl.PREREQFUNC_OK
        return pycurl.PREREQFUNC_ABORT

    def carry(self, lane: Lane, batch: Batch, index: int, *, distrusts: bool) -> None:
        """Takes a request; the caller adds the handle to the multi handle."""
        request = batch.requests[index]
        curl = self.curl
        if lane.http2 is not self.http2:
            self.http2 = lane.http2
            version = pycurl.CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE if lane.http2 else pycurl.CURL_HTTP_VERSION_1_1
            curl.setopt(pycurl.HTTP_VERSION, version)
            curl.setopt(pycurl.PIPEWAIT, int(lane.http2))
            curl.setopt(pycurl.VERBOSE, int(lane.http2))
        if distrusts is not self.distrusts:
            self.distrusts = distrusts
            curl.setopt(pycurl.MAXLIFETIME_CONN, _NEW_SECONDS if distrusts else 0)
        if request.url != self.url:
            curl.setopt(pycurl.URL, request.url)
            self.url = request.url
        if request.headers is not self.headers:
            curl.setopt(pycurl.HTTPHEADER, [*request.headers, "Expect:"])
            self.headers = request.headers
        if request.method == "POST":
            curl.setopt(pycurl.POST, 1)
            curl.setopt(pycurl.POSTFIELDS, request.body)
        else:
            curl.setopt(pycurl.HTTPGET, 1)
        self.chunks = []
        self.deadline = batch.deadline
        self.written = self.refused = False
        self.abort_kind = None
        self.lane, self.batch, self.index = lane, batch, index

    def answer(self) -> HttpAnswer:
        """The complete answer, once libcurl says so."""
        curl, chunks = self.curl, self.chunks
        status = curl.getinfo(pycurl.RESPONSE_CODE)
        retry_after = None
        if status in (429, 503):
            retry_after = float(curl.getinfo(pycurl.RETRY_AFTER)) or None
        return HttpAnswer(status, chunks[0] if len(chunks) == 1 else b"".join(chunks), retry_after)

    def fault(self, number: int) -> Fault:
        """What went wrong, once libcurl says that something did."""
        maybe_written = self.written or self.curl.getinfo(pycurl.RESPONSE_CODE) != 0
        return Fault(self.abort_kind or fault_kind(number), maybe_written)
