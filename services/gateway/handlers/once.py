"""Doing a write once, however often it is asked for."""

from __future__ import annotations

import asyncio
import math
import re
from base64 import b64decode
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from uuid import UUID

from pydantic import SecretStr

from services.gateway.domain.requests import Sent, digests
from services.gateway.store import answers as store
from services.gateway.store.answers import Answer
from shared.database import Transactions
from shared.http import Problem
from shared.ids import new_id
from shared.security import Seal, SealBroken, seal

_KEY = re.compile("[!-~]{1,200}")

Do = Callable[[UUID], Awaitable[Answer]]
"""Does it, given the id of its effect: whoever makes something by an id that is there has made it already."""


@dataclass(frozen=True, slots=True)
class Done:
    """The answer to tell. `is_repeated` says that nothing was done for it."""

    answer: Answer
    is_repeated: bool = False


@dataclass(frozen=True, slots=True)
class Once:
    """What was done under which key, and how it was answered; answers are kept sealed.

    A refusal is not kept: it had no effect, and is decided anew. Where nobody knows whether there was an effect,
    because the owner was silent or the gateway died, the same request is done again with the same id of its effect.
    """

    database: Transactions
    secrets_key: SecretStr

    async def do(self, user_id: str, key: str | None, sent: Sent, do: Do) -> Done:
        """Does it, or repeats the answer that it had. Without a key it is simply done."""
        if key is None:
            return Done(await do(new_id()))
        if not _KEY.fullmatch(key):
            message = "must have 1 to 200 characters of ASCII, without spaces"
            raise Problem(422, "Invalid input", errors=[{"field": "Idempotency-Key", "message": message}])
        digest = digests(self.secrets_key.get_secret_value()).of(sent)
        async with self.database.transaction() as connection:
            claim = await store.claim_request(connection, user_id, key, sent.path, digest, new_id())
        if not claim.same_request:
            raise Problem(422, "Idempotency-Key was used for another request", "use a new key for a new request")
        if claim.answer is not None:
            return Done(self._opened(claim.answer), is_repeated=True)
        if claim.effect_id is None:
            detail = "the first request with this Idempotency-Key has not been answered yet"
            later = {"Retry-After": str(max(1, math.ceil(claim.age_seconds)))}
            raise Problem(409, "Still in progress", detail, headers=later)
        answer: Answer | None = None
        is_sure = False
        try:
            answer = await do(claim.effect_id)
            is_sure = answer.status < 500
        except Problem as problem:
            is_sure = problem.status < 500
            raise
        finally:
            if answer is None or answer.status >= 400:
                await asyncio.shield(self._give_back(user_id, key, is_sure))
        if answer.status < 400:
            async with self.database.transaction() as connection:
                await store.mark_answered(connection, user_id, key, self._closed(answer))
        return Done(answer)

    async def forget(self, user_id: str, *beginnings: str) -> None:
        """Repeats no answer of paths that begin so any more."""
        async with self.database.transaction() as connection:
            await store.delete_about(connection, user_id, beginnings)

    async def _give_back(self, user_id: str, key: str, is_sure: bool) -> None:
        async with self.database.transaction() as connection:
            await store.give_back(connection, user_id, key, is_sure)

    @property
    def _seal(self) -> Seal:
        return seal(self.secrets_key.get_secret_value())

    def _closed(self, answer: Answer) -> Answer:
        return replace(answer, body=self._seal.close({"body": answer.body}))

    def _opened(self, kept: Answer) -> Answer:
        try:
            return replace(kept, body=b64decode(str(self._seal.open(kept.body)["body"])))
        except SealBroken:
            detail = "it was done, but its answer was sealed with a SECRETS_KEY that is gone: look at what there is"
            raise Problem(409, "The first answer cannot be repeated", detail) from None
