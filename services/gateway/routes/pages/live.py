"""Pages that stay current: one question per thing that is watched, however many watch, as server-sent events."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from fastapi.responses import StreamingResponse

from shared.errors import is_transient
from shared.http import Problem

POLL_SECONDS = 1.0
HEARTBEAT_SECONDS = 15.0
RETRY_MS = 2_000
WATCHERS_MAX = 500
"""Open streams of one gateway; a browser that gets none asks from time to time."""

STREAM_SECONDS = 900.0
"""A stream ends after so long, and the browser opens the next one: by then sessions may have ended."""

Ask = Callable[[], Awaitable[Any]]
Render = Callable[[Any], str]


@dataclass(eq=False, slots=True)
class _Watcher:
    ask: Ask
    told: str = ""
    """The digest of what was last asked for while it watched; what was asked for before may be older than its page."""

    changed: asyncio.Event = field(default_factory=asyncio.Event)
    is_over: bool = False


@dataclass(slots=True)
class _Watched:
    watchers: dict[_Watcher, None] = field(default_factory=dict)
    """In the order in which they ask."""

    data: Any = None
    digest: str = ""
    asking: asyncio.Task[None] | None = None


@dataclass(slots=True)
class Watch:
    """All that is watched at present, by tenant and name."""

    _watched: dict[tuple[str, str], _Watched] = field(default_factory=dict)
    _open: int = 0

    def stream(self, user_id: str, name: str, ask: Ask, render: Render, last_id: str | None) -> StreamingResponse:
        """The events: each is the page's part as HTML, under an id that a returning browser names."""
        if self._open >= WATCHERS_MAX:
            raise Problem(503, "Too many pages are open", "this page asks from time to time instead")
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        events = self._events((user_id, name), ask, render, last_id or "")
        return StreamingResponse(events, media_type="text/event-stream", headers=headers)

    async def _events(self, key: tuple[str, str], ask: Ask, render: Render, last_id: str) -> AsyncIterator[bytes]:
        watched = self._watched.setdefault(key, _Watched())
        watcher = _Watcher(ask)
        watched.watchers[watcher] = None
        self._open += 1
        if watched.asking is None:
            watched.asking = asyncio.create_task(self._ask(key, watched), name="watch")
        try:
            yield b"retry: %d\n\n" % RETRY_MS
            ends = asyncio.get_running_loop().time() + STREAM_SECONDS
            while asyncio.get_running_loop().time() < ends and not watcher.is_over and watched.asking is not None:
                try:
                    async with asyncio.timeout(HEARTBEAT_SECONDS):
                        await watcher.changed.wait()
                except TimeoutError:
                    yield b": still here\n\n"
                    continue
                watcher.changed.clear()
                if not watcher.is_over and watched.digest != last_id:
                    last_id = watched.digest
                    yield f"id: {last_id}\ndata: {json.dumps(render(watched.data))}\n\n".encode()
        finally:
            self._open -= 1
            watched.watchers.pop(watcher, None)

    async def _ask(self, key: tuple[str, str], watched: _Watched) -> None:
        """Asks as long as anybody watches, with the credentials of each in turn, so that nobody goes on watching whose
        session has ended."""
        try:
            while watched.watchers:
                asker = next(iter(watched.watchers))
                watched.watchers[asker] = watched.watchers.pop(asker)
                present = list(watched.watchers)
                try:
                    found = await asker.ask()
                except Problem as problem:
                    if problem.status < 500:  # it is gone, or no longer theirs to see: the browser asks for the page
                        watched.watchers.pop(asker, None)
                        asker.is_over = True
                        asker.changed.set()
                        continue
                except Exception as error:
                    if not is_transient(error):
                        raise
                else:
                    digest = hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest()[:16]
                    watched.data, watched.digest = found, digest
                    for watcher in present:
                        if watcher.told != digest:
                            watcher.told = digest
                            watcher.changed.set()
                await asyncio.sleep(POLL_SECONDS)
        finally:
            watched.asking = None
            for watcher in watched.watchers:
                watcher.changed.set()
            if self._watched.get(key) is watched:
                del self._watched[key]
