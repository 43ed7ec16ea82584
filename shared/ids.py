"""Identifiers that sort by time (UUIDv7, RFC 9562) and rise strictly within a process."""

from __future__ import annotations

import os
import time
from uuid import UUID

IDS_TOGETHER_MAX = 1 << 16

_VERSION_AND_VARIANT = (7 << 76) | (2 << 62)
_last = 0


def new_id() -> UUID:
    """A UUIDv7 whose last byte is zero, so that ids derived from it (one a byte) still sort beside it.

    48 bits of milliseconds, 12 bits of sequence, 54 random bits; strictly rising within a process.
    """
    low = int.from_bytes(os.urandom(7), "big") & ((1 << 54) - 1)
    return UUID(int=_next_tick() | _VERSION_AND_VARIANT | (low << 8))


def new_ids(count: int) -> list[UUID]:
    """Up to `IDS_TOGETHER_MAX` rising ids such that no other process's ids made together lie between them.

    They share time, sequence and 38 random bits; 16 bits count. Like those of `new_id`, they end in a zero byte.
    """
    if count > IDS_TOGETHER_MAX:
        raise ValueError(f"at most {IDS_TOGETHER_MAX} ids can be made together")
    low = (int.from_bytes(os.urandom(5), "big") >> 2) << 16
    first = _next_tick() | _VERSION_AND_VARIANT | (low << 8)
    return [UUID(int=first + (number << 8)) for number in range(count)]


def _next_tick() -> int:
    global _last
    _last = max((time.time_ns() // 1_000_000) << 12, _last + 1)
    return ((_last >> 12) << 80) | ((_last & 0xFFF) << 64)


def created_at(one: UUID) -> float:
    """The time that an id of ours carries, in seconds since 1970; long ago or far away for any other."""
    return (one.int >> 80) / 1000
