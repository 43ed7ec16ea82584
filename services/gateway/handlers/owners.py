"""Passing requests on to the services that own the data."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from uuid import UUID

import aiohttp
from yarl import URL

from services.gateway import metrics
from services.gateway.settings import GatewaySettings
from services.gateway.store.answers import Answer
from shared.http import EFFECT_ID, REQUEST_ID, Problem
from shared.logs import current_request_id

DOWNLOAD_PIECE_BYTES = 64 * 1024

_PASSED_ON = ("content-type", "accept", "accept-language", "if-match")
_HANDED_ON = ("Content-Type", "Content-Disposition")


@dataclass(frozen=True, slots=True)
class Download:
    """An owner's answer of which the body is still to come."""

    status: int
    headers: dict[str, str]
    pieces: AsyncIterator[bytes]


@dataclass(slots=True)
class Owners:
    """The services behind the gateway."""

    client: aiohttp.ClientSession
    settings: GatewaySettings

    async def ask(
        self,
        owner: str,
        method: str,
        target: str,
        user_id: str,
        headers: Mapping[str, str],
        body: bytes,
        effect_id: UUID | None = None,
    ) -> Answer:
        """The owner's answer; a 503 problem when it cannot be reached. What it makes gets this id."""
        seconds = self.settings.answer_seconds
        async with self._request(owner, method, target, user_id, headers, body, seconds, effect_id) as found:
            return Answer(found.status, found.headers.get("Content-Type", ""), await found.read())

    async def stream(
        self,
        owner: str,
        method: str,
        target: str,
        user_id: str,
        headers: Mapping[str, str],
        body: AsyncIterator[bytes],
    ) -> Answer:
        """The same for a body of any length, passed on as it comes."""
        async with self._request(owner, method, target, user_id, headers, body, self.settings.import_seconds) as found:
            return Answer(found.status, found.headers.get("Content-Type", ""), await found.read())

    async def download(self, owner: str, target: str, user_id: str, headers: Mapping[str, str]) -> Download:
        """An answer of any length, passed on as it comes; the connection breaks where the owner's does."""
        asking = self._request(owner, "GET", target, user_id, headers, b"", self.settings.import_seconds)
        found = await asking.__aenter__()

        async def pieces() -> AsyncIterator[bytes]:
            try:
                async for piece in found.content.iter_chunked(DOWNLOAD_PIECE_BYTES):
                    yield piece
            finally:
                await asking.__aexit__(None, None, None)

        kept = {name: found.headers[name] for name in _HANDED_ON if name in found.headers}
        return Download(found.status, kept, pieces())

    async def forward(
        self, owner: str, method: str, target: str, headers: list[tuple[str, str]], body: bytes
    ) -> Answer:
        """A request of a stranger, passed on with these headers; the owner decides whether to believe it."""
        timeout = aiohttp.ClientTimeout(total=self.settings.answer_seconds, connect=self.settings.connect_seconds)
        url = self.settings.owner_url(owner) + target
        try:
            async with self.client.request(
                method, _exact(url), headers=headers, data=body, timeout=timeout, allow_redirects=False
            ) as found:
                location = found.headers.get("Location")
                return Answer(found.status, found.headers.get("Content-Type", ""), await found.read(), location)
        except (aiohttp.ClientError, TimeoutError):
            raise _unavailable(owner) from None

    def _request(
        self,
        owner: str,
        method: str,
        target: str,
        user_id: str,
        headers: Mapping[str, str],
        body: bytes | AsyncIterator[bytes],
        seconds: float,
        effect_id: UUID | None = None,
    ) -> _Asking:
        passed = {name: headers[name] for name in _PASSED_ON if name in headers}
        passed |= {
            "X-User-Id": user_id,
            "Authorization": f"Bearer {self.settings.internal_token.get_secret_value()}",
        }
        if request_id := current_request_id():
            passed[REQUEST_ID.decode()] = request_id
        if effect_id is not None:
            passed[EFFECT_ID] = str(effect_id)
        timeout = aiohttp.ClientTimeout(total=seconds, connect=self.settings.connect_seconds)
        url = self.settings.owner_url(owner) + target
        return _Asking(owner, self.client.request(method, _exact(url), headers=passed, data=body, timeout=timeout))


def _exact(url: str) -> aiohttp.typedefs.StrOrURL:
    return URL(url, encoded=True)


@dataclass(slots=True)
class _Asking:
    """A request to an owner whose failure is a 503 problem."""

    owner: str
    request: aiohttp.client._RequestContextManager
    started: float = field(default_factory=time.monotonic)

    async def __aenter__(self) -> aiohttp.ClientResponse:
        try:
            found = await self.request.__aenter__()
        except (aiohttp.ClientError, TimeoutError):
            metrics.REQUESTS.labels(self.owner, "unreachable").inc()
            raise _unavailable(self.owner) from None
        metrics.REQUESTS.labels(self.owner, f"{found.status // 100}xx").inc()
        return found

    async def __aexit__(self, *error: object) -> None:
        metrics.SECONDS.labels(self.owner).observe(time.monotonic() - self.started)
        await self.request.__aexit__(*error)  # type: ignore[arg-type]


def _unavailable(owner: str) -> Problem:
    return Problem(
        503, "Temporarily unavailable", f"{owner} does not answer; try again shortly", headers={"Retry-After": "2"}
    )
