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
ENDLESS = 500
"""So many pauses are longer than the patience."""

BODY = b"0123456789" * 10
BYTES_MIN = 30
HEAD = b"POST /a HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n"
QUICK_HEAD = HEAD.replace(b"/a", b"/q/a")
PIECE = b"x" * (1024 * 1024)
LARGE = 64
"""So many pieces are in no buffer."""


class Bounded(BoundedProtocol):
    head_seconds = body_seconds = unread_seconds = SECONDS
    body_bytes_min = BYTES_MIN
    ended: asyncio.Event

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.ended.set()


class Quick(Bounded, QuickProtocol):
    quick = QuickPath(b"/q/", 100, lambda _: False)


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers a whole body, after longer than anybody else may take."""
    while (message := await receive()).get("more_body"):
        pass
    if message["type"] == "http.request":
        await waited(2 * SECONDS, asyncio.Event().wait())
        await answer(send, b"done")


async def answer(send: Send, *pieces: bytes, headers: Iterable[tuple[bytes, bytes]] = ()) -> None:
    """The pieces, each when the one before has left."""
    length = (b"content-length", str(sum(map(len, pieces))).encode())
    await send({"type": "http.response.start", "status": 200, "headers": [length, *headers]})
    for number, piece in enumerate(pieces, 1):
        await send({"type": "http.response.body", "body": piece, "more_body": number < len(pieces)})


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

    async def read() -> bytes:
        with suppress(ConnectionResetError):  # where a piece was on its way
            return await reader.read()
        return b""

    gone = asyncio.create_task(read())

    async def send() -> None:
        for piece in pieces:
            writer.write(piece)
            if await waited(PAUSE, asyncio.shield(gone)):
                break
        await gone

    return await waited(PATIENCE, send()) and gone.result() == b""


@pytest.fixture(params=[Bounded, Quick], ids=["bounded", "quick"])
def protocol(request: pytest.FixtureRequest) -> type[Bounded]:
    return type("Protocol", (request.param,), {"ended": asyncio.Event()})


SLOW = {
    "nothing": [],
    "no message": [b"\r\n"] * ENDLESS,
    "half a head": [HEAD[:20]],
    "a head that never ends": [HEAD[:-2], *[b"x: y\r\n"] * ENDLESS],
    "half a body": [HEAD + BODY[:50]],
    "half a quick body": [QUICK_HEAD + BODY[:50]],
    "a body that drips": [HEAD, *[b"x"] * 99],
    "a quick body that drips": [QUICK_HEAD, *[b"x"] * 99],
}


@pytest.mark.parametrize("pieces", SLOW.values(), ids=list(SLOW))
async def test_whoever_does_not_go_on_is_hung_up_on(protocol, pieces):
    async with connected(app, protocol) as connection:
        assert await is_closed_while(connection, pieces)


@pytest.mark.parametrize("head", [HEAD, QUICK_HEAD], ids=["usual", "quick"])
async def test_a_slow_body_and_a_slow_answer_have_their_time(protocol, head):
    async with connected(app, protocol) as (reader, writer):
        for start in range(0, len(BODY), 10):
            writer.write((b"" if start else head) + BODY[start : start + 10])
            assert not await waited(PAUSE, reader.readexactly(1))
        async with asyncio.timeout(PATIENCE):
            assert (await reader.readuntil(b"done")).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("pieces", [[HEAD[:20]], [b"\r\n"], [b"\r\n"] * ENDLESS], ids=["half", "a line", "lines"])
async def test_the_next_request_has_to_come_whole_too(protocol, pieces):
    async with connected(app, protocol) as connection:
        connection[1].write(HEAD + BODY)
        async with asyncio.timeout(PATIENCE):
            await connection[0].readuntil(b"done")
        assert await is_closed_while(connection, pieces)


async def test_while_it_is_our_turn_nobody_has_to_say_anything(protocol):
    async with connected(app, protocol) as (reader, writer):
        writer.write(HEAD + BODY + b"\r\n")
        async with asyncio.timeout(PATIENCE):
            assert (await reader.readuntil(b"done")).startswith(b"HTTP/1.1 200")


async def test_a_body_that_we_do_not_read_on_has_its_time(protocol):
    late = 3 * SECONDS

    async def reading_late(scope: Scope, receive: Receive, send: Send) -> None:
        await waited(late, asyncio.Event().wait())
        await app(scope, receive, send)

    async with connected(reading_late, protocol) as (reader, writer):
        writer.write(HEAD.replace(b"100", str(2 * len(PIECE)).encode()) + PIECE)
        assert not await waited(late, reader.readexactly(1))
        writer.write(PIECE)
        async with asyncio.timeout(PATIENCE):
            assert (await reader.readuntil(b"done")).startswith(b"HTTP/1.1 200")


async def test_what_is_refused_is_not_listened_to_for_long(protocol):
    async def refusing(_scope: Scope, _receive: Receive, send: Send) -> None:
        await answer(send, b"no")

    async with connected(refusing, protocol) as connection:
        connection[1].write(HEAD.replace(b"content-length: 100", b"transfer-encoding: chunked"))
        async with asyncio.timeout(PATIENCE):
            await connection[0].readuntil(b"no")
        assert await is_closed_while(connection, [b"64\r\n%b\r\n" % BODY] * ENDLESS)


@pytest.mark.parametrize("pieces", [[PIECE * LARGE], [PIECE] * LARGE], ids=["in one", "in pieces"])
@pytest.mark.parametrize("headers", [[], [(b"connection", b"close")]], ids=["staying", "leaving"])
async def test_who_does_not_read_the_answer_is_cut_off(protocol, pieces, headers):
    async def telling(_scope: Scope, _receive: Receive, send: Send) -> None:
        await answer(send, *pieces, headers=headers)

    async with connected(telling, protocol) as (_, writer):
        writer.write(HEAD + BODY)
        assert await waited(PATIENCE, protocol.ended.wait())


async def test_who_reads_slowly_gets_the_whole_answer(protocol):
    async def telling(_scope: Scope, _receive: Receive, send: Send) -> None:
        await answer(send, *[PIECE] * LARGE)

    async with connected(telling, protocol) as (reader, writer):
        writer.write(HEAD + BODY)
        await reader.readuntil(b"\r\n\r\n")
        for _ in range(LARGE):
            async with asyncio.timeout(PATIENCE):
                await reader.readexactly(len(PIECE))
            await waited(PAUSE / 2, protocol.ended.wait())
