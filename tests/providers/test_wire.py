"""What every network fault means, and that the fence holds where the bytes leave."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from shared.providers import transfer
from shared.providers.faults import Fault
from shared.providers.provider import Accepted, Deferred, HttpAnswer, HttpRequest, Outcome, Unknown, boottime
from shared.providers.registry import open_provider
from shared.providers.wire import Wire
from tests.providers.samples import message_of, values_of
from tests.providers.servers import ANSWER, Behaviour, closing, free_port, hanging, resetting, saying, server
from tests.waiting import until

HOSTS = frozenset({"127.0.0.1"})


@contextlib.asynccontextmanager
async def open_wire(timeout_seconds: float = 0.4, **options: Any) -> AsyncIterator[Wire]:
    wire = Wire(allowed_hosts=HOSTS, timeout_seconds=timeout_seconds, **options)
    try:
        yield wire
    finally:
        await wire.close()


async def sent_to(url: str, count: int = 1, timeout_seconds: float = 0.4, deadline_in: float = 30.0) -> list[Outcome]:
    async with open_wire(timeout_seconds) as wire:
        provider = open_provider("sms", "twilio", values_of("twilio", url), wire)
        return await provider.send([message_of("twilio", number) for number in range(count)], boottime() + deadline_in)


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        (hanging, "timeout"),
        (closing, "connection_lost"),
        (resetting, "connection_lost"),
        (saying(ANSWER[:-10], keep=False), "truncated"),
        (saying(b"HTTP/1.1 201 Created\r\ncontent-le", keep=False), "malformed"),
        (saying(b"220 smtp.example.com ESMTP\r\n\r\n", keep=False), "malformed"),
        (saying(b"HTTP/1.1 201 Created\r\ncontent-length: 9999999\r\n\r\n"), "too_large"),
        (saying(b"HTTP/1.1 201 Created\r\n\r\n" + b"x" * 400_000, keep=False), "too_large"),
        (saying(b"HTTP/1.1 201 Created\r\ncontent-length: 2\r\n\r\n[]"), "malformed"),
        (saying(b"HTTP/1.1 201 Created\r\ncontent-length: 0\r\n\r\n"), "malformed"),
        (saying(b"HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n"), "server_error"),
        (saying(b"HTTP/1.1 503 Busy\r\ncontent-length: 0\r\nretry-after: 5\r\n\r\n"), "server_error"),
    ],
)
async def test_after_the_write_nothing_is_certain(behaviour: Behaviour, reason: str) -> None:
    async with server(behaviour) as heard:
        (outcome,) = await sent_to(heard.url)
    assert isinstance(outcome, Unknown)
    assert outcome.reason == reason
    assert len(heard.requests) == 1


async def test_a_refused_connection_is_certainly_not_sent() -> None:
    assert await sent_to(f"http://127.0.0.1:{free_port()}") == [Deferred("connect")]


async def test_a_failed_handshake_is_certainly_not_sent() -> None:
    async def speak_plainly(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(ANSWER)
        writer.close()

    listening = await asyncio.start_server(speak_plainly, "127.0.0.1", 0)
    async with listening:
        (outcome,) = await sent_to(f"https://127.0.0.1:{listening.sockets[0].getsockname()[1]}")
    assert outcome == Deferred("tls")


async def test_a_handshake_that_hangs_is_certainly_not_sent() -> None:
    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    listening = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    async with listening:
        (outcome,) = await sent_to(f"https://127.0.0.1:{listening.sockets[0].getsockname()[1]}")
    assert outcome == Deferred("timeout")


async def test_a_redirect_is_not_followed() -> None:
    async with server(saying(ANSWER)) as elsewhere:
        answer = b"HTTP/1.1 307 There\r\nlocation: %b/\r\ncontent-length: 0\r\n\r\n" % elsewhere.url.encode()
        async with server(saying(answer)) as heard:
            (outcome,) = await sent_to(heard.url)
        assert outcome.code == "redirect_307"  # type: ignore[union-attr]
        assert elsewhere.requests == []


@pytest.mark.parametrize(("header", "seconds"), [(b"7", 7.0), (None, 1.0)])
async def test_throttling_says_when_to_come_again(header: bytes | None, seconds: float) -> None:
    line = b"retry-after: %b\r\n" % header if header else b""
    body = b'{"code":20429}'
    async with server(saying(b"HTTP/1.1 429 Slow\r\n%bcontent-length: 14\r\n\r\n%b" % (line, body))) as heard:
        assert await sent_to(heard.url) == [Deferred("throttled", seconds, "20429")]


async def test_retry_after_may_be_a_date() -> None:
    date = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 60)).encode()
    answer = b"HTTP/1.1 429 Slow\r\nretry-after: %b\r\ncontent-length: 0\r\n\r\n" % date
    async with server(saying(answer)) as heard:
        (outcome,) = await sent_to(heard.url)
    assert isinstance(outcome, Deferred)
    assert outcome.retry_after_seconds is not None
    assert 50 <= outcome.retry_after_seconds <= 61


async def test_connections_are_reused_and_bounded() -> None:
    async with server(saying(ANSWER)) as heard, open_wire(5) as wire:
        provider = open_provider("sms", "twilio", values_of("twilio", heard.url), wire)
        for _ in range(5):
            outcomes = await provider.send([message_of("twilio", n) for n in range(300)], boottime() + 30)
            assert len(outcomes) == 300
        assert len(heard.requests) == 1500
        assert heard.connections <= provider.capabilities.in_flight_max


# --- the fence --------------------------------------------------------------------------------------------------------


async def test_past_the_deadline_nothing_is_written() -> None:
    async with server(saying(ANSWER)) as heard:
        assert await sent_to(heard.url, 3, deadline_in=-0.001) == [Deferred("lease_expired")] * 3
    assert heard.connections == 0


async def test_the_deadline_is_checked_at_the_write(monkeypatch: pytest.MonkeyPatch) -> None:
    """The queue still finds time left; the deadline passes while the connection is made."""
    monkeypatch.setattr(transfer, "boottime", lambda: 1e12)
    async with server(saying(ANSWER)) as heard:
        assert await sent_to(heard.url) == [Deferred("lease_expired")]
        await until(lambda: heard.connections == 1)
    assert heard.bytes_received == 0


_FROZEN = """
import asyncio, os, signal, sys
from shared.providers import wire
from shared.providers.provider import boottime
from shared.providers.registry import open_provider
from tests.providers.samples import message_of, values_of

