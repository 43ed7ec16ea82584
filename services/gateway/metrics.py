"""Metrics of the gateway."""

from __future__ import annotations

from prometheus_client import Counter, Histogram

REQUESTS = Counter("gateway_requests_total", "Requests by owner and class of status.", ["owner", "status"])
SECONDS = Histogram(
    "gateway_request_seconds",
    "Time to answer, the owner's included.",
    ["owner"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0),
)
