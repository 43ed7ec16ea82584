"""`python -m tests.bench.http_clients`: what a request to a vendor costs by our wire, by aiohttp, and by h2.

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
from functools import partial

import aiohttp
import uvloop
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import StreamEnded

from shared.providers import apns, twilio
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


def texts_to(url: str) -> list[HttpRequest]:
    account = twilio.account(values_of("twilio", url))
    return [twilio.request(account, message_of("twilio", number, url)) for number in range(REQUESTS)]


def pushes_to(url: str) -> list[HttpRequest]:
    account = apns.account(values_of("apns", url))
    return [apns.request(account, message_of("apns", number, url)) for number in range(REQUESTS)]


async def by_wire(requests: list[HttpRequest], http2: bool = False) -> None:
    wire = Wire(timeout_seconds=10)
    answered = 0

    def count(_index: int, _result: object) -> None:
        nonlocal answered
        answered += 1

    await wire.lane(IN_FLIGHT, http2=http2).exchange_all(requests, boottime() + 120, count)
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


async def by_h2(requests: list[HttpRequest]) -> None:
    """The least that a client on h2 has to do; one for use would also have timers, settings and a fence."""
    host, port = requests[0].url.split("/")[2].split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    h2 = H2Connection(H2Configuration(header_encoding=None))
    h2.initiate_connection()
    pending = iter(requests)

    def start_one() -> None:
        request = next(pending, None)
        if request is None:
            return
        stream = h2.get_next_available_stream_id()
        path = request.url.removeprefix(f"http://{host}:{port}")
        pseudo = [(":method", "POST"), (":scheme", "http"), (":authority", host), (":path", path)]
        h2.send_headers(stream, pseudo + [tuple(line.split(": ", 1)) for line in request.headers])
        h2.send_data(stream, request.body, end_stream=True)

    for _ in range(IN_FLIGHT):
        start_one()
    answered = 0
    while answered < len(requests):
        writer.write(h2.data_to_send())
        for event in h2.receive_data(await reader.read(65_536)):
            if isinstance(event, StreamEnded):
                answered += 1
                start_one()
    writer.close()


def microseconds(client: object, requests: list[HttpRequest]) -> float:
    before = resource.getrusage(resource.RUSAGE_SELF)
    uvloop.run(client(requests))  # type: ignore[operator]
    after = resource.getrusage(resource.RUSAGE_SELF)
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / len(requests) * 1e6


def main() -> None:
    """Prints the least of some rounds for each."""
    with simulator() as url:
        texts, pushes = texts_to(url), pushes_to(url)
        for name, client, requests in (
            ("HTTP/1.1 by wire (libcurl multi)", by_wire, texts),
            ("HTTP/1.1 by aiohttp", by_aiohttp, texts),
            ("HTTP/2 by wire", partial(by_wire, http2=True), pushes),
            ("HTTP/2 by h2", by_h2, pushes),
        ):
            least = min(microseconds(client, requests) for _ in range(ROUNDS))
            print(f"{name}: {least:.0f} µs of CPU a request")
    print(f"({REQUESTS:,} requests, {IN_FLIGHT} in flight, Python {platform.python_version()})")


if __name__ == "__main__":
    main()
