"""What goes wrong, for whom: decided by hash, so that the same seed and address always have the same fate."""

from __future__ import annotations

from hashlib import blake2b

import msgspec

KINDS = (
    "latency",
    "throttled",
    "server_error",
    "accept_then_error",
    "accept_then_hang",
    "accept_then_close",
    "dead_address",
    "opted_out_address",
    "undelivered",
    "lost_receipt",
    "late_receipt",
    "duplicate_receipt",
    "early_receipt",
    "reordered_receipt",
    "intermediate_receipt",
    "app_delivered",
    "app_opened",
    "app_clicked",
    "refused_stream",
    "goaway",
)
"""Append only: the position decides which bytes of the hash a kind reads."""

DEFAULT_RATES = {"app_delivered": 1.0, "app_opened": 0.3, "app_clicked": 0.1}
SECONDS_MAX = 120.0

_BYTES = 3
_RANGE = 1 << (8 * _BYTES)

Fate = int
"""A set of kinds, one bit each."""

BIT = {kind: 1 << position for position, kind in enumerate(KINDS)}

(
    LATENCY,
    THROTTLED,
    SERVER_ERROR,
    ACCEPT_THEN_ERROR,
    ACCEPT_THEN_HANG,
    ACCEPT_THEN_CLOSE,
    DEAD_ADDRESS,
    OPTED_OUT_ADDRESS,
    UNDELIVERED,
    LOST_RECEIPT,
    LATE_RECEIPT,
    DUPLICATE_RECEIPT,
    EARLY_RECEIPT,
    REORDERED_RECEIPT,
    INTERMEDIATE_RECEIPT,
    APP_DELIVERED,
    APP_OPENED,
    APP_CLICKED,
    REFUSED_STREAM,
    GOAWAY,
) = BIT.values()

ONCE = THROTTLED | SERVER_ERROR | ACCEPT_THEN_ERROR | ACCEPT_THEN_HANG | ACCEPT_THEN_CLOSE | REFUSED_STREAM | GOAWAY
"""Kinds that meet an address only the first time, so that a later attempt can succeed."""


class Faults(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Rates by kind from 0 to 1, of addresses; how long the slow kinds take, and after which time a price is known."""

    seed: int = 1
    rates: dict[str, float] = {}
    receipt_seconds: float = 0.05
    late_seconds: float = 3.0
    latency_seconds: float = 0.5
    hang_seconds: float = 30.0
    retry_after_seconds: int = 1
    price_seconds: float = 2.0


def problems_of(faults: Faults) -> list[tuple[str, str]]:
    """What is wrong, field by field."""
    found = []
    for kind, rate in faults.rates.items():
        if kind not in BIT:
            found.append((f"rates.{kind}", f"is not a kind of fault; there are {', '.join(KINDS)}"))
        elif not 0 <= rate <= 1:
            found.append((f"rates.{kind}", "must be from 0 to 1"))
    for name in (
        "receipt_seconds",
        "late_seconds",
        "latency_seconds",
        "hang_seconds",
        "retry_after_seconds",
        "price_seconds",
    ):
        if not 0 <= getattr(faults, name) <= SECONDS_MAX:
            found.append((name, f"must be from 0 to {SECONDS_MAX:.0f}"))
    if not 0 <= faults.seed < 1 << 63:
        found.append(("seed", "must be from 0 to 2^63 - 1"))
    return found


class Fates:
    """The faults, ready to be asked thousands of times a second."""

    __slots__ = ("_key", "_thresholds", "faults")

    def __init__(self, faults: Faults) -> None:
        self.faults = faults
        self._key = faults.seed.to_bytes(8, "big")
        rates = DEFAULT_RATES | faults.rates
        self._thresholds = [
            (BIT[kind], _BYTES * position, round(rates[kind] * _RANGE))
            for position, kind in enumerate(KINDS)
            if rates.get(kind, 0) > 0
        ]

    def of(self, address: str) -> Fate:
        """What happens to messages to the address."""
        digest = blake2b(address.encode(), key=self._key, digest_size=64).digest()
        fate = 0
        for bit, start, threshold in self._thresholds:
            if int.from_bytes(digest[start : start + _BYTES], "big") < threshold:
                fate |= bit
        return fate
