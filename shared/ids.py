"""Identifiers that sort by time (UUIDv7, RFC 9562) and rise strictly within a process."""

from __future__ import annotations

import os
import time
from uuid import UUID

_VERSION_AND_VARIANT = (7 << 76) | (2 << 62)
_last = 0


def new_id() -> UUID:
    """A UUIDv7 whose last byte is zero, so that ids derived from it (one a byte) still sort beside it.

    48 bits of milliseconds, 12 bits of sequence, 54 random bits; strictly rising within a process.
    """
    global _last
    millisecond_and_sequence = max((time.time_ns() // 1_000_000) << 12, _last + 1)
    _last = millisecond_and_sequence
    high = ((millisecond_and_sequence >> 12) << 80) | ((millisecond_and_sequence & 0xFFF) << 64)
    low = int.from_bytes(os.urandom(7), "big") & ((1 << 54) - 1)
    return UUID(int=high | _VERSION_AND_VARIANT | (low << 8))
