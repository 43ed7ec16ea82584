"""Callbacks as they came, and those among them that could not be read."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
import psycopg

from services.delivery_receipt.domain import NOT_KNOWN_YET, Callback, Reading
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


class Rejection(msgspec.Struct, frozen=True, gc=False):
    """A kept callback that could not be read; the reason is its reading's problem."""

    batch_id: UUID
    number: int
    callback: Callback


def is_about_data(error: BaseException) -> bool:
    """True where PostgreSQL refuses a value, not the transaction as such."""
    return isinstance(error, psycopg.DataError | psycopg.IntegrityError)


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
