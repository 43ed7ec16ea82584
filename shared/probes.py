"""`/live`, `/ready` and `/metrics`, answered before the service's own routes."""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]


@dataclass(slots=True)
class Heartbeat:
    """One loop's proof of progress. A loop that is at work and has not moved for `limit_seconds` is stuck."""

    name: str
    limit_seconds: float
    last: float = field(default_factory=time.monotonic)
    working: bool = False

    def begin(self) -> None:
        """Work starts."""
        self.last = time.monotonic()
        self.working = True

    def beat(self) -> None:
        """Work goes on; also said while the loop waits for a server that is down, which no restart mends."""
        self.last = time.monotonic()

    def end(self) -> None:
        """Nothing to do at the moment."""
        self.working = False

    @property
    def stuck(self) -> bool:
        return self.working and time.monotonic() - self.last > self.limit_seconds


@dataclass(slots=True)
class Health:
    """What the probes of one process report."""

    heartbeats: list[Heartbeat] = field(default_factory=list)
    started: bool = False
    stopping: bool = False

    def heartbeat(self, name: str, limit_seconds: float = 120.0) -> Heartbeat:
        """A new loop to watch."""
        beat = Heartbeat(name, limit_seconds)
        self.heartbeats.append(beat)
        return beat

    def live(self) -> tuple[bool, dict[str, object]]:
        stuck = [beat.name for beat in self.heartbeats if beat.stuck]
        return not stuck, {"live": not stuck, "stuck": stuck}

    def ready(self) -> tuple[bool, dict[str, object]]:
        ready = self.started and not self.stopping
        return ready, {"ready": ready, "started": self.started, "stopping": self.stopping}


def with_probes(app: AsgiApp, health: Health) -> AsgiApp:
    """The app with the three probe paths in front."""

    async def probed(scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"] if scope["type"] == "http" else ""
        if path == "/metrics":
            await _answer(send, 200, generate_latest(), CONTENT_TYPE_LATEST)
        elif path in ("/live", "/ready"):
            good, report = health.live() if path == "/live" else health.ready()
            await _answer(send, 200 if good else 503, json.dumps(report).encode(), "application/json")
        else:
            await app(scope, receive, send)

    return probed


async def _answer(send: Send, status: int, body: bytes, content_type: str) -> None:
    headers = [(b"content-type", content_type.encode()), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
