"""The service on a real database, called as an ASGI app; and a vendor who signs."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from urllib.parse import parse_qsl, urlencode
from uuid import UUID

import pytest_asyncio
from cryptography.fernet import Fernet
from pydantic import SecretStr

from contracts.events import ProviderChanged
from services.delivery_receipt import handlers
from services.delivery_receipt.accounts import Accounts
from services.delivery_receipt.clicks import TrackedLinks
from services.delivery_receipt.documents import Documents
from services.delivery_receipt.domain import Callback
from services.delivery_receipt.intake import Intake
from services.delivery_receipt.jobs import write_callbacks
from services.delivery_receipt.routes import intake_routes
from services.delivery_receipt.settings import DeliveryReceiptSettings
from shared.codec import now
from shared.database import Database, open_database
from shared.ids import new_id
from shared.links import LinkCodes, link_codes
from shared.probes import AsgiApp, Heartbeat
from shared.providers.wire import open_wire
from shared.runtime import JobContext
from shared.security import References, Seal, references, seal

BASE_URL = "https://notify.example.com"
SECRET = "twilio-secret"
Record = Callable[[Sequence[Callback]], Awaitable[None]]


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[bytes, bytes]
    body: bytes

    @property
    def problem(self) -> dict[str, Any]:
        assert self.headers[b"content-type"] == b"application/problem+json"
        parsed: dict[str, Any] = json.loads(self.body)
        return parsed


async def post(
    app: AsgiApp, target: str, body: bytes = b"", headers: dict[str, str] | None = None, method: str = "POST"
) -> Answer:
    """One request to an ASGI app, as uvicorn would hand it over."""
    path, _, query = target.partition("?")
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()],
    }
    messages: list[Any] = []
    parts = [body[start : start + 16_384] for start in range(0, len(body), 16_384)] or [b""]
    incoming = iter(parts)
    left = len(parts)

    async def receive() -> Any:
        nonlocal left
        left -= 1
        return {"type": "http.request", "body": next(incoming), "more_body": left > 0}

    async def send(message: Any) -> None:
        messages.append(message)

    await app(scope, receive, send)
    start, end = messages
    return Answer(start["status"], dict(start["headers"]), end["body"])


@dataclass
class Scene:
    """The intake of one tenant's account."""

    database: Database
    accounts: Accounts
    references: References
    seal: Seal
    settings: DeliveryReceiptSettings
    documents: Documents
    codes: LinkCodes
    app: AsgiApp = field(init=False)
    intake: Intake = field(init=False)
    user_id: str = "tenant"
    account_id: UUID = field(default_factory=new_id)

    def restart(self) -> None:
        """A new process: an empty queue, the same database."""
        self.intake = Intake(self.settings.waiting_max)
        self.restart_routes()

    def restart_routes(self) -> None:
        """The same queue before other accounts."""
        links = TrackedLinks(self.database)
        self.app = intake_routes(
            self.settings, self.accounts, self.references, self.documents, self.intake, self.codes, links
        )

    @property
    def path(self) -> str:
        return f"/api/notification/callbacks/twilio/{self.account_id}"

    def status(self, kind: str = "delivered", recipient_id: UUID | None = None, **more: str) -> tuple[str, bytes]:
        """Target and body of a status webhook about one of our recipients."""
        reference = self.references.sign("sms", recipient_id or new_id())
        sid = "SM" + new_id().hex
        form = {"AccountSid": "AC1", "MessageSid": sid, "MessageStatus": kind, "To": "+4917012345678"} | more
        return f"{self.path}?ref={reference}", urlencode(form).encode()

    def inbound(self, text: str, sid: str | None = None, **more: str) -> tuple[str, bytes]:
        """Target and body of a message that a person sent."""
        form = {"MessageSid": sid or "SM" + new_id().hex, "From": "+4917012345678", "To": "+15005550006", "Body": text}
        return self.path, urlencode(form | more).encode()

    def signed(self, target: str, body: bytes, secret: str = SECRET) -> dict[str, str]:
        return {"content-type": "application/x-www-form-urlencoded", "x-twilio-signature": sign(target, body, secret)}

    async def deliver(self, target: str, body: bytes, secret: str = SECRET) -> Answer:
        return await post(self.app, target, body, self.signed(target, body, secret))

    def changed(self, version: int, secret: str = SECRET, **more: Any) -> ProviderChanged:
        values = {"accountSid": "AC1", "apiSecret": secret, "phoneNumber": "+15005550006", "config": {}}
        fields = {
            "event_id": new_id(),
            "occurred_at": now(),
            "provider_id": self.account_id,
            "user_id": self.user_id,
            "channel": "sms",
            "version": version,
            "provider_name": "Twilio",
            "provider_type": "twilio",
            "is_active": True,
            "sealed": self.seal.close(values),
        }
        return ProviderChanged(**fields | more)

    async def hear(self, *changes: ProviderChanged, previous_seconds: float = 60.0) -> None:
        """The service hears what the dispatcher says about accounts."""
        await handlers.on_providers_changed(self.database, self.accounts, previous_seconds, changes)

    async def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        async with self.database.pool.connection() as connection:
            return await (await connection.execute(query, values)).fetchall()

    async def published(self, topic: str) -> list[dict[str, Any]]:
        rows = await self.rows("SELECT value FROM outbox WHERE topic = %s ORDER BY id", topic)
        return [json.loads(row[0]) for row in rows]

    async def receipts(self) -> list[tuple[str, str]]:
        """(recipient id, kind) of everything in the outbox."""
        return [(r["recipientId"], r["kind"]) for event in await self.published("receipts") for r in event["receipts"]]