take = wire.Lane.next
def take_and_freeze(lane):
    taken = take(lane)
    if taken is not None:
        os.kill(os.getpid(), signal.SIGSTOP)
    return taken
wire.Lane.next = take_and_freeze

async def main():
    w = wire.Wire(allowed_hosts=frozenset({"127.0.0.1"}))
    provider = open_provider("sms", "twilio", values_of("twilio", sys.argv[1]), w)
    print(await provider.send([message_of("twilio")], boottime() + 0.2), flush=True)
    await w.close()
asyncio.run(main())
"""


async def test_a_worker_frozen_past_its_lease_writes_nothing() -> None:
    async with server(saying(ANSWER)) as heard:
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-c", _FROZEN, heard.url, stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[2]
        )
        stat = Path(f"/proc/{child.pid}/stat")
        try:
            await until(lambda: stat.read_text().rpartition(")")[2].split()[0] == "T", seconds=20)
            expired = boottime() + 0.3
            await until(lambda: boottime() > expired)
            os.kill(child.pid, signal.SIGCONT)
            output, _ = await asyncio.wait_for(child.communicate(), 20)
        finally:
            with contextlib.suppress(ProcessLookupError):
                child.kill()
    assert b"Deferred(reason='lease_expired'" in output
    assert heard.bytes_received == 0


# --- the silent repetition --------------------------------------------------------------------------------------------


async def _first_answered_then_closed(writer: asyncio.StreamWriter, number: int) -> bool:
    if number == 1:
        return False
    writer.write(ANSWER)
    await writer.drain()
    return True


async def _send_twice(url: str) -> list[HttpAnswer | Fault]:
    async with open_wire() as wire:
        lane = wire.lane(1)
        request = HttpRequest("POST", url, ("Content-Type: text/plain",), b"hello")
        return [await lane.exchange(request, boottime() + 30) for _ in range(2)]


async def test_a_request_on_a_dead_connection_is_not_repeated() -> None:
    async with server(_first_answered_then_closed) as heard:
        first, second = await _send_twice(heard.url)
    assert isinstance(first, HttpAnswer)
    assert second == Fault("connection_lost", maybe_written=True)
    assert len(heard.requests) == 2


async def test_without_the_guard_libcurl_does_repeat_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shows that the test above can fail."""
    monkeypatch.setattr(transfer.Slot, "_before_write", lambda _slot, *_addresses: 0)
    async with server(_first_answered_then_closed) as heard:
        await _send_twice(heard.url)
    assert len(heard.requests) == 3


