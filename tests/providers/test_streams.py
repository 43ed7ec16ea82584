"""HTTP/2 streams that end without an answer: which the server did nothing about, and which nobody knows about."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import StreamEnded
from h2.settings import SettingCodes

from shared.providers import lane, transfer
from shared.providers.faults import Fault
from shared.providers.provider import HttpAnswer, HttpRequest, boottime
from shared.providers.wire import Wire

Reaction = Callable[[H2Connection, int], bool]
"""What a server does about a stream; False ends the connection."""


def answer(h2: H2Connection, stream: int) -> bool:
    h2.send_headers(stream, [(":status", "200")], end_stream=True)
    return True


def refuse(h2: H2Connection, stream: int) -> bool:
    h2.reset_stream(stream, ErrorCodes.REFUSED_STREAM)
    return True


def refuse_halfway(h2: H2Connection, stream: int) -> bool:
    h2.send_headers(stream, [(":status", "200")])
    return refuse(h2, stream)


def reset(h2: H2Connection, stream: int) -> bool:
    h2.reset_stream(stream, ErrorCodes.INTERNAL_ERROR)
    return True


def leave_out(h2: H2Connection, stream: int) -> bool:
    h2.close_connection(last_stream_id=max(stream - 2, 0))
    return False


def take_and_leave(h2: H2Connection, stream: int) -> bool:
    h2.close_connection(last_stream_id=stream)
    return False


def ignore(_h2: H2Connection, _stream: int) -> bool:
    return True


def hang_up(_h2: H2Connection, _stream: int) -> bool:
    return False


@asynccontextmanager
async def reacting(reactions: Sequence[Reaction]) -> AsyncIterator[tuple[str, list[int]]]:
    """A server that does this about its streams, one after the other; its URL, and the streams it has heard."""
    heard: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        h2 = H2Connection(H2Configuration(client_side=False))
        h2.initiate_connection()
        goes_on = True
        while goes_on and (data := await reader.read(65_536)):
            for event in h2.receive_data(data):
                if isinstance(event, StreamEnded):
                    heard.append(event.stream_id)
                    goes_on = reactions[len(heard) - 1](h2, event.stream_id)
            writer.write(h2.data_to_send())
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listening:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/", heard


async def results_of(url: str, deadline_in: float = 30.0) -> list[HttpAnswer | Fault]:
    """Two requests, one after the other: the second finds a connection that has served."""
    opened = Wire(timeout_seconds=2)
    lane = opened.lane(1, http2=True)
    request = HttpRequest("POST", url, (), b"hello")
    results = [await lane.exchange(request, boottime() + deadline_in) for _ in range(2)]
    await opened.close()
    return results


@pytest.mark.parametrize(
    ("reactions", "result"),
    [
        ([refuse, answer], HttpAnswer(200, b"")),
        ([leave_out, answer], HttpAnswer(200, b"")),
        ([refuse, leave_out, refuse, answer], HttpAnswer(200, b"")),
        ([refuse, leave_out, refuse, leave_out], Fault("stream_refused", maybe_written=False)),
        ([refuse, hang_up], Fault("connection_lost", maybe_written=True)),
        ([refuse_halfway], Fault("connection_lost", maybe_written=True)),
        ([reset], Fault("stream_reset", maybe_written=True)),
        ([take_and_leave], Fault("connection_lost", maybe_written=True)),
        ([hang_up], Fault("connection_lost", maybe_written=True)),
    ],
)
async def test_only_what_the_server_left_undone_is_written_again(
    reactions: list[Reaction], result: HttpAnswer | Fault
) -> None:
    async with reacting([answer, *reactions]) as (url, heard):
        assert await results_of(url) == [HttpAnswer(200, b""), result]
    assert len(heard) == 1 + len(reactions)


async def test_a_silent_stream_holds_up_nothing_that_was_refused() -> None:
    ended: list[HttpAnswer | Fault] = []
    async with reacting([answer, ignore, refuse, answer]) as (url, _):
        opened = Wire(timeout_seconds=2)
        lane = opened.lane(10, http2=True)
        request = HttpRequest("POST", url, (), b"hello")
        await lane.exchange(request, boottime() + 30)
        await lane.exchange_all([request] * 2, boottime() + 30, lambda _, result: ended.append(result))
        await opened.close()
    assert ended == [HttpAnswer(200, b""), Fault("timeout", maybe_written=True)]


async def test_a_connection_that_has_gone_silent_is_not_used_again() -> None:
    async with reacting([answer, ignore, answer, answer]) as (url, heard):
        opened = Wire(timeout_seconds=2)
        lane = opened.lane(1, http2=True)
        request = HttpRequest("POST", url, (), b"hello")
        results = [await lane.exchange(request, boottime() + 30) for _ in range(4)]
        await opened.close()
    good, lost = HttpAnswer(200, b""), Fault("timeout", maybe_written=True)
    assert results == [good, lost, good, good]
    assert heard == [1, 3, 1, 3]


@asynccontextmanager
async def silent_at_first() -> AsyncIterator[tuple[str, list[int]]]:
    """One stream a connection, and no answer on the first connection after its first; its URL, the streams by number.

    Connections are numbered from 0.
    """
    heard: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = len(heard)
        heard.append(0)
        h2 = H2Connection(H2Configuration(client_side=False))
        h2.initiate_connection()
        h2.update_settings({SettingCodes.MAX_CONCURRENT_STREAMS: 1})
        writer.write(h2.data_to_send())
        while data := await reader.read(65_536):
            for event in h2.receive_data(data):
                if isinstance(event, StreamEnded):
                    heard[number] += 1
                    if number > 0 or heard[number] == 1:
                        answer(h2, event.stream_id)
            writer.write(h2.data_to_send())
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listening:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/", heard


async def faults_until_one(url: str) -> list[Fault]:
    """Two requests at a time until one meets a fault, and ten more after it."""
    opened = Wire(timeout_seconds=2)
    lane = opened.lane(2, http2=True)
    request = HttpRequest("POST", url, (), b"hello")
    faults: list[Fault] = []

    async def ask() -> None:
        result = await lane.exchange(request, boottime() + 30)
        if isinstance(result, Fault):
            faults.append(result)

    async def ask_until_then() -> None:
        while not faults:
            await ask()

    await ask()
    await asyncio.gather(ask_until_then(), ask_until_then())
    for _ in range(10):
        await ask()
    await opened.close()
    return faults


async def test_a_silent_connection_is_left_while_another_answers() -> None:
    """Nothing more is written on it, but what libcurl may begin in the very moment when the first one times out."""
    async with silent_at_first() as (url, heard):
        first, *others = await faults_until_one(url)
    assert first == Fault("timeout", maybe_written=True)
    assert others in ([], [Fault("connection_lost", maybe_written=True)])
    assert heard[0] in (2, 2 + len(others))


async def test_a_connection_that_answers_is_kept_whatever_stream_is_silent() -> None:
    async with reacting([answer, ignore, *[answer] * 100_000]) as (url, heard):
        assert await faults_until_one(url) == [Fault("timeout", maybe_written=True)]
    assert sorted(heard) == list(range(1, 2 * len(heard), 2)), "all on one connection"


async def test_a_refused_stream_is_not_written_again_after_the_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    expired = False

    def refuse_and_expire(h2: H2Connection, stream: int) -> bool:
        nonlocal expired
        expired = True
        return refuse(h2, stream)

    monkeypatch.setattr(lane, "boottime", lambda: boottime() + 60 * expired)
    async with reacting([answer, refuse_and_expire]) as (url, heard):
        _, second = await results_of(url)
    assert second == Fault("lease_expired", maybe_written=False)
    assert len(heard) == 2


async def test_should_libcurl_find_other_words_a_refused_stream_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "_REFUSED", (b"declined", b""))
    async with reacting([answer, refuse]) as (url, heard):
        _, second = await results_of(url)
    assert second == Fault("connection_lost", maybe_written=True)
    assert len(heard) == 2


async def test_a_connection_carries_as_many_streams_as_its_server_allows() -> None:
    """Whatever was on its way before the server could say how many is refused, and waits for its turn."""
    loop, most, refused = asyncio.get_running_loop(), 0, 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal most, refused
        h2 = H2Connection(H2Configuration(client_side=False))
        h2.initiate_connection()
        h2.update_settings({SettingCodes.MAX_CONCURRENT_STREAMS: 5})
        writer.write(h2.data_to_send())
        taken: set[int] = set()

        def answer_late(stream: int) -> None:
            taken.discard(stream)
            answer(h2, stream)
            writer.write(h2.data_to_send())

        while data := await reader.read(65_536):
            for event in h2.receive_data(data):
                if isinstance(event, StreamEnded) and len(taken) == 5:
                    refused += 1
                    refuse(h2, event.stream_id)
                elif isinstance(event, StreamEnded):
                    taken.add(event.stream_id)
                    most = max(most, len(taken))
                    loop.call_later(0.005, answer_late, event.stream_id)
            writer.write(h2.data_to_send())
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    results: list[HttpAnswer | Fault] = []
    async with listening:
        url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/"
        opened = Wire(timeout_seconds=5)
        requests = [HttpRequest("POST", url, (), b"hello")] * 500
        await opened.lane(20, http2=True).exchange_all(
            requests, boottime() + 30, lambda _, result: results.append(result)
        )
        await opened.close()
    assert results == [HttpAnswer(200, b"")] * 500
    assert most == 5
    assert refused < 50
