"""A dispatcher's database, and the facts that fill it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from uuid import UUID, uuid4

import pytest_asyncio
from pydantic import SecretStr

from contracts.channels import CHANNELS, Channel
from contracts.events import (
    AudienceResolved,
    CampaignLaunched,
    Content,
    LotResolved,
    OptOutChange,
    PreferencesChanged,
    Receipt,
    ReceiptsRecorded,
    Recipient,
)
from services.dispatcher import handlers
from services.dispatcher.accounting import account_for
from services.dispatcher.guard import Guard
from services.dispatcher.store.campaigns import find_ledger
from services.dispatcher.store.claims import Lot, MicroLot, claim_lot, claim_recipients
from services.dispatcher.store.outcomes import Recorded, mark_outcomes
from shared.codec import now
from shared.database import Database, open_database
from shared.ids import new_id

LEASE_SECONDS = 30.0


@dataclass
class Scene:
    """One campaign of one tenant in one channel, told by its events."""

    database: Database
    channel: Channel
    user_id: str = field(default_factory=lambda: uuid4().hex)
    campaign_id: UUID = field(default_factory=new_id)
    provider_id: UUID = field(default_factory=new_id)
    worker: UUID = field(default_factory=uuid4)
    guard: Guard = field(default_factory=Guard)

    def lot(self, recipients: int, start: int = 0) -> LotResolved:
        return LotResolved(
            event_id=new_id(),
            occurred_at=now(),
            lot_id=new_id(),
            campaign_id=self.campaign_id,
            user_id=self.user_id,
            channel=self.channel.name,
            lane="bulk",
            category="marketing",
            recipients=[
                Recipient(recipient_id=new_id(), address=f"+4917{n:08d}", variables={"firstName": "Ada"})
                for n in range(start, start + recipients)
            ],
        )

    async def arrive(self, *lots: LotResolved) -> None:
        await handlers.on_lots_resolved(self.database, lots)

    async def launch(self, version: int = 1, **content: object) -> None:
        texts = {"body": "Hi {{firstName}}", "title": "News" if self.channel.title_max else None}
        event = CampaignLaunched(
            event_id=new_id(),
            occurred_at=now(),
            campaign_id=self.campaign_id,
            user_id=self.user_id,
            channel=self.channel.name,
            version=version,
            provider_id=self.provider_id,
            content=Content(**{**texts, **content}),
            category="marketing",
            unknown_policy="hold",
        )
        await handlers.on_lifecycle(self.database, [event])

    async def tell(self, event_type: type, version: int, **fields: object) -> None:
        event = event_type(
            event_id=new_id(),
            occurred_at=now(),
            campaign_id=self.campaign_id,
            user_id=self.user_id,
            channel=self.channel.name,
            version=version,
            **fields,
        )
        await handlers.on_lifecycle(self.database, [event])

    async def resolve(self, audience: int, lots: int) -> None:
        event = AudienceResolved(
            event_id=new_id(),
            occurred_at=now(),
            campaign_id=self.campaign_id,
            user_id=self.user_id,
            channel=self.channel.name,
            audience=audience,
            recipients=audience,
            lots=lots,
            excluded={},
        )
        await handlers.on_audience_resolved(self.database, [event])

    async def opt_out(self, address: str, scope: str = "all") -> None:
        await self.change(address, {scope: True})

    async def change(self, address: str, opted_out: Mapping[str, bool]) -> None:
        at = now()
        changes = [OptOutChange(address=address, scope=scope, opted_out=out, at=at) for scope, out in opted_out.items()]
        event = PreferencesChanged(
            event_id=new_id(),
            occurred_at=now(),
            user_id=self.user_id,
            channel=self.channel.name,
            changes=changes,
        )
        await handlers.on_preferences_changed(self.database, [event])

    async def lease(self, seconds: float = LEASE_SECONDS) -> Lot | None:
        async with self.database.transaction() as connection:
            return await claim_lot(connection, "bulk", self.worker, seconds)

    async def claim(self, lot: Lot, rows_max: int = 500) -> MicroLot:
        async with self.database.transaction() as connection:
            return await claim_recipients(connection, self.channel, lot, self.worker, LEASE_SECONDS, rows_max)

    async def record(self, lot: Lot, micro_lot: MicroLot, *outcomes: Recorded) -> dict[UUID, str]:
        async with self.database.transaction() as connection:
            return await mark_outcomes(connection, self.channel, lot.id, micro_lot.attempt_id, outcomes)

    async def receive(
        self,
        *receipts: tuple[UUID, str],
        cost: tuple[int | None, str | None] = (None, None),
        addresses: Sequence[str | None] = (),
        parts: Sequence[str | None] = (),
        error_class: str | None = None,
    ) -> None:
        event = ReceiptsRecorded(
            event_id=new_id(),
            occurred_at=now(),
            channel=self.channel.name,
            provider="twilio",
            receipts=[
                Receipt(
                    recipient_id=one,
                    kind=kind,
                    at=now(),
                    address=address,
                    part=part,
                    error_class=error_class,
                    cost_micros=cost[0],
                    currency=cost[1],
                )
                for (one, kind), address, part in zip_longest(receipts, addresses, parts)
            ],
        )
        await handlers.on_receipts_recorded(self.database, self.guard, [event])

    async def terms(self) -> dict:
        async with self.database.pool.connection() as connection:
            ledger = await find_ledger(connection, self.channel, self.user_id, self.campaign_id)
        assert ledger is not None
        return account_for(ledger)

    async def published(self, topic: str) -> list[dict]:
        """Everything in the outbox for the topic."""
        async with self.database.pool.connection() as connection:
            cursor = await connection.execute("SELECT value FROM outbox WHERE topic = %s ORDER BY id", (topic,))
            return [json.loads(row[0]) for row in await cursor.fetchall()]

    async def events(self) -> list[tuple[str, str]]:
        """(recipient id, event type) of everything in the outbox's public stream for this campaign."""
        async with self.database.pool.connection() as connection:
            cursor = await connection.execute(
                "SELECT e->>'recipientId', e->>'eventType' FROM outbox,"
                " jsonb_array_elements(convert_from(value, 'UTF8')::jsonb->'events') e"
                " WHERE topic = 'notification-events' AND key = %s",
                (str(self.campaign_id),),
            )
            return await cursor.fetchall()


@pytest_asyncio.fixture(params=sorted(CHANNELS))
async def scene(request, database_of) -> AsyncIterator[Scene]:
    """A fresh campaign; the senders of other scenes are kept out by clearing what they left."""
    async with open_database(SecretStr(database_of("dispatcher")), 6, "test") as database:
        async with database.transaction() as connection:
            await connection.execute(
                "TRUNCATE lots, campaigns, audiences, outbox, attempts, opt_outs, price_questions, message_parts"
            )
            await connection.execute("TRUNCATE sms_campaign_recipients, push_campaign_recipients")
        yield Scene(database, CHANNELS[request.param])
