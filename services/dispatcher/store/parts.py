"""What is known of the parts of long texts, where receipts come part by part."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from contracts.channels import Channel
from contracts.events import Receipt
from services.dispatcher.domain import RECEIPT_RANK
from shared.database import Connection

_RANK = " ".join(f"WHEN '{kind}' THEN {rank}" for kind, rank in RECEIPT_RANK.items())


async def lock_parts(
    connection: Connection, channel: Channel, recipient_ids: Collection[UUID]
) -> dict[UUID, int | None]:
    """Locks these recipients in order of id, so that two parts cannot miss each other, and says of how many parts
    each one's message is: None while the sender, who will hear it from the vendor, is still at work.
    """
    cursor = await connection.execute(
        f"""
        SELECT id, CASE WHEN outcome IS NOT NULL OR status = 'queued' THEN coalesce(segments, 1) END
        FROM {channel.name}_campaign_recipients WHERE id = ANY (%b) ORDER BY id FOR UPDATE
        """,  # noqa: S608
        (sorted(recipient_ids),),
        binary=True,
    )
    return {row[0]: row[1] for row in await cursor.fetchall()}


async def insert_parts(connection: Connection, receipts: Sequence[Receipt]) -> None:
    """Keeps the best that was said about each part, in whatever order and however often it is said."""
    best: dict[tuple[UUID, str], Receipt] = {}
    for one in receipts:
        assert one.part is not None
        known = best.get((one.recipient_id, one.part))
        if known is None or RECEIPT_RANK[one.kind] > RECEIPT_RANK[known.kind]:
            best[one.recipient_id, one.part] = one
    rows = [best[key] for key in sorted(best)]
    await connection.execute(
        f"""
        INSERT INTO message_parts AS p (recipient_id, part, kind, at, error_class, code)
        SELECT * FROM unnest(%b::uuid[], %b::text[], %b::text[], %b::timestamptz[], %b::text[], %b::text[])
        ON CONFLICT (recipient_id, part) DO UPDATE SET
            kind = excluded.kind, at = excluded.at, error_class = excluded.error_class, code = excluded.code
        WHERE CASE excluded.kind {_RANK} END > CASE p.kind {_RANK} END
        """,  # noqa: S608
        (
            [one.recipient_id for one in rows],
            [one.part for one in rows],
            [one.kind for one in rows],
            [one.at for one in rows],
            [one.error_class for one in rows],
            [one.code for one in rows],
        ),
        binary=True,
    )


async def find_parts(connection: Connection, recipient_ids: Collection[UUID]) -> dict[UUID, list[Receipt]]:
    """What was said about the parts of these recipients' messages, for those of whom anything was."""
    cursor = await connection.execute(
        """
        SELECT recipient_id, part, kind, at, error_class, code FROM message_parts WHERE recipient_id = ANY (%b)
        ORDER BY at, part
        """,
        (list(recipient_ids),),
        binary=True,
    )
    found: dict[UUID, list[Receipt]] = defaultdict(list)
    for recipient_id, part, kind, at, error_class, code in await cursor.fetchall():
        found[recipient_id].append(
            Receipt(recipient_id=recipient_id, kind=kind, at=at, part=part, error_class=error_class, code=code)
        )
    return found


async def find_recipients_in_parts(connection: Connection, channel: Channel, lot_id: UUID) -> list[UUID]:
    """The recipients of a lot of whose messages some part was heard of."""
    cursor = await connection.execute(
        f"""
        SELECT DISTINCT r.id FROM lots l
        JOIN {channel.name}_campaign_recipients r ON r.id BETWEEN l.first_id AND l.last_id AND r.lot_id = l.id
        JOIN message_parts p ON p.recipient_id = r.id WHERE l.id = %b
        """,  # noqa: S608
        (lot_id,),
        binary=True,
    )
    return [row[0] for row in await cursor.fetchall()]


async def mark_segments(connection: Connection, channel: Channel, segments: Mapping[UUID, int]) -> None:
    """Notes how long the texts are that are about to be sent, for receipts that come where no answer does."""
    ids = sorted(segments)
    await connection.execute(
        f"""
        WITH locked AS MATERIALIZED (
            SELECT r.id, s.segments FROM {channel.name}_campaign_recipients r
            JOIN unnest(%b::uuid[], %b::smallint[]) AS s (id, segments) ON s.id = r.id
            ORDER BY r.id FOR UPDATE OF r
        )
        UPDATE {channel.name}_campaign_recipients r SET segments = l.segments FROM locked l WHERE r.id = l.id
        """,  # noqa: S608
        (ids, [segments[one] for one in ids]),
        binary=True,
    )


async def delete_parts(connection: Connection, kept_days: int, rows_max: int) -> int:
    """Forgets the oldest parts of which nothing more will be heard; says how many."""
    cursor = await connection.execute(
        """
        DELETE FROM message_parts WHERE ctid = ANY (ARRAY(
            SELECT ctid FROM message_parts WHERE heard_at < now() - %b * interval '1 day'
            ORDER BY heard_at LIMIT %b FOR UPDATE SKIP LOCKED))
        """,
        (kept_days, rows_max),
    )
    return cursor.rowcount
