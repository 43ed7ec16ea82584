"""The delivery_receipt service's SQL."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import msgspec

from contracts.events import ProviderChanged
from services.delivery_receipt.domain import Account, Stored
from shared.database import Connection
from shared.ids import new_id
from shared.providers.provider import InboundMessage

PURGE_MAX = 10_000


async def insert_callbacks(connection: Connection, callbacks: Sequence[Stored]) -> None:
    """Stores raw callbacks, exactly as they came."""
    async with connection.cursor().copy(
        "COPY callbacks (provider, account_id, target, headers, body, rejection) FROM STDIN (FORMAT binary)"
    ) as copy:
        copy.set_types(["text", "uuid", "text", "jsonb", "bytea", "text"])
        for one in callbacks:
            await copy.write_row(
                (
                    one.provider,
                    None if one.account is None else one.account.id,
                    one.target,
                    msgspec.json.encode(one.headers).decode(),
                    one.body,
                    one.rejection,
                )
            )


async def insert_inbound(
    connection: Connection, account: Account, messages: Sequence[InboundMessage]
) -> list[tuple[UUID, InboundMessage]]:
    """Stores what a customer wrote, once per message of the provider; returns the new ones with their ids."""
    fresh = []
    for message in messages:
        message_id = new_id()
        cursor = await connection.execute(
            """
            INSERT INTO inbound_messages
                (id, user_id, channel, provider_id, provider_message_id, address, sent_to, text, intent)
            VALUES (%b, %b, %b, %b, %b, %b, %b, %b, %b)
            ON CONFLICT (provider_id, provider_message_id) DO NOTHING
            """,
            (
                message_id,
                account.user_id,
                account.channel,
                account.id,
                message.provider_message_id,
                str(message.address),
                message.to,
                message.text,
                message.intent,
            ),
        )
        if cursor.rowcount:
            fresh.append((message_id, message))
    return fresh


async def mark_accounts(connection: Connection, changes: Sequence[ProviderChanged]) -> None:
    """Keeps the newest version of each account; a deleted one stays, because its receipts still come."""
    for change in changes:
        await connection.execute(
            """
            INSERT INTO accounts (id, user_id, channel, provider_type, version, sealed)
            VALUES (%b, %b, %b, %b, %b, %b)
            ON CONFLICT (id) DO UPDATE SET version = excluded.version, sealed = excluded.sealed,
                                           provider_type = excluded.provider_type
            WHERE accounts.version < excluded.version
            """,
            (
                change.provider_id,
                change.user_id,
                change.channel,
                change.provider_type,
                change.version,
                change.sealed,
            ),
        )


async def find_accounts(connection: Connection) -> list[tuple[UUID, str, str, str, bytes]]:
    """(id, user, channel, provider type, sealed values) of all accounts."""
    cursor = await connection.execute("SELECT id, user_id, channel, provider_type, sealed FROM accounts")
    return await cursor.fetchall()


async def delete_old_callbacks(connection: Connection, kept_days: int) -> int:
    """Deletes a bounded number of callbacks older than that."""
    cursor = await connection.execute(
        """
        DELETE FROM callbacks WHERE id IN (
            SELECT id FROM callbacks WHERE received_at < now() - %b * interval '1 day' ORDER BY id LIMIT %b)
        """,
        (kept_days, PURGE_MAX),
    )
    return cursor.rowcount
