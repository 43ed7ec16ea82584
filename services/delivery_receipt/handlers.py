"""What the delivery_receipt service does with callbacks and with changed accounts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from contracts import topics
from contracts.events import InboundMessageReceived, ProviderChanged, ReceiptsRecorded
from services.delivery_receipt import metrics
from services.delivery_receipt.domain import Account, Group, Stored
from services.delivery_receipt.store import find_accounts, insert_callbacks, insert_inbound, mark_accounts
from shared.codec import now
from shared.database import Connection, Database
from shared.ids import new_id
from shared.logs import logger
from shared.outbox import Outgoing, put
from shared.providers.registry import VENDORS
from shared.security import Seal, SealBroken

RECEIPTS_PER_RECORD_MAX = 500


@dataclass(slots=True)
class Accounts:
    """The accounts in memory, as PostgreSQL has them."""

    seal: Seal
    by_id: dict[str, Account] = field(default_factory=dict)

    async def load(self, connection: Connection) -> None:
        """Reads all accounts."""
        for row in await find_accounts(connection):
            self._keep(*row)

    def _keep(self, account_id: UUID, user_id: str, channel: str, provider_type: str, sealed: bytes) -> None:
        vendor = VENDORS.get((channel, provider_type))
        if vendor is None:
            return
        try:
            values = vendor.account(self.seal.open(sealed))
        except (SealBroken, ValueError, KeyError):
            logger().warning("account_unusable", provider_id=str(account_id))
            return
        self.by_id[str(account_id)] = Account(account_id, user_id, channel, provider_type, vendor, values)


async def on_providers_changed(database: Database, accounts: Accounts, events: Sequence[ProviderChanged]) -> None:
    """From now on callbacks are checked against the new credentials."""
    async with database.transaction() as connection:
        await mark_accounts(connection, events)
        await accounts.load(connection)


async def store_callbacks(database: Database, callbacks: Sequence[Stored]) -> None:
    """Makes a group of callbacks durable, with everything that they state in the outbox: all or nothing."""
    group = Group()
    async with database.transaction() as connection:
        await insert_callbacks(connection, callbacks)
        records: list[Outgoing] = []
        for one in callbacks:
            group.add(one)
            if one.inbound and one.account is not None:
                records.extend(await _inbound(connection, one.account, one))
        records.extend(_receipts(group))
        await put(connection, records)
    for (channel, _), receipts in group.by_source.items():
        for receipt in receipts:
            metrics.RECEIPTS.labels(channel, receipt.kind).inc()


async def _inbound(connection: Connection, account: Account, stored: Stored) -> list[Outgoing]:
    return [
        Outgoing(
            topics.INBOUND_MESSAGES,
            account.user_id,
            InboundMessageReceived(
                event_id=message_id,
                occurred_at=now(),
                user_id=account.user_id,
                channel=account.channel,
                provider_id=account.id,
                address=str(message.address),
                to=message.to,
                text=message.text,
                intent=message.intent,
                provider_message_id=message.provider_message_id,
            ),
        )
        for message_id, message in await insert_inbound(connection, account, stored.inbound)
    ]


def _receipts(group: Group) -> list[Outgoing]:
    records = []
    for (channel, provider), receipts in group.by_source.items():
        for start in range(0, len(receipts), RECEIPTS_PER_RECORD_MAX):
            event = ReceiptsRecorded(
                event_id=new_id(),
                occurred_at=now(),
                channel=channel,
                provider=provider,
                receipts=receipts[start : start + RECEIPTS_PER_RECORD_MAX],
            )
            records.append(Outgoing(topics.RECEIPTS, str(event.event_id), event))
    return records
