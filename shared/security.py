"""Sealing of credentials, and references that we hand out and recognise when they come back."""

from __future__ import annotations

import base64
import hmac
from dataclasses import dataclass
from hashlib import blake2b
from uuid import UUID

import msgspec
from cryptography.fernet import Fernet, InvalidToken, MultiFernet

_SIGNATURE_BYTES = 10


class SealBroken(Exception):
    """A sealed value was not sealed with any of our keys."""


@dataclass(frozen=True, slots=True, repr=False)
class Seal:
    """Encrypts values at rest with `SECRETS_KEY`: one or more url-safe base64 keys of 32 bytes, newest first."""

    fernet: MultiFernet

    def close(self, values: dict[str, object]) -> bytes:
        """The values, encrypted and authenticated."""
        return self.fernet.encrypt(msgspec.json.encode(values))

    def open(self, sealed: bytes, seconds: int | None = None) -> dict[str, object]:
        """The values again; raises `SealBroken`, also for what was sealed more than so many seconds ago."""
        try:
            values: dict[str, object] = msgspec.json.decode(self.fernet.decrypt(sealed, ttl=seconds))
        except InvalidToken:
            late = "" if seconds is None else f", or more than {seconds} seconds ago"
            raise SealBroken(f"sealed with another SECRETS_KEY{late}: restore the key that sealed it") from None
        return values


def seal(secrets_key: str) -> Seal:
    """The seal for a comma-separated list of keys."""
    return Seal(MultiFernet([Fernet(key.strip()) for key in secrets_key.split(",")]))


@dataclass(frozen=True, slots=True, repr=False)
class References:
    """Signed references to recipients for callback URLs and app reports: unguessable, readable without a lookup."""

    key: bytes

    def sign(self, channel: str, recipient_id: UUID) -> str:
        """36 or so URL-safe characters that stand for the recipient."""
        payload = channel[:1].encode() + recipient_id.bytes
        return base64.urlsafe_b64encode(payload + self._signature(payload)).rstrip(b"=").decode()

    def read(self, token: str) -> tuple[str, UUID] | None:
        """Initial letter of the channel and recipient id, or None for anything we did not sign."""
        if not 30 <= len(token) <= 40:
            return None
        try:
            raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        except ValueError:
            return None
        payload, signature = raw[:17], raw[17:]
        if len(payload) != 17 or not hmac.compare_digest(signature, self._signature(payload)):
            return None
        return payload[:1].decode("latin-1"), UUID(bytes=payload[1:])

    def _signature(self, payload: bytes) -> bytes:
        return blake2b(payload, key=self.key, digest_size=_SIGNATURE_BYTES).digest()


def references(secrets_key: str) -> References:
    """References signed with a key derived from the oldest of the `SECRETS_KEY` list, which outlives a rotation."""
    oldest = secrets_key.split(",")[-1].strip()
    return References(blake2b(oldest.encode(), person=b"references", digest_size=32).digest())
