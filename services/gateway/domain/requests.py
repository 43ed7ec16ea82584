"""Which requests are the same."""

from __future__ import annotations

import hashlib


def request_hash(method: str, target: str, body: bytes) -> bytes:
    """Equal for requests that are the same."""
    return hashlib.sha256(f"{method} {target}\n".encode() + body).digest()
