"""The read copy of provider accounts."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from contracts.events import ProviderChanged
from services.delivery_receipt.domain import Account
from shared.database import Connection


class SealedAccount(msgspec.Struct, frozen=True):
    """A row of `accounts`. `previous` is what was sealed before; it verifies callbacks until `previous_until`."""

    account: Account
    version: int
    sealed: bytes
    previous: bytes | None = None
    previous_until: datetime | None = None


async def mark_accounts(
    connection: Connection, events: Sequence[ProviderChanged], rotated: Collection[UUID], previous_kept_seconds: float
) -> None:
    """Keeps the newest version of each account, and for a while what was before of those that are `rotated`."""
    newest: dict[UUID, ProviderChanged] = {}
    for event in events:
        if event.provider_id not in newest or event.version > newest[event.provider_id].version:
            newest[event.provider_id] = event
    rows = [newest[provider_id] for provider_id in sorted(newest)]
    await connection.execute(
        """
        INSERT INTO accounts AS a (id, user_id, channel, provider_type, version, sealed, deleted_at)
        SELECT id, user_id, channel, provider_type, version, sealed, CASE WHEN deleted THEN clock_timestamp() END
        FROM unnest(%b::uuid[], %b::text[], %b::text[], %b::text[], %b::bigint[], %b::bytea[], %b::boolean[])
            AS n (id, user_id, channel, provider_type, version, sealed, deleted)
        ON CONFLICT (id) DO UPDATE SET
            provider_type = excluded.provider_type, version = excluded.version, sealed = excluded.sealed,
            deleted_at = excluded.deleted_at,
            previous = CASE WHEN a.id = ANY (%b::uuid[]) THEN a.sealed ELSE a.previous END,
            previous_until = CASE WHEN a.id = ANY (%b::uuid[]) THEN clock_timestamp() + %b * interval '1 second'
                                  ELSE a.previous_until END
        WHERE a.version < excluded.version
        """,
        (
            [one.provider_id for one in rows],
            [one.user_id for one in rows],
            [one.channel for one in rows],
            [one.provider_type for one in rows],
            [one.version for one in rows],
            [one.sealed for one in rows],
            [one.deleted for one in rows],
            list(rotated),
            list(rotated),
            previous_kept_seconds,
        ),
    )


async def find_accounts(connection: Connection, ids: Sequence[UUID] | None = None) -> list[SealedAccount]:
    """The accounts with these ids, or all."""
    cursor = await connection.execute(
        """
        SELECT id, user_id, channel, provider_type, version, sealed, previous, previous_until FROM accounts
        WHERE %b::uuid[] IS NULL OR id = ANY (%b::uuid[])
        """,
        (None if ids is None else list(ids),) * 2,
        binary=True,
    )
    return [SealedAccount(Account(*row[:4]), *row[4:]) for row in await cursor.fetchall()]


async def delete_accounts(connection: Connection, kept_days: int) -> list[UUID]:
    """Forgets accounts, with their credentials, that were deleted so many days ago; returns their ids."""
    cursor = await connection.execute(
        "DELETE FROM accounts WHERE deleted_at < now() - %b * interval '1 day' RETURNING id", (kept_days,), binary=True
    )
    return [row[0] for row in await cursor.fetchall()]
