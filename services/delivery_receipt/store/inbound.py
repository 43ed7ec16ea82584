"""What people write to us, whole or in parts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from contracts.events import InboundMessageReceived
from services.delivery_receipt.domain import StoredPart
from shared.database import Connection
from shared.providers.provider import InboundPart


async def insert_inbound(connection: Connection, messages: Sequence[InboundMessageReceived]) -> set[UUID]:
    """Stores messages; returns the ids of those that the provider had not told us before."""
    ordered = sorted(messages, key=lambda one: (one.provider_id.bytes, one.provider_message_id or ""))
    cursor = await connection.execute(
        """
        INSERT INTO inbound_messages
            (id, user_id, channel, provider_id, address, recipient, text, intent, provider_message_id, received_at)
        SELECT * FROM unnest(%b::uuid[], %b::text[], %b::text[], %b::uuid[], %b::text[], %b::text[], %b::text[],
                             %b::text[], %b::text[], %b::timestamptz[])
        ON CONFLICT DO NOTHING RETURNING id
        """,
        _inbound_columns(ordered),
        binary=True,
    )
    return {row[0] for row in await cursor.fetchall()}


def _inbound_columns(messages: Sequence[InboundMessageReceived]) -> tuple[list[Any], ...]:
    return (
        [one.event_id for one in messages],
        [one.user_id for one in messages],
        [one.channel for one in messages],
        [one.provider_id for one in messages],
        [str(one.address) for one in messages],
        [one.to for one in messages],
        [one.text for one in messages],
        [one.intent for one in messages],
        [one.provider_message_id for one in messages],
        [one.occurred_at for one in messages],
    )


async def insert_parts(connection: Connection, parts: Sequence[StoredPart]) -> list[StoredPart]:
    """Keeps parts that the provider had not told us before; returns all that wait of the texts that they belong to.

    Holds the accounts' locks, so that two parts that come at the same time cannot miss each other.
    """
    messages = [one.message for one in parts]
    for provider_id in sorted({one.provider_id for one in messages}):
        await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%b::text, 3))", (provider_id,))
    await connection.execute(
        """
        INSERT INTO inbound_parts (id, user_id, channel, provider_id, address, recipient, text, intent,
                                   provider_message_id, received_at, reference, number, total)
        SELECT * FROM unnest(%b::uuid[], %b::text[], %b::text[], %b::uuid[], %b::text[], %b::text[], %b::text[],
                             %b::text[], %b::text[], %b::timestamptz[], %b::text[], %b::smallint[], %b::smallint[])
        ON CONFLICT DO NOTHING
        """,
        (
            *_inbound_columns(messages),
            [one.part.reference for one in parts],
            [one.part.number for one in parts],
            [one.part.total for one in parts],
        ),
        binary=True,
    )
    return await _claim_parts(
        connection,
        """(provider_id, address, reference) IN (
            SELECT * FROM unnest(%b::uuid[], %b::text[], %b::text[]))""",
        (
            [one.provider_id for one in messages],
            [str(one.address) for one in messages],
            [one.part.reference for one in parts],
        ),
    )


async def claim_parts(connection: Connection, wait_seconds: float, rows_max: int) -> list[StoredPart]:
    """Locks the oldest parts that have waited so long; other claimers pass them by."""
    condition = "received_at < clock_timestamp() - %b * interval '1 second' ORDER BY received_at LIMIT %b"
    return await _claim_parts(connection, condition, (wait_seconds, rows_max), "SKIP LOCKED")


async def _claim_parts(
    connection: Connection, condition: str, values: Sequence[object], locking: str = ""
) -> list[StoredPart]:
    cursor = await connection.execute(
        f"""
        SELECT id, received_at, user_id, channel, provider_id, address, recipient, text, intent, provider_message_id,
               reference, number, total
        FROM inbound_parts WHERE handed_on_at IS NULL AND {condition} FOR UPDATE {locking}
        """,  # noqa: S608
        values,
        binary=True,
    )
    return [_part(*row) for row in await cursor.fetchall()]


def _part(
    event_id: UUID,
    received_at: datetime,
    user_id: str,
    channel: str,
    provider_id: UUID,
    address: str,
    to: str,
    text: str,
    intent: str,
    provider_message_id: str,
    *part: Any,
) -> StoredPart:
    message = InboundMessageReceived(
        event_id=event_id,
        occurred_at=received_at,
        user_id=user_id,
        channel=channel,
        provider_id=provider_id,
        address=address,
        to=to,
        text=text,
        intent=intent,
        provider_message_id=provider_message_id,
    )
    return StoredPart(message, InboundPart(*part))


async def mark_handed_on(connection: Connection, ids: Sequence[UUID]) -> None:
    """Says of parts that were locked that they, or the text that they make, are handed on."""
    await connection.execute(
        "UPDATE inbound_parts SET handed_on_at = clock_timestamp() WHERE id = ANY (%b)", (list(ids),)
    )


async def delete_parts(connection: Connection, kept_days: int, rows_max: int) -> None:
    """Forgets parts that were handed on so long ago that no provider will tell of them again."""
    await connection.execute(
        """
        DELETE FROM inbound_parts WHERE ctid = ANY (ARRAY(
            SELECT ctid FROM inbound_parts WHERE handed_on_at < now() - %b * interval '1 day'
            ORDER BY handed_on_at LIMIT %b FOR UPDATE SKIP LOCKED))
        """,
        (kept_days, rows_max),
    )
