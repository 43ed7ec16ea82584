"""Real servers that misbehave at the socket."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

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
    requests: list[bytes] = field(default_factory=list)
    bytes_received: int = 0
    got: asyncio.Event = field(default_factory=asyncio.Event)


Behaviour = Callable[[asyncio.StreamWriter, int], Awaitable[bool]]
"""Reacts to the request number so-and-so (from 0, over all connections); False ends the connection."""


@asynccontextmanager
async def server(behave: Behaviour) -> AsyncIterator[Heard]:
    """A server that reads whole requests, grants FCM tokens, and leaves the rest to `behave`."""
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

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    heard.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    try:
        yield heard
    finally:
        listening.close()
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
