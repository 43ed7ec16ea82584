"""API keys."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime

from contracts.http.endpoints import KEY_SCOPES

PREFIX_CHARACTERS = 10
SECRET_BYTES = 24


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as it is stored; the secret itself is nowhere."""

    prefix: str
    user_id: str
    secret_hash: bytes
    scopes: frozenset[str]
    expires_at: datetime | None
    revoked_at: datetime | None

    def is_valid(self, secret: str, now: datetime) -> bool:
        """Whether this secret opens this key now."""
        if self.revoked_at is not None or (self.expires_at is not None and self.expires_at <= now):
            return False
        return hmac.compare_digest(self.secret_hash, hash_secret(secret))


def make_key() -> tuple[str, str, str]:
    """(the key to hand out, its prefix, its secret)."""
    prefix, secret = secrets.token_hex(PREFIX_CHARACTERS // 2), secrets.token_urlsafe(SECRET_BYTES)
    return f"osn_{prefix}_{secret}", prefix, secret


def split_key(key: str) -> tuple[str, str] | None:
    """(prefix, secret) of a key, None for anything else."""
    name, _, rest = key.partition("_")
    prefix, _, secret = rest.partition("_")
    return (prefix, secret) if name == "osn" and len(prefix) == PREFIX_CHARACTERS and secret else None


def hash_secret(secret: str) -> bytes:
    """What is stored: the secret is random and long, so a plain hash keeps it."""
    return hashlib.sha256(secret.encode()).digest()


def unknown_scopes(scopes: list[str]) -> list[str]:
    """Those that no key can have."""
    return sorted(set(scopes).difference(KEY_SCOPES))
