"""Which requests are the same."""

from __future__ import annotations

import hashlib
from uuid import NAMESPACE_OID, uuid5


def request_hash(method: str, target: str, body: bytes) -> bytes:
    """Equal for requests that are the same."""
    return hashlib.sha256(f"{method} {target}\n".encode() + body).digest()


def message_request_id(digest: bytes, key: str, number: int) -> str:
    """What the message of a request is known by: the same when a gateway died over it and it is made again."""
    return str(uuid5(NAMESPACE_OID, f"{digest.hex()} {number} {key}"))