# --- ends -------------------------------------------------------------------------------------------------------------


async def test_cancelling_leaves_the_wire_usable() -> None:
    async with server(hanging) as stuck, server(saying(ANSWER)) as well, open_wire(30) as wire:
        provider = open_provider("sms", "twilio", values_of("twilio", stuck.url), wire)
        task = asyncio.create_task(provider.send([message_of("twilio", n) for n in range(150)], boottime() + 30))
        await stuck.got.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        other = open_provider("sms", "twilio", values_of("twilio", well.url), wire)
        assert len(await other.send([message_of("twilio")], boottime() + 30)) == 1


async def test_closing_settles_everything_in_flight_and_waiting() -> None:
    async with server(hanging) as heard, open_wire(30) as wire:
        provider = open_provider("sms", "twilio", values_of("twilio", heard.url), wire)
        in_flight = provider.capabilities.in_flight_max
        task = asyncio.create_task(
            provider.send([message_of("twilio", n) for n in range(in_flight + 5)], boottime() + 30)
        )
        await until(lambda: len(heard.requests) == in_flight)
        await wire.close()
        outcomes = await task
    assert outcomes == [Unknown("closed")] * in_flight + [Deferred("closed")] * 5


async def test_outcomes_are_heard_before_the_slowest_ends() -> None:
    async def behave(writer: asyncio.StreamWriter, number: int) -> bool:
        if number == 0:
            return await hanging(writer, number)
        return await saying(ANSWER)(writer, number)

    heard_of: dict[int, Outcome] = {}
    async with server(behave) as heard, open_wire(30) as wire:
        provider = open_provider("sms", "twilio", values_of("twilio", heard.url), wire)
        task = asyncio.create_task(
            provider.send([message_of("twilio", n) for n in range(4)], boottime() + 30, heard_of.__setitem__)
        )
        await until(lambda: len(heard_of) == 3)
        assert not task.done()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_an_exception_of_the_caller_reaches_only_the_caller() -> None:
    def explode(_index: int, _outcome: Outcome) -> None:
        raise ZeroDivisionError

    async with server(saying(ANSWER)) as heard, open_wire(5) as wire:
        provider = open_provider("sms", "twilio", values_of("twilio", heard.url), wire)
        with pytest.raises(ZeroDivisionError):
            await provider.send([message_of("twilio", n) for n in range(3)], boottime() + 30, explode)
        assert len(await provider.send([message_of("twilio")], boottime() + 30)) == 1


# --- connections that end between requests ----------------------------------------------------------------------------


async def accepted_by(wire: Wire, url: str, count: int = 30) -> bool:
    provider = open_provider("sms", "twilio", values_of("twilio", url), wire)
    outcomes = await provider.send([message_of("twilio", n) for n in range(count)], boottime() + 5)
    return [type(outcome) for outcome in outcomes] == [Accepted] * count


async def test_descriptors_of_closed_connections_serve_others() -> None:
    last = ANSWER.replace(b"\r\n", b"\r\nconnection: close\r\n", 1)
    async with server(saying(ANSWER)) as kept, server(saying(last, keep=False)) as closed, open_wire(5) as wire:
        for _ in range(20):
            assert await accepted_by(wire, closed.url)
            assert await accepted_by(wire, kept.url)
        assert (kept.connections, closed.connections) == (30, 600)


async def test_the_loop_rests_while_idle_connections_lie_closed() -> None:
    async with server(saying(ANSWER, keep=False)) as heard, open_wire(5) as wire:
        assert await accepted_by(wire, heard.url)
        await until(lambda: heard.ended == heard.connections)
        await until(lambda: not wire._epoll.poll(0), what="nothing wakes the loop")
