"""The quick path over real HTTP: whole, in order, and out of the way for everything else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from shared.probes import Receive, Scope, Send
from shared.quick_http import QuickPath, QuickRequest, protocol_of
from tests.shared.connecting import Connection, connected
from tests.waiting import until

BODY_MAX = 1000
READ_SECONDS = 5.0


def reply(text: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(text), text)


@dataclass
class Taker:
    """Takes requests whose body does not say `decline`; keeps those that say `later`."""

    kept: list[QuickRequest] = field(default_factory=list)
    seen: list[tuple[bytes, bytes]] = field(default_factory=list)

    def take(self, request: QuickRequest) -> bool:
        if request.body.startswith(b"decline"):
            return False
        self.seen.append((request.target, request.body))
        if request.body == b"later":
            self.kept.append(request)
        else:
            request.answer(reply(b"quick " + request.body))
        return True


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    text = b"app %b %d" % (scope["path"].encode(), len(body))
    headers = [(b"content-length", str(len(text)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": text})


@asynccontextmanager
async def serving(taker: Taker) -> AsyncIterator[Connection]:
    """A connection to a server with the quick path /q/."""
    async with connected(app, protocol_of(QuickPath(b"/q/", BODY_MAX, taker.take))) as connection:
        yield connection


def post(path: str, body: bytes, *lines: bytes) -> bytes:
    head = [b"POST %b HTTP/1.1" % path.encode(), b"host: x", b"content-length: %d" % len(body), *lines]
    return b"\r\n".join(head) + b"\r\n\r\n" + body


async def answer(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(READ_SECONDS):
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        return await reader.readexactly(length)


async def test_what_is_taken_is_answered_at_once_and_the_rest_goes_to_the_app():
    async with serving(taker := Taker()) as (reader, writer):
        writer.write(post("/q/a?b=c", b"one"))
        assert await answer(reader) == b"quick one"
        writer.write(post("/q/a", b"decline"))
        assert await answer(reader) == b"app /q/a 7"
        writer.write(post("/other", b"two"))
        assert await answer(reader) == b"app /other 3"
        writer.write(b"GET /q/a HTTP/1.1\r\nhost: x\r\n\r\n")
        assert await answer(reader) == b"app /q/a 0"
        writer.write(post("/q/a", b"three"))
        assert await answer(reader) == b"quick three"
    assert taker.seen == [(b"/q/a?b=c", b"one"), (b"/q/a", b"three")]


@pytest.mark.parametrize("size", [1, 7, 64])
async def test_a_request_may_come_in_pieces_and_in_chunks(size):
    chunked = b"POST /q/a HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    async with serving(Taker()) as (reader, writer):
        for request, expected in ((post("/q/a", b"hello"), b"quick hello"), (chunked, b"quick abcde")):
            for start in range(0, len(request), size):
                writer.write(request[start : start + size])
                await writer.drain()
                await asyncio.sleep(0)
            assert await answer(reader) == expected


async def test_a_body_that_is_too_long_goes_to_the_app_whole():
    async with serving(taker := Taker()) as (reader, writer):
        writer.write(post("/q/a", b"x" * (BODY_MAX + 1)))
        assert await answer(reader) == b"app /q/a %d" % (BODY_MAX + 1)
        writer.write(post("/q/a", b"x" * BODY_MAX))
        assert await answer(reader) == b"quick " + b"x" * BODY_MAX
    assert len(taker.seen) == 1


async def test_answers_keep_the_order_of_requests_that_came_together():
    async with serving(taker := Taker()) as (reader, writer):
        writer.write(post("/q/1", b"later") + post("/q/2", b"later") + post("/q/3", b"later"))
        await until(lambda: len(taker.kept) == 3)
        for number, request in enumerate(taker.kept):
            request.answer(reply(b"%d" % number))
        assert [await answer(reader) for _ in range(3)] == [b"0", b"1", b"2"]


async def test_what_is_declined_behind_unanswered_ones_ends_the_connection_after_them():
    async with serving(taker := Taker()) as (reader, writer):
        writer.write(post("/q/1", b"later") + post("/q/2", b"decline") + post("/q/3", b"three"))
        await until(lambda: taker.kept)
        taker.kept[0].answer(reply(b"first"))
        assert await answer(reader) == b"first"
        async with asyncio.timeout(READ_SECONDS):
            assert await reader.read() == b""
    assert [target for target, _ in taker.seen] == [b"/q/1"]


async def test_who_asks_to_close_is_closed_after_the_answer():
    async with serving(Taker()) as (reader, writer):
        writer.write(post("/q/a", b"bye", b"connection: close"))
        assert await answer(reader) == b"quick bye"
        async with asyncio.timeout(READ_SECONDS):
            assert await reader.read() == b""


async def test_an_answer_to_someone_who_left_does_no_harm():
    async with serving(taker := Taker()) as (_, writer):
        writer.write(post("/q/a", b"later"))
        await until(lambda: taker.kept)
        protocol = taker.kept[0].protocol
        writer.transport.abort()
        await until(protocol.transport.is_closing)
        taker.kept[0].answer(reply(b"nobody"))
