"""Metrics of the delivery_receipt service."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

CALLBACKS = Counter(
    "delivery_receipt_callbacks_total",
    "Callbacks by provider and result: taken, empty (states nothing of interest), rejected (genuine and kept, but not"
    " understood), forged, unsigned (will come again with a signature), unjudged (the vendor's certificate cannot be"
    " had), unvisited (a confirmation could not be made), unknown, oversize, busy, unstored. Forged ones mean an attack"
    " or a wrong signing secret.",
    ["provider", "result"],
)
RECEIPTS = Counter(
    "delivery_receipt_receipts_total", "What the callbacks stated, by channel and kind.", ["channel", "kind"]
)
WAITING = Gauge(
    "delivery_receipt_waiting_callbacks", "Callbacks not yet written. Near the limit providers are told to come later."
)
GROUP_SIZE = Histogram(
    "delivery_receipt_group_callbacks",
    "Callbacks written in one transaction. Full groups mean that PostgreSQL is the limit.",
    buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500),
)
