"""API keys: making, finding, rotating, revoking."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from services.gateway.domain.keys import ApiKey, hash_secret, join_key, make_prefix, make_secret, split_key
from services.gateway.handlers.recent import Recent
from services.gateway.store import keys as store
from shared.codec import now
from shared.database import Connection, Database, TenantDatabase
from shared.http import Problem


@dataclass(slots=True)
class Keys:
    """API keys. What changes here holds at once, in other replicas after `recent.SECONDS`."""

    database: Database
    used: set[UUID] = field(default_factory=set)
    """Those that opened since `mark_used`; never more than there are keys."""

    _recent: Recent[ApiKey | None] = field(default_factory=Recent)

    async def find(self, authorization: str | None) -> ApiKey | None:
        """The key of an Authorization header, if it opens."""
        parts = _parts(authorization)
        if parts is None:
            return None
        key = await self._recent.find(parts[0], lambda: self._read(parts[0]))
        if key is None or not key.is_valid(parts[1], now()):
            return None
        self.used.add(key.id)
        return key

    def is_recent(self, authorization: str | None) -> bool:
        """Whether the key can be judged without asking the database."""
        parts = _parts(authorization)
        return parts is None or self._recent.has(parts[0])

    async def create(
        self,
        key_id: UUID,
        user_id: str,
        people: frozenset[UUID],
        name: str,
        scopes: list[str],
        expires_at: datetime | None,
    ) -> tuple[ApiKey, str]:
        """The new key, and what to hand out to these people, which cannot be read again.

        A key that is there already gets another secret: nobody was told of the first one.
        """
        secret = make_secret()
        values = {
            "id": key_id,
            "user_id": user_id,
            "name": name,
            "prefix": make_prefix(),
            "secret_hash": hash_secret(secret),
            "scopes": scopes,
            "expires_at": expires_at,
            "holders": sorted(people),
        }
        async with TenantDatabase(self.database).transaction() as connection:
            made = await store.lock_key(connection, user_id, key_id)
            if made is None:
                key = await store.insert_key(connection, values)
            else:
                key = await _renewed(connection, made, secret, people)
        self._recent.forget(key.prefix)
        return key, join_key(key.prefix, secret)

    async def rotate(
        self, rotation_id: UUID, user_id: str, people: frozenset[UUID], key_id: UUID, overlap: timedelta
    ) -> tuple[ApiKey, str]:
        """The same key with a new secret. The secret of before works so long; the one before that works no more.

        The rotation that was its last is not done again, but for the secret that nobody was told.
        """
        secret = make_secret()
        async with TenantDatabase(self.database).transaction() as connection:
            key = await _locked(connection, user_id, key_id)
            if not key.is_open(now()):
                raise Problem(409, "Not possible", "a key that is revoked or expired cannot be rotated: make a new one")
            if key.rotation_id != rotation_id:
                values = {
                    "previous_secret_hash": key.secret_hash,
                    "previous_until": now() + overlap,
                    "rotation_id": rotation_id,
                }
                await store.update_key(connection, key_id, values)
            rotated = await _renewed(connection, key, secret, people)
        self._recent.forget(key.prefix)
        return rotated, join_key(key.prefix, secret)

    async def revoke(self, user_id: str, key_id: UUID) -> None:
        """The key opens nothing any more."""
        async with TenantDatabase(self.database).transaction() as connection:
            key = await _locked(connection, user_id, key_id)
            await store.update_key(connection, key_id, {"revoked_at": key.revoked_at or now()})
        self._recent.forget(key.prefix)

    async def mark_used(self) -> None:
        """Writes down which keys were used since the last time."""
        used, self.used = self.used, set()
        if used:
            async with self.database.transaction() as connection:
                await store.mark_used(connection, used, now())

    async def _read(self, prefix: str) -> ApiKey | None:
        async with self.database.pool.connection() as connection:
            return await store.find_key(connection, prefix)


def _parts(authorization: str | None) -> tuple[str, str] | None:
    kind, _, given = (authorization or "").partition(" ")
    return split_key(given.strip()) if kind.lower() == "bearer" else None


async def _renewed(connection: Connection, key: ApiKey, secret: str, people: frozenset[UUID]) -> ApiKey:
    values = {"secret_hash": hash_secret(secret), "holders": sorted(people.union(key.holders))}
    await store.update_key(connection, key.id, values)
    return await _locked(connection, key.user_id, key.id)


async def _locked(connection: Connection, user_id: str, key_id: UUID) -> ApiKey:
    key = await store.lock_key(connection, user_id, key_id)
    if key is None:
        raise Problem(404, "No such key")
    return key
