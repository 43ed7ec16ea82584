"""Answers of writes that were done, to repeat them."""

from __future__ import annotations

from dataclasses import dataclass

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
    """What is known of an idempotency key: ours to do (`fresh`), answered, in flight, or used for something else."""

    fresh: bool
    same_request: bool = True
    answer: Answer | None = None


async def claim_request(connection: Connection, user_id: str, key: str, request_hash: bytes) -> Claim:
    """Claims the key for this request, once."""
    cursor = await connection.execute(
        """
        INSERT INTO idempotency_keys (user_id, key, request_hash) VALUES (%(user)b, %(key)b, %(hash)b)
        ON CONFLICT (user_id, key) DO UPDATE SET claimed_at = clock_timestamp()
        WHERE idempotency_keys.status IS NULL AND idempotency_keys.request_hash = %(hash)b
          AND idempotency_keys.claimed_at < clock_timestamp() - %(abandoned)b * interval '1 second'
        RETURNING 1
        """,
        {"user": user_id, "key": key, "hash": request_hash, "abandoned": ABANDONED_SECONDS},
    )
    if await cursor.fetchone():
        return Claim(fresh=True)
    cursor = await connection.execute(
        "SELECT request_hash, status, content_type, body FROM idempotency_keys WHERE user_id = %b AND key = %b",
        (user_id, key),
    )
    row = await cursor.fetchone()
    if row is None:
        return Claim(fresh=False)
    answer = None if row[1] is None else Answer(row[1], row[2], row[3])
    return Claim(fresh=False, same_request=row[0] == request_hash, answer=answer)


async def mark_answered(connection: Connection, user_id: str, key: str, answer: Answer) -> None:
    """Keeps the answer for those who ask again."""
    await connection.execute(
        "UPDATE idempotency_keys SET status = %b, content_type = %b, body = %b WHERE user_id = %b AND key = %b",
        (answer.status, answer.content_type, answer.body, user_id, key),
    )


async def delete_claim(connection: Connection, user_id: str, key: str) -> None:
    """Lets the request be tried again, because it had no effect."""
    await connection.execute(
        "DELETE FROM idempotency_keys WHERE user_id = %b AND key = %b AND status IS NULL", (user_id, key)
    )


async def delete_old_answers(connection: Connection, hours: int) -> None:
    """Forgets answers older than that."""
    await connection.execute("DELETE FROM idempotency_keys WHERE claimed_at < now() - %b * interval '1 hour'", (hours,))
