"""Real servers that misbehave at the socket."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import cast

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, RequestReceived, StreamEnded
from h2.settings import SettingCodes, Settings

ACCEPTED = b'{"sid":"SM0123","status":"active","num_segments":"1","name":"projects/shop/messages/1"}'
ANSWER = b"HTTP/1.1 201 Created\r\ncontent-length: %d\r\n\r\n%b" % (len(ACCEPTED), ACCEPTED)
OK_ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(ACCEPTED), ACCEPTED)
TOKEN_BODY = b'{"access_token":"ya29.test","expires_in":3600,"token_type":"Bearer"}'
TOKEN_ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(TOKEN_BODY), TOKEN_BODY)


@dataclass
class Heard:
    """What the server got."""

    url: str = ""
    connections: int = 0
    ended: int = 0
    requests: list[bytes] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    """Of the streams of HTTP/2, in the order in which they began."""
    bytes_received: int = 0
    got: asyncio.Event = field(default_factory=asyncio.Event)


Behaviour = Callable[[asyncio.StreamWriter, int], Awaitable[bool]]
"""Reacts to the request number so-and-so (from 0, over all connections); False ends the connection."""


@asynccontextmanager
async def server(
    behave: Behaviour, tls: ssl.SSLContext | None = None, *, reads_bodies: bool = True
) -> AsyncIterator[Heard]:
    """A server that reads whole requests, or their heads alone, grants FCM tokens, and leaves the rest to `behave`."""
    heard = Heard()
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        heard.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                if not reads_bodies and b" /token " not in head:
                    heard.requests.append(head)
                    await behave(writer, len(heard.requests) - 1)
                    break
                if head.startswith(PREFACE):
                    await _serve_streams(head, reader, writer, behave, heard)
                    break
                lower = head.lower()
                at = lower.find(b"content-length:")
                length = int(lower[at + 15 :].split(b"\r\n")[0]) if at >= 0 else 0
                body = await reader.readexactly(length)
                if b" /token " in head:
                    writer.write(TOKEN_ANSWER)
                    continue
                heard.bytes_received += len(head) + len(body)
                heard.requests.append(head + body)
                heard.got.set()
                if not await behave(writer, len(heard.requests) - 1):
                    break
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
            heard.ended += 1

    listening = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    heard.url = f"{'http' if tls is None else 'https'}://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    try:
        yield heard
    finally:
        listening.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


PREFACE = b"PRI * HTTP/2.0"


class _StreamWriter:
    """Stands for the connection of one HTTP/2 request, so that every behaviour works on both versions."""

    def __init__(self, connection: asyncio.StreamWriter) -> None:
        self.transport = connection.transport
        self.get_extra_info = connection.get_extra_info
        self.answer = b""

    def write(self, data: bytes) -> None:
        self.answer += data

    async def drain(self) -> None:
        pass


async def _serve_streams(
    preface: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, behave: Behaviour, heard: Heard
) -> None:
    """HTTP/2 by prior knowledge: a whole answer ends its stream, half an answer leaves it open."""
    h2 = H2Connection(H2Configuration(client_side=False, header_encoding=None))
    h2.local_settings = Settings(client=False, initial_values={SettingCodes.MAX_CONCURRENT_STREAMS: 1000})
    h2.initiate_connection()
    bodies: dict[int, bytes] = {}
    tasks: set[asyncio.Task[None]] = set()

    async def react(stream_id: int, number: int) -> None:
        stream = _StreamWriter(writer)
        goes_on = await behave(cast("asyncio.StreamWriter", stream), number)
        if stream.answer:
            head, _, body = stream.answer.partition(b"\r\n\r\n")
            first, *lines = head.split(b"\r\n")
            headers = [(b":status", first.split(b" ")[1]), *(tuple(line.split(b": ", 1)) for line in lines)]
            h2.send_headers(stream_id, headers)
            length = int(dict(headers).get(b"content-length", len(body)))
            h2.send_data(stream_id, body, end_stream=len(body) == length)
            writer.write(h2.data_to_send())
        if not goes_on:
            writer.close()

    try:
        data = preface
        while data:
            for event in h2.receive_data(data):
                match event:
                    case RequestReceived(stream_id=int(stream_id), headers=headers):
                        heard.headers.append({name.decode(): value.decode() for name, value in headers or ()})
                        bodies[stream_id] = b""
                    case DataReceived(stream_id=int(stream_id), data=part, flow_controlled_length=length):
                        bodies[stream_id] += part or b""
                        h2.acknowledge_received_data(length or 0, stream_id)
                    case StreamEnded(stream_id=int(stream_id)):
                        heard.bytes_received += len(bodies[stream_id])
                        heard.requests.append(bodies.pop(stream_id))
                        heard.got.set()
                        tasks.add(asyncio.create_task(react(stream_id, len(heard.requests) - 1)))
            writer.write(h2.data_to_send())
            data = await reader.read(65_536)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def saying(answer: bytes, keep: bool = True) -> Behaviour:
    """Always this answer; without `keep` the connection ends after it."""

    async def behave(writer: asyncio.StreamWriter, _number: int) -> bool:
        writer.write(answer)
        await writer.drain()
        return keep

    return behave


async def hanging(_writer: asyncio.StreamWriter, _number: int) -> bool:
    """Reads and never answers."""
    await asyncio.get_running_loop().create_future()
    return False


async def closing(_writer: asyncio.StreamWriter, _number: int) -> bool:
    """Reads and closes."""
    return False


async def resetting(writer: asyncio.StreamWriter, _number: int) -> bool:
    """Reads and resets the connection."""
    raw = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
    return False
