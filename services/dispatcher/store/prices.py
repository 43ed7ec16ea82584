"""Messages in their final state whose price is still to be asked for."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from contracts.channels import Channel
from shared.database import Connection


async def insert_price_questions(
    connection: Connection, channel: Channel, recipient_ids: Sequence[UUID], after_seconds: float
) -> None:
    """Notes that these messages, as far as the vendor's id of them is known, are to be asked for by then; once."""
    table = f"{channel.name}_campaign_recipients"
    await connection.execute(
        f"""
        INSERT INTO price_questions (recipient_id, channel, user_id, account_id, provider_message_id, attempted_at,
                                     due_at)
        SELECT r.id, l.channel, r.user_id, coalesce(l.provider_id, c.provider_id), r.provider_message_id,
               r.attempted_at, clock_timestamp() + %b * interval '1 second'
        FROM {table} r JOIN lots l ON l.id = r.lot_id LEFT JOIN campaigns c ON c.id = l.campaign_id
        WHERE r.id = ANY (%b) AND r.provider_message_id IS NOT NULL
        ORDER BY r.id
        ON CONFLICT DO NOTHING
        """,  # noqa: S608
        (after_seconds, list(recipient_ids)),
    )


@dataclass(frozen=True, slots=True)
class PriceQuestion:
    """One message of those that are asked for together."""

    recipient_id: UUID
    provider_message_id: str
    attempted_at: datetime
    final_at: datetime


@dataclass(frozen=True, slots=True)
class PriceQuestions:
    """Messages of one account. `account_id` is None where the tenant's first account was meant."""

    channel: str
    user_id: str
    account_id: UUID | None
    questions: list[PriceQuestion]


async def claim_price_questions(
    connection: Connection, held: Collection[str], rows_max: int, first_seconds: float, most_seconds: float
) -> PriceQuestions | None:
    """Takes due questions of one account, or one that has to be asked alone; passes tenants in `held` by.

    They are due again, each after doubling times, unless `delete_price_questions` says that they are answered: so a
    claimer that dies leaves nothing behind.
    """
    cursor = await connection.execute(
        """
        WITH first AS (
            SELECT * FROM price_questions WHERE due_at <= clock_timestamp() AND user_id <> ALL (%(held)b)
            ORDER BY due_at LIMIT 1
        ), picked AS (
            SELECT q.recipient_id FROM price_questions q
            JOIN first f ON q.channel = f.channel AND q.user_id = f.user_id AND q.is_alone = f.is_alone
                AND q.account_id IS NOT DISTINCT FROM f.account_id
            WHERE q.due_at <= clock_timestamp()
            ORDER BY q.due_at, q.recipient_id
            LIMIT (SELECT CASE WHEN is_alone THEN 1 ELSE %(rows_max)b END FROM first) FOR UPDATE OF q SKIP LOCKED
        )
        UPDATE price_questions q SET
            asked = least(q.asked, 30) + 1,
            due_at = clock_timestamp()
                     + least(%(first)b * power(2, least(q.asked, 30)), %(most)b) * interval '1 second'
        FROM picked WHERE q.recipient_id = picked.recipient_id
        RETURNING q.channel, q.user_id, q.account_id, q.recipient_id, q.provider_message_id, q.attempted_at, q.final_at
        """,
        {"held": list(held), "rows_max": rows_max, "first": first_seconds, "most": most_seconds},
    )
    rows = await cursor.fetchall()
    if not rows:
        return None
    channel, user_id, account_id, *_ = rows[0]
    return PriceQuestions(channel, user_id, account_id, [PriceQuestion(*row[3:]) for row in rows])


async def find_asked(
    connection: Connection, channel: str, user_id: str, message_ids: Collection[str]
) -> dict[UUID, str]:
    """Whose messages these are, of the tenant's that are to be asked for."""
    cursor = await connection.execute(
        """
        SELECT recipient_id, provider_message_id FROM price_questions
        WHERE provider_message_id = ANY (%b) AND user_id = %b AND channel = %b
        """,
        (list(message_ids), user_id, channel),
    )
    return {row[0]: row[1] for row in await cursor.fetchall()}


async def mark_alone(connection: Connection, recipient_ids: Sequence[UUID]) -> None:
    """Lets messages that were not found among others be asked for one by one, from now on."""
    await connection.execute(
        "UPDATE price_questions SET is_alone = true, due_at = clock_timestamp() WHERE recipient_id = ANY (%b)",
        (list(recipient_ids),),
    )


async def delete_price_questions(connection: Connection, recipient_ids: Sequence[UUID]) -> int:
    """Ends questions, answered or given up, in order of id; says how many there were."""
    cursor = await connection.execute(
        """
        DELETE FROM price_questions WHERE recipient_id IN (
            SELECT recipient_id FROM price_questions WHERE recipient_id = ANY (%b) ORDER BY recipient_id FOR UPDATE)
        """,
        (list(recipient_ids),),
    )
    return cursor.rowcount
