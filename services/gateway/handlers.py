"""Who asks, doing a thing once, and passing requests on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import uuid4

import aiohttp
import msgspec

from contracts import topics
from contracts.events import Content, SendRequested
from contracts.http.sending import SendWrite
from services.gateway import metrics, store
from services.gateway.domain import ApiKey, hash_secret, make_key, split_key
from services.gateway.settings import GatewaySettings
from services.gateway.store import Answer
from shared.codec import now
from shared.database import Database, Transactions
from shared.http import Problem
from shared.ids import new_id
from shared.outbox import Outgoing, put

KEY_CACHE_SECONDS = 5.0
KEY_CACHE_MAX = 10_000
KEY_MAX = 200

_PASSED_ON = ("content-type", "accept", "accept-language")


@dataclass(slots=True)
class Keys:
    """API keys, remembered for a few seconds."""

    database: Database
    _known: dict[str, tuple[float, ApiKey | None]] = field(default_factory=dict)

    async def find(self, authorization: str | None) -> ApiKey:
        """The key of a request; a 401 problem when there is none that opens."""
        kind, _, given = (authorization or "").partition(" ")
        parts = split_key(given.strip()) if kind.lower() == "bearer" else None
        key = None if parts is None else await self._find(parts[0])
        if parts is None or key is None or not key.is_valid(parts[1], now()):
            headers = {"WWW-Authenticate": "Bearer"}
            detail = "send Authorization: Bearer <api key>, with a key that is neither revoked nor expired"
            raise Problem(401, "Not signed in", detail, headers=headers)
        return key

    async def _find(self, prefix: str) -> ApiKey | None:
        at, key = self._known.get(prefix, (0.0, None))
        if at and time.monotonic() - at < KEY_CACHE_SECONDS:
            return key
        async with self.database.pool.connection() as connection:
            key = await store.find_key(connection, prefix)
        if len(self._known) >= KEY_CACHE_MAX:
            self._known.clear()
        self._known[prefix] = (time.monotonic(), key)
        return key


async def create_key(
    database: Transactions, user_id: str, name: str, scopes: list[str], expires_at: datetime | None
) -> str:
    """Makes a key and returns it; it cannot be read again."""
    key, prefix, secret = make_key()
    async with database.transaction() as connection:
        await store.insert_key(connection, user_id, name, prefix, hash_secret(secret), scopes, expires_at)
    return key


async def do_once(
    database: Transactions, user_id: str, key: str | None, request_hash: bytes, do: Callable[[], Awaitable[Answer]]
) -> Answer:
    """Does it, or repeats the answer that it had. Without a key it is simply done."""
    if key is None:
        return await do()
    if not 0 < len(key) <= KEY_MAX:
        raise Problem(
            422, "Invalid input", errors=[{"field": "Idempotency-Key", "message": f"1 to {KEY_MAX} characters"}]
        )
    async with database.transaction() as connection:
        claim = await store.claim_request(connection, user_id, key, request_hash)
    if not claim.same_request:
        raise Problem(422, "Idempotency-Key was used for another request", "use a new key for a new request")
    if claim.answer is not None:
        return claim.answer
    if not claim.fresh:
        detail = "the first request with this Idempotency-Key has not been answered yet"
        raise Problem(409, "Still in progress", detail, headers={"Retry-After": "1"})
    answer: Answer | None = None
    try:
        answer = await do()
    finally:
        if answer is None or answer.status >= 500:
            await asyncio.shield(_forget(database, user_id, key))
    if answer.status < 500:
        async with database.transaction() as connection:
            await store.mark_answered(connection, user_id, key, answer)
    return answer


async def _forget(database: Transactions, user_id: str, key: str) -> None:
    async with database.transaction() as connection:
        await store.delete_claim(connection, user_id, key)


@dataclass(slots=True)
class Owners:
    """The services behind the gateway."""

    client: aiohttp.ClientSession
    settings: GatewaySettings

    async def ask(
        self, owner: str, method: str, target: str, user_id: str, headers: Mapping[str, str], body: bytes
    ) -> Answer:
        """The owner's answer; a 503 problem when it cannot be reached."""
        async with self._request(owner, method, target, user_id, headers, body, self.settings.answer_seconds) as found:
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

    async def forward(
        self, owner: str, method: str, target: str, headers: list[tuple[str, str]], body: bytes
    ) -> Answer:
        """A request of a stranger, passed on with all of its headers; the owner decides whether to believe it."""
        timeout = aiohttp.ClientTimeout(total=self.settings.answer_seconds, connect=self.settings.connect_seconds)
        url = self.settings.owner_url(owner) + target
        try:
            async with self.client.request(
                method, _exact(url), headers=headers, data=body, timeout=timeout, allow_redirects=False
            ) as found:
                return Answer(found.status, found.headers.get("Content-Type", ""), await found.read())
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
    ) -> _Asking:
        passed = {name: headers[name] for name in _PASSED_ON if name in headers}
        passed |= {
            "X-User-Id": user_id,
            "Authorization": f"Bearer {self.settings.internal_token.get_secret_value()}",
        }
        timeout = aiohttp.ClientTimeout(total=seconds, connect=self.settings.connect_seconds)
        url = self.settings.owner_url(owner) + target
        return _Asking(owner, self.client.request(method, _exact(url), headers=passed, data=body, timeout=timeout))


def _exact(url: str) -> aiohttp.typedefs.StrOrURL:
    from yarl import URL

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


async def request_sends(database: Transactions, user_id: str, body: SendWrite) -> list[dict[str, str]]:
    """Publishes one `SendRequested` per message; returns their request ids in order."""
    records, shown = [], []
    for message in body.messages:
        request_id = message.request_id or str(uuid4())
        content = None
        if message.content is not None:
            content = msgspec.convert(message.content.model_dump(by_alias=True), Content)
        event = SendRequested(
            event_id=new_id(),
            occurred_at=now(),
            user_id=user_id,
            request_id=request_id,
            channel=message.channel,
            customer_id=message.customer_id,
            address=message.address,
            template_id=message.template_id,
            content=content,
            variables=message.variables,
            category=message.category,
            provider_id=message.provider_id,
            expires_at=message.expires_at,
        )
        records.append(Outgoing(topics.SEND_REQUESTS, user_id, event))
        shown.append({"requestId": request_id, "status": "accepted"})
    async with database.transaction() as connection:
        await put(connection, records)
    return shown
