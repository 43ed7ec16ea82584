"""API keys: making, finding."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import datetime

from services.gateway.domain.keys import ApiKey, hash_secret, make_key, split_key
from services.gateway.store import keys as store
from shared.codec import now
from shared.database import Database
from shared.http import Problem

KEY_CACHE_SECONDS = 5.0
KEY_CACHE_MAX = 10_000


@dataclass(slots=True)
class Keys:
    """API keys, remembered for a few seconds."""

    database: Database
    _known: dict[str, tuple[float, ApiKey | None]] = field(default_factory=dict)

    async def find(self, authorization: str | None) -> ApiKey:
        """The key of a request; a 401 problem when there is none that opens."""
        kind, _, given = (authorization or "").partition(" ")
        parts = split_key(given.strip()) if kind.lower() == "bearer" else None
        key = None if parts is None else await self._find(parts[0])
        if parts is None or key is None or not key.is_valid(parts[1], now()):
            headers = {"WWW-Authenticate": "Bearer"}
            detail = "send Authorization: Bearer <api key>, with a key that is neither revoked nor expired"
            raise Problem(401, "Not signed in", detail, headers=headers)
        return key

    async def _find(self, prefix: str) -> ApiKey | None:
        at, key = self._known.get(prefix, (0.0, None))
        if at and time.monotonic() - at < KEY_CACHE_SECONDS:
            return key
        async with self.database.pool.connection() as connection:
            key = await store.find_key(connection, prefix)
        if len(self._known) >= KEY_CACHE_MAX:
            self._known.clear()
        self._known[prefix] = (time.monotonic(), key)
        return key


async def create_key(
    database: Database, user_id: str, name: str, scopes: list[str], expires_at: datetime | None
) -> str:
    """Makes a key and returns it; it cannot be read again."""
    key, prefix, secret = make_key()
    async with database.transaction() as connection:
        await store.insert_key(connection, user_id, name, prefix, hash_secret(secret), scopes, expires_at)
    return key
