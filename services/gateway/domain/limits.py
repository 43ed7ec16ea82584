"""How many requests a caller may make."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

LEASE_SECONDS = 1.0
"""A replica takes the requests of so long from the caller's bucket at once; that is how far replicas can differ."""


@dataclass(frozen=True, slots=True)
class Rate:
    """A bucket that holds the requests of one minute and is refilled evenly."""

    per_minute: int

    @property
    def per_second(self) -> float:
        """How fast it is refilled."""
        return self.per_minute / 60

    @property
    def lease(self) -> int:
        """How many requests a replica takes from it at once."""
        return max(1, math.floor(self.per_second * LEASE_SECONDS))


@dataclass(frozen=True, slots=True)
class Standing:
    """What a caller has left. `wait_seconds` is 0 for a request that may be made."""

    rate: Rate
    remaining: int
    wait_seconds: int = 0

    @property
    def headers(self) -> dict[str, str]:
        """For the caller to read; `Reset` is when all of the minute's requests are there again, in seconds."""
        reset = math.ceil((self.rate.per_minute - self.remaining) / self.rate.per_second)
        return {
            "RateLimit-Limit": str(self.rate.per_minute),
            "RateLimit-Remaining": str(self.remaining),
            "RateLimit-Reset": str(reset),
        }


def seconds_of_day_left(at: datetime) -> int:
    """Until the next day begins, in UTC; at least one."""
    tomorrow = datetime.combine(at.astimezone(UTC).date() + timedelta(days=1), time(), UTC)
    return math.ceil((tomorrow - at).total_seconds()) or 1
