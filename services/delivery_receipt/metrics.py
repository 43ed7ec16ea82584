"""Metrics of the delivery_receipt service."""

from __future__ import annotations

from prometheus_client import Counter

CALLBACKS = Counter(
    "delivery_receipt_callbacks_total",
    "Callbacks by result: stored, unreadable (kept for later), forged, unknown_account, overload, malformed.",
    ["provider", "result"],
)
RECEIPTS = Counter("delivery_receipt_receipts_total", "Receipts passed on, by kind.", ["channel", "kind"])
