"""Everything that this service asks of PostgreSQL."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
import psycopg

from contracts.events import InboundMessageReceived, ProviderChanged, TrackedLink
from services.delivery_receipt.domain import NOT_KNOWN_YET, Account, Callback, MessageKey, Reading
from services.delivery_receipt.tables import CALLBACKS
from shared.database import Connection

_INSERT_BATCH = f"""
    WITH raw AS (
        INSERT INTO callbacks (batch_id, number, {", ".join(CALLBACKS)})
        SELECT %b::uuid, * FROM unnest(%b::smallint[], {", ".join(f"%b::{kind}[]" for kind in CALLBACKS.values())})
    )
    INSERT INTO callback_batches (id, callbacks, receipts, inbound, rejected) VALUES (%b, %b, %b, %b, %b)
"""  # noqa: S608


_EARLY_FIRST, _EARLY_MAX = "1 second", "1 hour"
"""When a receipt that came before the news of its message is tried again first, and for how long so often."""


class SealedAccount(msgspec.Struct, frozen=True):
    """A row of `accounts`. `previous` is what was sealed before; it verifies callbacks until `previous_until`."""

    account: Account
    version: int
    sealed: bytes
    previous: bytes | None = None
    previous_until: datetime | None = None


class Rejection(msgspec.Struct, frozen=True, gc=False):
    """A kept callback that could not be read; the reason is its reading's problem."""

    batch_id: UUID
    number: int
    callback: Callback


def is_about_data(error: BaseException) -> bool:
    """True where PostgreSQL refuses a value, not the transaction as such."""
    return isinstance(error, psycopg.DataError | psycopg.IntegrityError)


# --- callbacks -------------------------------------------------------------------------------------------------------


async def insert_callbacks(connection: Connection, batch_id: UUID, callbacks: Sequence[Callback]) -> None:
    """Writes one batch; the rejected ones among them are listed for another try."""
    rejected = [(number, one) for number, one in enumerate(callbacks) if one.reading.problem is not None]
    await connection.execute(
        _INSERT_BATCH,
        (
            batch_id,
            list(range(len(callbacks))),
            *([getattr(one, name) for one in callbacks] for name in CALLBACKS),
            batch_id,
            len(callbacks),
            sum(len(one.reading.receipts) for one in callbacks),
            sum(len(one.reading.inbound) for one in callbacks),
            len(rejected),
        ),
    )
    if rejected:
        await connection.execute(
            """
            INSERT INTO rejections (batch_id, number, reason)
            SELECT %b::uuid, * FROM unnest(%b::smallint[], %b::text[])
            """,
            (batch_id, [number for number, _ in rejected], [one.reading.problem for _, one in rejected]),
        )


_OPEN_REJECTIONS = """
    SELECT c.batch_id, c.number, c.provider, c.channel, c.account_id, c.user_id, c.received_at, c.target, c.headers,
           c.body, r.reason
    FROM rejections r JOIN callbacks c USING (batch_id, number)
    WHERE r.converted_at IS NULL AND {condition}
    ORDER BY r.tried_at LIMIT %b FOR UPDATE OF r SKIP LOCKED
"""


async def claim_rejections(connection: Connection, tried_before: datetime, rows_max: int) -> list[Rejection]:
    """Locks callbacks that are still unread and were last tried before then; other claimers pass them by."""
    query = _OPEN_REJECTIONS.format(condition="r.tried_at < %b")
    cursor = await connection.execute(query, (tried_before, rows_max), binary=True)
    return [Rejection(row[0], row[1], _unread(row[2:])) for row in await cursor.fetchall()]


async def claim_early(connection: Connection, rows_max: int) -> list[Rejection]:
    """The same for those that may have come before the news of their message: each after doubling times."""
    condition = f"""
        r.reason = %b AND r.rejected_at > now() - interval '{_EARLY_MAX}'
        AND r.tried_at + greatest(r.tried_at - r.rejected_at, interval '{_EARLY_FIRST}') < now()
    """
    query = _OPEN_REJECTIONS.format(condition=condition)
    cursor = await connection.execute(query, (NOT_KNOWN_YET, rows_max), binary=True)
    return [Rejection(row[0], row[1], _unread(row[2:])) for row in await cursor.fetchall()]


def _unread(row: tuple[Any, ...]) -> Callback:
    provider, channel, account_id, user_id, received_at, target, headers, body, reason = row
    reading = Reading(problem=reason)
    return Callback(provider, channel, account_id, user_id, received_at, target, headers, body, reading)


async def mark_tried(connection: Connection, tried: Sequence[tuple[UUID, int, str | None]]) -> None:
    """Notes for each (batch, number) why it is still unread, or with None that it is converted."""
    if tried:
        await connection.execute(
            """
            UPDATE rejections r SET tried_at = clock_timestamp(), reason = coalesce(t.reason, r.reason),
                                    converted_at = CASE WHEN t.reason IS NULL THEN clock_timestamp() END
            FROM unnest(%b::uuid[], %b::smallint[], %b::text[]) AS t (batch_id, number, reason)
            WHERE r.batch_id = t.batch_id AND r.number = t.number
            """,
            ([one[0] for one in tried], [one[1] for one in tried], [one[2] for one in tried]),
        )


async def delete_callbacks(connection: Connection, kept_days: int, batches_max: int) -> int:
    """Deletes the oldest batches that are out of their time; says how many."""
    cursor = await connection.execute(
        """
        WITH old AS (
            SELECT id FROM callback_batches WHERE received_at < now() - %b * interval '1 day'
            ORDER BY received_at LIMIT %b FOR UPDATE SKIP LOCKED
        ), callbacks_gone AS (
            DELETE FROM callbacks USING old WHERE batch_id = old.id
        ), rejections_gone AS (
            DELETE FROM rejections USING old WHERE batch_id = old.id
        )
        DELETE FROM callback_batches b USING old WHERE b.id = old.id
        """,
        (kept_days, batches_max),
    )
    return cursor.rowcount


# --- messages that providers know by nothing but their own id ---------------------------------------------------------


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


# --- links whose clicks are counted -----------------------------------------------------------------------------------


async def insert_links(connection: Connection, links: Sequence[tuple[str, TrackedLink]]) -> None:
    """Keeps where links (with their tenant) lead; one that is known stays as it is."""
    await connection.execute(
        """
        INSERT INTO tracked_links (number, user_id, destination)
        SELECT * FROM unnest(%b::bigint[], %b::text[], %b::text[]) ON CONFLICT DO NOTHING
        """,
        (
            [link.number for _, link in links],
            [user_id for user_id, _ in links],
            [link.destination for _, link in links],
        ),
    )


async def find_destination(connection: Connection, number: int) -> str | None:
    """Where the link leads."""
    cursor = await connection.execute("SELECT destination FROM tracked_links WHERE number = %b", (number,), binary=True)
    row = await cursor.fetchone()
    return None if row is None else row[0]


# --- inbound messages ------------------------------------------------------------------------------------------------


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
        (
            [one.event_id for one in ordered],
            [one.user_id for one in ordered],
            [one.channel for one in ordered],
            [one.provider_id for one in ordered],
            [str(one.address) for one in ordered],
            [one.to for one in ordered],
            [one.text for one in ordered],
            [one.intent for one in ordered],
            [one.provider_message_id for one in ordered],
            [one.occurred_at for one in ordered],
        ),
        binary=True,
    )
    return {row[0] for row in await cursor.fetchall()}


# --- accounts --------------------------------------------------------------------------------------------------------


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
