"""An audience service's database, and one tenant who uses it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest_asyncio
from pydantic import SecretStr

from contracts.channels import CHANNELS
from contracts.events import (
    AddressesJudged,
    AddressVerdict,
    AudienceResolved,
    CampaignCancelled,
    CampaignLaunched,
    Content,
    Event,
    InboundMessageReceived,
    LotResolved,
    PreferencesChanged,
    SendRequested,
)
from contracts.topics import AUDIENCE_RESOLVED, LOTS, PREFERENCE_CHANGES, TRANSACTIONAL_LOTS, Topic
from services.audience.handlers import consent, expanding, importing, requesting
from services.audience.handlers.importing import Imported
from services.audience.settings import AudienceSettings
from shared.codec import decoder, now
from shared.database import Database, open_database
from shared.ids import new_id

EVERYBODY: dict[str, Any] = {"all": []}
PAGE = 10
LOT = 4


def settings_of(**fields: Any) -> AudienceSettings:
    """Settings of routes that are asked in this process."""
    required = {"DATABASE_URL": "none", "KAFKA_BOOTSTRAP_SERVERS": "none", "SECRETS_KEY": "none"}
    links = {"INTERNAL_TOKEN": "token", "LINK_BASE_URL": "https://n.example"}
    return AudienceSettings(HTTP_PORT=0, **required, **links, **fields)


@pytest_asyncio.fixture
async def database(database_of) -> AsyncIterator[Database]:
    async with open_database(SecretStr(database_of("audience")), 6, "test") as opened:
        yield opened


@pytest_asyncio.fixture
async def tenant(database: Database) -> Tenant:
    async with database.transaction() as connection:
        await connection.execute("TRUNCATE outbox, expansions, expansion_addresses, forecasts")
    return Tenant(database)


@dataclass
class Tenant:
    """What one tenant's clients, campaigns and customers do to the service, and what it says about them."""

    database: Database
    user_id: str = field(default_factory=lambda: uuid4().hex)

    async def save(self, *rows: dict[str, Any]) -> Imported:
        kind = importing.customers_of(self.user_id)
        return await importing.save_list(self.database, kind, list(enumerate(rows)))

    async def import_customers(self, *pieces: bytes, file_format: str = "csv") -> tuple[UUID, Imported]:
        return await self._import(importing.customers_of(self.user_id), pieces, file_format)

    async def add(self, campaign_id: UUID, channel: str, *rows: dict[str, Any]) -> Imported:
        kind = importing.recipients_of(self.user_id, CHANNELS[channel], campaign_id)
        return await importing.save_list(self.database, kind, list(enumerate(rows)))

    async def import_recipients(self, campaign_id: UUID, channel: str, *pieces: bytes) -> tuple[UUID, Imported]:
        return await self._import(importing.recipients_of(self.user_id, CHANNELS[channel], campaign_id), pieces, "csv")

    async def _import(self, kind: Any, pieces: Iterable[bytes], file_format: str) -> tuple[UUID, Imported]:
        async def stream() -> AsyncIterator[bytes]:
            for piece in pieces:
                yield piece

        import_id = uuid4()
        return import_id, await importing.import_file(
            self.database, self.user_id, import_id, kind, file_format, stream(), 20, 4096
        )

    def launched(self, channel: str, **fields: Any) -> CampaignLaunched:
        defaults: dict[str, Any] = {
            "campaign_id": uuid4(),
            "version": 1,
            "provider_id": uuid4(),
            "content": Content(body="Hello"),
            "category": "marketing",
            "unknown_policy": "hold",
            "audience_filter": EVERYBODY,
        }
        return CampaignLaunched(
            event_id=new_id(), occurred_at=now(), user_id=self.user_id, channel=channel, **{**defaults, **fields}
        )

    async def launch(self, channel: str, **fields: Any) -> UUID:
        event = self.launched(channel, **fields)
        await expanding.on_lifecycle(self.database, [event])
        return event.campaign_id

    async def cancel(self, campaign_id: UUID, channel: str) -> None:
        event = CampaignCancelled(
            event_id=new_id(),
            occurred_at=now(),
            campaign_id=campaign_id,
            user_id=self.user_id,
            channel=channel,
            version=2,
        )
        await expanding.on_lifecycle(self.database, [event])

    async def expand(self) -> None:
        while await expanding.expand_next(self.database, PAGE, LOT):
            pass

    async def reach(self, channel: str, **fields: Any) -> tuple[AudienceResolved, list[LotResolved]]:
        """Launches, expands, and returns what was said about the campaign."""
        campaign_id = await self.launch(channel, **fields)
        await self.expand()
        return await self.resolved(campaign_id)

    async def resolved(self, campaign_id: UUID) -> tuple[AudienceResolved, list[LotResolved]]:
        (totals,) = [e for e in await self.said(AUDIENCE_RESOLVED) if e.campaign_id == campaign_id]
        lots = [e for e in await self.said(LOTS) if e.campaign_id == campaign_id]
        assert totals.audience == totals.recipients + sum(totals.excluded.values())
        assert totals.recipients == sum(len(lot.recipients) for lot in lots)
        assert totals.lots == len(lots)
        return totals, lots

    def request(self, channel: str = "sms", **fields: Any) -> SendRequested:
        defaults: dict[str, Any] = {"request_id": uuid4().hex, "content": Content(body="Your code")}
        return SendRequested(
            event_id=new_id(), occurred_at=now(), user_id=self.user_id, channel=channel, **{**defaults, **fields}
        )

    async def send(self, *events: SendRequested) -> None:
        await requesting.on_send_requested(self.database, events)

    async def write_back(self, address: str, intent: str) -> InboundMessageReceived:
        event = self.inbound(address, intent)
        await consent.on_inbound_messages(self.database, [event])
        return event

    def inbound(self, address: str, intent: str, channel: str = "sms") -> InboundMessageReceived:
        return InboundMessageReceived(
            event_id=new_id(),
            occurred_at=now(),
            user_id=self.user_id,
            channel=channel,
            provider_id=uuid4(),
            address=address,
            to="+15005550006",
            text=intent,
            intent=intent,
        )

    async def judge(self, channel: str, at: datetime | None = None, **verdicts: list[str]) -> None:
        event = AddressesJudged(
            event_id=new_id(),
            occurred_at=now(),
            user_id=self.user_id,
            channel=channel,
            verdicts=[
                AddressVerdict(address=address, verdict=verdict, at=at or now())
                for verdict, addresses in verdicts.items()
                for address in addresses
            ],
        )
        await consent.on_addresses_judged(self.database, [event])

    async def said(self, topic: Topic) -> list[Any]:
        """The tenant's events in the outbox, in order."""
        read = decoder(topic)
        rows = await self.rows("SELECT value FROM outbox WHERE topic = %b ORDER BY id", topic.name)
        events: list[Any] = [read(row[0]) for row in rows]
        return [event for event in events if event.user_id == self.user_id]

    async def changes(self) -> list[tuple[str, str, bool]]:
        """(address, scope, opted out) of every change that was published."""
        events: list[PreferencesChanged] = await self.said(PREFERENCE_CHANGES)
        return [(c.address, c.scope, c.opted_out) for event in events for c in event.changes]

    async def transactional(self) -> list[LotResolved]:
        return await self.said(TRANSACTIONAL_LOTS)

    async def rows(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        async with self.database.transaction() as connection:
            cursor = await connection.execute(statement, parameters)
            return await cursor.fetchall()


def phone(number: int) -> str:
    """A valid German mobile number."""
    return f"+49151{number:08d}"


def person(number: int, **fields: Any) -> dict[str, Any]:
    """A customer with a phone and a device."""
    return {
        "customerId": f"c{number:04d}",
        "phoneNumber": phone(number),
        "deviceToken": f"token-{number}",
        "deviceType": "ios",
        "firstName": f"Ada{number}",
        "country": "DE",
        **fields,
    }


def addresses(lots: Iterable[LotResolved]) -> list[str]:
    return [recipient.address for lot in lots for recipient in lot.recipients]


def as_json(event: Event) -> Any:
    return msgspec.json.decode(msgspec.json.encode(event))
