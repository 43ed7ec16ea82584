"""What an operator can read off the simulator."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

REQUESTS = Counter(
    "simulator_requests_total", "Sends received, by provider and what became of them.", ["provider", "result"]
)
CALLBACKS = Counter(
    "simulator_callbacks_total",
    "Callbacks by result (taken, refused, retried, given_up). Retries mean that the receiver is down.",
    ["result"],
)
CALLBACKS_WAITING = Gauge("simulator_callbacks_waiting", "Callbacks that are due later or not yet taken.")
