"""Short signed codes for the links in messages: each names a recipient, a tracked one also the link."""

from __future__ import annotations

import base64
import hmac
from dataclasses import dataclass
from hashlib import blake2b
from uuid import UUID

from contracts.channels import CHANNELS

CODE_CHARACTERS_MAX = 64
"""Of anything longer only the beginning is looked at."""

_RECIPIENT_BYTES = 15
"""Of a recipient's id; the last byte is zero (`shared.ids.new_id`)."""


@dataclass(frozen=True, slots=True)
class LinkKind:
    """What a code is for; one of another kind is not recognised. Sizes in bytes; three of them take four characters."""

    purpose: bytes
    number_bytes: int
    signature_bytes: int


PREFERENCES = LinkKind(b"preferences", number_bytes=0, signature_bytes=7)
TRACKED = LinkKind(b"tracked", number_bytes=4, signature_bytes=5)


@dataclass(frozen=True, slots=True)
class Named:
    """What a code names; `number` is the tracked link's."""

    channel: str
    recipient_id: UUID
    number: int


@dataclass(frozen=True, slots=True, repr=False)
class LinkCodes:
    """Signs with the newest key and recognises what any of the keys has signed, newest first."""

    keys: tuple[bytes, ...]

    def make(self, kind: LinkKind, channel: str, recipient_id: UUID, number: int = 0) -> str:
        """The code: URL-safe, without anything about the person in it."""
        payload = recipient_id.bytes[:_RECIPIENT_BYTES] + number.to_bytes(kind.number_bytes, "big")
        return _signed(self.keys[0], kind, channel, payload)

    def read(self, kind: LinkKind, code: str) -> Named | None:
        """What the code names, or None for anything that we did not sign; the same work for every code."""
        given = code[:CODE_CHARACTERS_MAX].encode("utf-8", "replace")
        payload = _payload(kind, given)
        found = None
        for key in self.keys:
            for channel in CHANNELS:
                if hmac.compare_digest(given, _signed(key, kind, channel, payload).encode()):
                    found = channel
        if found is None or len(code) > CODE_CHARACTERS_MAX:
            return None
        recipient_id = UUID(bytes=payload[:_RECIPIENT_BYTES] + b"\0")
        return Named(found, recipient_id, int.from_bytes(payload[_RECIPIENT_BYTES:], "big"))


def _signed(key: bytes, kind: LinkKind, channel: str, payload: bytes) -> str:
    signature = blake2b(payload + channel.encode(), key=key, person=kind.purpose, digest_size=kind.signature_bytes)
    return base64.urlsafe_b64encode(payload + signature.digest()).rstrip(b"=").decode()


def _payload(kind: LinkKind, code: bytes) -> bytes:
    size = _RECIPIENT_BYTES + kind.number_bytes
    try:
        raw = base64.urlsafe_b64decode(code + b"=" * (-len(code) % 4))
    except ValueError:
        raw = b""
    return raw[:size].ljust(size, b"\0")


def link_codes(secrets_key: str) -> LinkCodes:
    """Codes signed with the first of the `SECRETS_KEY` list; they hold for as long as their key stays in the list."""
    return LinkCodes(
        tuple(blake2b(key.strip().encode(), person=b"links", digest_size=32).digest() for key in secrets_key.split(","))
    )
