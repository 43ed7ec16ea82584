"""Recipients of messages that providers know by nothing but their own id."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from services.delivery_receipt.domain import MessageKey
from shared.database import Connection


async def insert_recipients(connection: Connection, recipients: Mapping[MessageKey, UUID]) -> None:
    """Keeps the recipient of each message; what is known already stays."""
    keys = sorted(recipients)
    await connection.execute(
        """
        INSERT INTO message_references (user_id, channel, provider, provider_message_id, recipient_id)
        SELECT * FROM unnest(%b::text[], %b::text[], %b::text[], %b::text[], %b::uuid[]) ON CONFLICT DO NOTHING
        """,
        (*_columns(keys), [recipients[key] for key in keys]),
    )


async def find_recipients(connection: Connection, keys: Collection[MessageKey]) -> dict[MessageKey, UUID]:
    """The recipients of those messages that are known."""
    cursor = await connection.execute(
        """
        SELECT user_id, channel, provider, provider_message_id, recipient_id
        FROM unnest(%b::text[], %b::text[], %b::text[], %b::text[])
            AS k (user_id, channel, provider, provider_message_id)
        JOIN message_references USING (user_id, channel, provider, provider_message_id)
        """,
        _columns(sorted(keys)),
        binary=True,
    )
    return {(row[0], row[1], row[2], row[3]): row[4] for row in await cursor.fetchall()}


def _columns(keys: Sequence[MessageKey]) -> tuple[list[str], ...]:
    return tuple([key[position] for key in keys] for position in range(4))


async def delete_recipients(connection: Connection, kept_days: int, rows_max: int) -> None:
    """Forgets the oldest of those that no receipt can mean any more."""
    await connection.execute(
        """
        DELETE FROM message_references WHERE ctid = ANY (ARRAY(
            SELECT ctid FROM message_references WHERE made_at < now() - %b * interval '1 day'
            ORDER BY made_at LIMIT %b FOR UPDATE SKIP LOCKED))
        """,
        (kept_days, rows_max),
    )