def sign(target: str, body: bytes, secret: str) -> str:
    """Twilio's signature, made independently of the code that checks it."""
    pairs = sorted(set(parse_qsl(body.decode(), keep_blank_values=True)))
    text = BASE_URL + target + "".join(name + value for name, value in pairs)
    return base64.b64encode(hmac.digest(secret.encode(), text.encode(), hashlib.sha1)).decode()


@asynccontextmanager
async def writing(scene: Scene, record: Record | None = None, **changed: Any) -> AsyncIterator[JobContext]:
    """The writer at work; at the end it stops as the runtime would stop it."""
    record = record or partial(handlers.record_callbacks, scene.database)
    settings = scene.settings.model_copy(update=changed)
    context = JobContext(asyncio.Event(), Heartbeat("writer", 60))
    task = asyncio.create_task(write_callbacks(scene.intake, record, settings, context))
    try:
        yield context
    finally:
        context.stopping.set()
        await task


@pytest_asyncio.fixture
async def idle_scene(database_of: Callable[[str], str]) -> AsyncIterator[Scene]:
    """The service with an empty database and one account, and no writer."""
    url = database_of("delivery_receipt")
    secrets_key = Fernet.generate_key().decode()
    settings = DeliveryReceiptSettings(
        http_port=0,
        database_url=url,
        kafka_bootstrap_servers="unused:9092",
        secrets_key=secrets_key,
        internal_token="t",
        public_base_url=BASE_URL,
        waiting_max=2_000,
    )
    async with open_database(SecretStr(url), 6, "test") as database, open_wire(timeout_seconds=5.0) as wire:
        async with database.transaction() as connection:
            await connection.execute(
                "TRUNCATE callbacks, callback_batches, rejections, inbound_messages, inbound_parts, message_references,"
                " accounts, tracked_links, outbox"
            )
        accounts = Accounts(database, seal(secrets_key), settings.lookups_max)
        documents = Documents(wire, settings.lookups_max)
        codes = link_codes(secrets_key)
        scene = Scene(database, accounts, references(secrets_key), accounts.seal, settings, documents, codes)
        scene.restart()
        await scene.hear(scene.changed(1))
        yield scene


@pytest_asyncio.fixture
async def scene(idle_scene: Scene) -> AsyncIterator[Scene]:
    """The same with the writer at work."""
    async with writing(idle_scene):
        yield idle_scene
