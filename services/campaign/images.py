"""Looks at pictures that templates name: only their beginnings, and only at hosts that anybody can reach.

A marketer chooses the address, so it must not lead into our own network: each host is resolved here and only its public
addresses are connected to, after each redirect again.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import IPv6Address, IPv6Network, ip_address
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from services.campaign.domain.images import Image, read_image

LOOK_SECONDS = 2.0
LOOK_BYTES_MAX = 64 * 1024
REDIRECTS_MAX = 3
AT_ONCE_MAX = 8
PORTS = (80, 443)
KEPT_SECONDS = 600.0
KEPT_MAX = 1_000

_GLOBAL_UNICAST = IPv6Network("2000::/3")
"""Outside of it are IPv4 in other clothes, private ones too (RFC 4291, RFC 6052, RFC 8215), and what is local."""


class NotPublic(OSError):
    """A host without a public address."""


def is_public(address: str) -> bool:
    """Whether the whole world can reach the address, so that we give nothing away by connecting to it."""
    try:
        ip = ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if inner is not None:
            return is_public(str(inner))
        if ip not in _GLOBAL_UNICAST:
            return False
    return ip.is_global and not ip.is_multicast


@dataclass(slots=True)
class PublicResolver(AbstractResolver):
    """Names to their public addresses; a host of the operator's allowlist keeps all of its own."""

    allowed_hosts: frozenset[str]
    resolver: AbstractResolver = field(default_factory=aiohttp.ThreadedResolver)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self.resolver.resolve(host, port, family)
        public = [one for one in found if host in self.allowed_hosts or is_public(one["host"])]
        if not public:
            raise NotPublic(host)
        return public

    async def close(self) -> None:
        await self.resolver.close()


@dataclass(slots=True)
class Images:
    """Pictures by address, looked at once in a while."""

    client: aiohttp.ClientSession
    allowed_hosts: frozenset[str]
    _seen: dict[str, tuple[float, Image]] = field(default_factory=dict)
    _turn: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE_MAX))

    async def look_at(self, url: str) -> Image:
        """What is there; never raises, never takes longer than `LOOK_SECONDS`."""
        at, image = self._seen.get(url, (0.0, None))
        if image is not None and time.monotonic() - at < KEPT_SECONDS:
            return image
        try:
            async with asyncio.timeout(LOOK_SECONDS), self._turn:
                image = await self._fetch(URL(url))
        except TimeoutError:
            image = Image(trouble=f"no answer within {LOOK_SECONDS:g} seconds")
        except (aiohttp.ClientError, ValueError):
            image = Image(trouble="the host has no public address or does not answer")
        if len(self._seen) >= KEPT_MAX:
            self._seen.clear()
        self._seen[url] = (time.monotonic(), image)
        return image

    async def _fetch(self, url: URL) -> Image:
        for _ in range(REDIRECTS_MAX + 1):
            if trouble := self._trouble(url):
                return Image(trouble=trouble)
            async with self.client.get(url, allow_redirects=False) as answer:
                location = answer.headers.get("Location")
                if answer.status in (301, 302, 303, 307, 308) and location is not None:
                    url = url.join(URL(location))
                    continue
                if answer.status not in (200, 206):
                    return Image(trouble=f"the host answers with status {answer.status}")
                return read_image(await _beginning(answer.content))
        return Image(trouble=f"it is redirected more than {REDIRECTS_MAX} times")

    def _trouble(self, url: URL) -> str | None:
        if url.scheme not in ("http", "https"):
            return "only http and https can be looked at"
        if url.host is None or url.user is not None or url.password is not None:
            return "the address names no host, or a user"
        if url.host in self.allowed_hosts:
            return None
        if url.port not in PORTS:
            return f"only the ports {' and '.join(map(str, PORTS))} are looked at"
        return None if _is_name(url.host) or is_public(url.host) else "the host has no public address"


def _is_name(host: str) -> bool:
    """False for whatever could be read as a number: no top-level domain begins with a digit, but 0177.0.0.1 does."""
    return ":" not in host and not host.rstrip(".").rpartition(".")[2][:1].isdigit()


async def _beginning(content: aiohttp.StreamReader) -> bytes:
    beginning = bytearray()
    while len(beginning) < LOOK_BYTES_MAX:
        piece = await content.read(LOOK_BYTES_MAX - len(beginning))
        if not piece:
            break
        beginning += piece
    return bytes(beginning)


@asynccontextmanager
async def open_images(allowed_hosts: frozenset[str]) -> AsyncIterator[Images]:
    """A client of its own, without cookies, proxies or credentials."""
    connector = aiohttp.TCPConnector(resolver=PublicResolver(allowed_hosts), limit=AT_ONCE_MAX, force_close=True)
    headers: dict[str, Any] = {"Range": f"bytes=0-{LOOK_BYTES_MAX - 1}", "Accept-Encoding": "identity"}
    async with aiohttp.ClientSession(
        connector=connector, cookie_jar=aiohttp.DummyCookieJar(), headers=headers, auto_decompress=False
    ) as client:
        yield Images(client, allowed_hosts)
