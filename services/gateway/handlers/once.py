"""Doing a write once, however often it is asked for."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable

from services.gateway.store import answers as store
from services.gateway.store.answers import Answer
from shared.database import Transactions
from shared.http import Problem

_KEY = re.compile("[!-~]{1,200}")


async def do_once(
    database: Transactions, user_id: str, key: str | None, request_hash: bytes, do: Callable[[], Awaitable[Answer]]
) -> Answer:
    """Does it, or repeats the answer that it had. Without a key it is simply done."""
    if key is None:
        return await do()
    if not _KEY.fullmatch(key):
        message = "must have 1 to 200 characters of ASCII, without spaces"
        raise Problem(422, "Invalid input", errors=[{"field": "Idempotency-Key", "message": message}])
    async with database.transaction() as connection:
        claim = await store.claim_request(connection, user_id, key, request_hash)
    if not claim.same_request:
        raise Problem(422, "Idempotency-Key was used for another request", "use a new key for a new request")
    if claim.answer is not None:
        return claim.answer
    if not claim.fresh:
        detail = "the first request with this Idempotency-Key has not been answered yet"
        raise Problem(409, "Still in progress", detail, headers={"Retry-After": "1"})
    answer: Answer | None = None
    try:
        answer = await do()
    finally:
        if answer is None or answer.status >= 500:
            await asyncio.shield(_forget(database, user_id, key))
    if answer.status < 500:
        async with database.transaction() as connection:
            await store.mark_answered(connection, user_id, key, answer)
    return answer


async def _forget(database: Transactions, user_id: str, key: str) -> None:
    async with database.transaction() as connection:
        await store.delete_claim(connection, user_id, key)
