"""`python -m tests.bench.http_clients`: what a request to a vendor costs by our wire, and by aiohttp.

The server is the simulator in a process of its own; the figure is the processor time of this process, which the other
load of the machine does not change much.
"""

from __future__ import annotations

import asyncio
import os
import platform
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import aiohttp
import uvloop

from shared.providers import twilio
from shared.providers.provider import HttpRequest, boottime
from shared.providers.wire import Wire
from tests.providers.samples import message_of, values_of

REQUESTS = 20_000
IN_FLIGHT = 100
ROUNDS = 3


@contextmanager
def simulator() -> Iterator[str]:
    """The simulator's address."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "services.provider_simulator"],
        env=os.environ | {"HTTP_PORT": str(port), "LOG_LEVEL": "warning"},
    )
    try:
        deadline = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def requests_of(url: str) -> list[HttpRequest]:
    account = twilio.account(values_of("twilio", url))
    return [twilio.request(account, message_of("twilio", number, url)) for number in range(REQUESTS)]


async def by_wire(requests: list[HttpRequest]) -> None:
    wire = Wire(timeout_seconds=10)
    answered = 0

    def count(_index: int, _result: object) -> None:
        nonlocal answered
        answered += 1

    await wire.lane(IN_FLIGHT).exchange_all(requests, boottime() + 120, count)
    await wire.close()
    assert answered == len(requests)


async def by_aiohttp(requests: list[HttpRequest]) -> None:
    connector = aiohttp.TCPConnector(limit=IN_FLIGHT)
    pending = iter(requests)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=10)) as session:

        async def work() -> None:
            for request in pending:
                headers = dict(line.split(": ", 1) for line in request.headers)
                async with session.post(request.url, data=request.body, headers=headers) as answer:
                    await answer.read()

        await asyncio.gather(*(work() for _ in range(IN_FLIGHT)))


def microseconds(client: object, requests: list[HttpRequest]) -> float:
    before = resource.getrusage(resource.RUSAGE_SELF)
    uvloop.run(client(requests))  # type: ignore[operator]
    after = resource.getrusage(resource.RUSAGE_SELF)
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / len(requests) * 1e6


def main() -> None:
    """Prints the least of some rounds for each."""
    with simulator() as url:
        requests = requests_of(url)
        for name, client in (("wire (libcurl multi)", by_wire), ("aiohttp", by_aiohttp)):
            least = min(microseconds(client, requests) for _ in range(ROUNDS))
            print(f"{name}: {least:.0f} µs of CPU a request")
    print(f"({REQUESTS:,} requests, {IN_FLIGHT} in flight, Python {platform.python_version()})")


if __name__ == "__main__":
    main()
