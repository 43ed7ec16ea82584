"""Connections over real sockets that are too slow, and slow ones that are not."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from contextlib import suppress
from typing import Any

import pytest

from shared.bounded_http import BoundedProtocol
from shared.probes import Receive, Scope, Send
from shared.quick_http import QuickPath, QuickProtocol
from tests.shared.connecting import Connection, connected

SECONDS = 0.4
PAUSE = SECONDS / 8
PATIENCE = 20 * SECONDS
HEAD = b"POST /a HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n"
QUICK_HEAD = HEAD.replace(b"/a", b"/q/a")


class Quick(QuickProtocol):
    quick = QuickPath(b"/q/", 100, lambda _: False)
    head_seconds = silent_seconds = SECONDS


class Bounded(BoundedProtocol):
    head_seconds = silent_seconds = SECONDS


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers a whole body, after longer than anybody else may take."""
    while (message := await receive()).get("more_body"):
        pass
    if message["type"] == "http.request":
        await waited(2 * SECONDS, asyncio.Event().wait())
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
        await send({"type": "http.response.body", "body": b"done"})


async def waited(seconds: float, what: Coroutine[Any, Any, object]) -> bool:
    """Whether it came within so long."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await what
            return True
    return False


async def is_closed_while(connection: Connection, pieces: Iterable[bytes]) -> bool:
    """Whether the server hangs up while the pieces are sent, one after a pause each, or when no more come."""
    reader, writer = connection
    gone = asyncio.create_task(reader.read())
    for piece in pieces:
        writer.write(piece)
        if await waited(PAUSE, asyncio.shield(gone)):
            break
    return await waited(PATIENCE, gone) and gone.result() == b""


@pytest.fixture(params=[Bounded, Quick], ids=["bounded", "quick"])
def protocol(request: pytest.FixtureRequest) -> type[BoundedProtocol]:
    return request.param


SLOW = {
    "nothing": [],
    "half a head": [HEAD[:20]],
    "a head that never ends": [HEAD[:-2], *[b"x: y\r\n"] * 200],
    "half a body": [HEAD + b"12345"],
    "half a quick body": [QUICK_HEAD + b"12345"],
}


@pytest.mark.parametrize("pieces", SLOW.values(), ids=list(SLOW))
async def test_whoever_does_not_go_on_is_hung_up_on(protocol, pieces):
    async with connected(app, protocol) as connection:
        assert await is_closed_while(connection, pieces)


@pytest.mark.parametrize("head", [HEAD, QUICK_HEAD], ids=["usual", "quick"])
async def test_a_slow_body_and_a_slow_answer_have_their_time(protocol, head):
    async with connected(app, protocol) as (reader, writer):
        for piece in (head, *[b"%d" % number for number in range(10)]):
            writer.write(piece)
            assert not await waited(PAUSE, reader.readexactly(1))
        async with asyncio.timeout(PATIENCE):
            assert (await reader.readuntil(b"done")).startswith(b"HTTP/1.1 200")


async def test_the_next_request_has_to_come_whole_too(protocol):
    async with connected(app, protocol) as connection:
        connection[1].write(HEAD + b"0123456789")
        async with asyncio.timeout(PATIENCE):
            await connection[0].readuntil(b"done")
        assert await is_closed_while(connection, [HEAD[:20]])
