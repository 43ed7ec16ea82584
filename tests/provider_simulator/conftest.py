"""A running simulator and a receiver of callbacks."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from services.provider_simulator.app import serving
from services.provider_simulator.settings import SimulatorSettings
from shared.providers.provider import CallbackRequest
from shared.settings import load


@dataclass
class Simulated:
    """The simulator's address and a client for its control pages."""

    url: str
    http: aiohttp.ClientSession

    async def set_faults(self, seed: int = 1, **faults: Any) -> None:
        async with self.http.put(f"{self.url}/_simulator/faults", json={"seed": seed, **faults}) as answer:
            assert answer.status == 200, await answer.text()

    async def log(self, after: int = 0) -> list[dict[str, Any]]:
        async with self.http.get(f"{self.url}/_simulator/log?after={after}") as answer:
            assert answer.status == 200
            return [json.loads(line) for line in (await answer.text()).splitlines()]

    async def reset(self) -> None:
        async with self.http.post(f"{self.url}/_simulator/reset") as answer:
            assert answer.status == 200


@dataclass
class Receiver:
    """Takes callbacks; answers with `statuses` one after another, then with 200."""

    url: str = ""
    callbacks: list[CallbackRequest] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        callback = CallbackRequest(
            method=request.method, url=str(request.url), headers=headers, body=await request.read()
        )
        status = self.statuses.pop(0) if self.statuses else 200
        if status == 200:
            self.callbacks.append(callback)
        return web.Response(status=status)


@pytest.fixture
async def simulated() -> AsyncIterator[Simulated]:
    settings = load(SimulatorSettings, http_port=0)
    async with serving(settings) as port, aiohttp.ClientSession() as http:
        yield Simulated(f"http://127.0.0.1:{port}", http)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    state = Receiver()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", state.take)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    state.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield state
    await runner.cleanup()
