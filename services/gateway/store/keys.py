"""API keys as stored."""

from __future__ import annotations

from datetime import datetime

from services.gateway.domain.keys import ApiKey
from shared.database import Connection
from shared.ids import new_id


async def insert_key(
    connection: Connection,
    user_id: str,
    name: str,
    prefix: str,
    secret_hash: bytes,
    scopes: list[str],
    expires_at: datetime | None,
) -> None:
    """Stores a new key."""
    await connection.execute(
        "INSERT INTO api_keys (id, user_id, name, prefix, secret_hash, scopes, expires_at)"
        " VALUES (%b, %b, %b, %b, %b, %b, %b)",
        (new_id(), user_id, name, prefix, secret_hash, scopes, expires_at),
    )


async def find_key(connection: Connection, prefix: str) -> ApiKey | None:
    """The key with this prefix."""
    cursor = await connection.execute(
        "SELECT prefix, user_id, secret_hash, scopes, expires_at, revoked_at FROM api_keys WHERE prefix = %b", (prefix,)
    )
    row = await cursor.fetchone()
    return None if row is None else ApiKey(row[0], row[1], row[2], frozenset(row[3]), row[4], row[5])
