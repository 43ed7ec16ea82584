"""API keys."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from uuid import UUID

PREFIX_CHARACTERS = 10
SECRET_BYTES = 24


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as it is stored; the secret itself is nowhere."""

    id: UUID
    user_id: str
    name: str
    prefix: str
    secret_hash: bytes = field(repr=False)
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    previous_secret_hash: bytes | None = field(repr=False)
    previous_until: datetime | None
    """Until when the secret from before the last rotation works, too."""

    rotation_id: UUID | None
    """Of the last rotation."""

    holders: list[UUID]
    """The persons who were shown a secret of it."""

    def is_open(self, now: datetime) -> bool:
        """Whether it is neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)

    def is_valid(self, secret: str, now: datetime) -> bool:
        """Whether this secret opens this key now."""
        given = hash_secret(secret)
        is_current = hmac.compare_digest(self.secret_hash, given)
        is_previous = (
            self.previous_secret_hash is not None
            and self.previous_until is not None
            and now < self.previous_until
            and hmac.compare_digest(self.previous_secret_hash, given)
        )
        return self.is_open(now) and (is_current or is_previous)


def make_prefix() -> str:
    """The public part of a key."""
    return secrets.token_hex(PREFIX_CHARACTERS // 2)


def make_secret() -> str:
    """The part that only the holder has."""
    return secrets.token_urlsafe(SECRET_BYTES)


def join_key(prefix: str, secret: str) -> str:
    """The key to hand out."""
    return f"osn_{prefix}_{secret}"


def split_key(key: str) -> tuple[str, str] | None:
    """(prefix, secret) of a key, None for anything else."""
    name, _, rest = key.partition("_")
    prefix, _, secret = rest.partition("_")
    return (prefix, secret) if name == "osn" and len(prefix) == PREFIX_CHARACTERS and secret else None


def hash_secret(secret: str) -> bytes:
    """What is stored: the secret is random and long, so a plain hash keeps it."""
    return sha256(secret.encode()).digest()
