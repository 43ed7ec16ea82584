"""Answers of writes that were done, to repeat them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from shared.database import Connection

ABANDONED_SECONDS = 120
"""A claim this old was left by a gateway that died; the request may be tried again."""


@dataclass(frozen=True, slots=True, repr=False)
class Answer:
    """An answer to repeat byte for byte."""

    status: int
    content_type: str
    body: bytes
    location: str | None = None
    """Of an answer that leads on, which none that is repeated does."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What is known of an idempotency key: ours to do (then it has the id of the effect), answered, in flight for so
    long, or used for something else."""

    effect_id: UUID | None = None
    same_request: bool = True
    answer: Answer | None = None
    age_seconds: float = 0.0


async def claim_request(
    connection: Connection, user_id: str, key: str, path: str, request_hash: bytes, effect_id: UUID
) -> Claim:
    """Claims the key for this request, once. What may have been done already keeps the id of its effect."""
    cursor = await connection.execute(
        """
        INSERT INTO idempotency_keys (user_id, key, request_hash, path, effect_id)
        VALUES (%(user)b, %(key)b, %(hash)b, %(path)b, %(effect)b)
        ON CONFLICT (user_id, key) DO UPDATE SET
            claimed_at = clock_timestamp(), is_free = false, is_unsure = true,
            effect_id = coalesce(idempotency_keys.effect_id, excluded.effect_id)
        WHERE idempotency_keys.status IS NULL AND idempotency_keys.request_hash = %(hash)b
          AND (idempotency_keys.is_free
               OR idempotency_keys.claimed_at < clock_timestamp() - %(abandoned)b * interval '1 second')
        RETURNING effect_id
        """,
        {
            "user": user_id,
            "key": key,
            "hash": request_hash,
            "path": path,
            "effect": effect_id,
            "abandoned": ABANDONED_SECONDS,
        },
    )
    if claimed := await cursor.fetchone():
        return Claim(claimed[0])
    cursor = await connection.execute(
        """
        SELECT request_hash, status, content_type, body,
               extract(epoch FROM clock_timestamp() - claimed_at)::float8
        FROM idempotency_keys WHERE user_id = %b AND key = %b
        """,
        (user_id, key),
    )
    row = await cursor.fetchone()
    if row is None:
        return Claim()
    answer = None if row[1] is None else Answer(row[1], row[2], row[3])
    return Claim(same_request=row[0] == request_hash, answer=answer, age_seconds=row[4])


async def mark_answered(connection: Connection, user_id: str, key: str, answer: Answer) -> None:
    """Keeps the answer for those who ask again."""
    await connection.execute(
        "UPDATE idempotency_keys SET status = %b, content_type = %b, body = %b WHERE user_id = %b AND key = %b",
        (answer.status, answer.content_type, answer.body, user_id, key),
    )


async def give_back(connection: Connection, user_id: str, key: str, is_sure: bool) -> None:
    """Lets the request be tried again, because it surely had no effect, or because nobody knows whether it had one.

    Once that was so, the id of the effect is kept whatever comes.
    """
    if is_sure:
        await connection.execute(
            "DELETE FROM idempotency_keys WHERE user_id = %b AND key = %b AND status IS NULL AND NOT is_unsure",
            (user_id, key),
        )
    await connection.execute(
        """
        UPDATE idempotency_keys SET is_free = true, is_unsure = true
        WHERE user_id = %b AND key = %b AND status IS NULL
        """,
        (user_id, key),
    )


async def delete_about(connection: Connection, user_id: str, beginnings: Sequence[str]) -> None:
    """Forgets the answers to requests whose paths begin so."""
    await connection.execute(
        """
        DELETE FROM idempotency_keys
        WHERE user_id = %b AND EXISTS (SELECT FROM unnest(%b::text[]) AS beginning WHERE starts_with(path, beginning))
        """,
        (user_id, list(beginnings)),
    )


async def delete_old_answers(connection: Connection, hours: int) -> None:
    """Forgets answers older than that."""
    await connection.execute("DELETE FROM idempotency_keys WHERE claimed_at < now() - %b * interval '1 hour'", (hours,))
