"""Metrics of the dispatcher."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

OUTCOMES = Counter(
    "dispatcher_outcomes_total",
    "Attempts by outcome. A rising share of unknown or refused deserves a look at the provider.",
    ["channel", "provider", "outcome"],
)
WAITING_LOTS = Gauge(
    "dispatcher_waiting_lots",
    "Lots that wait, by reason. Due ones that do not move mean too few senders.",
    ["channel", "reason"],
)
PROVIDER_SECONDS = Histogram(
    "dispatcher_provider_seconds",
    "Time of one micro-lot at the provider, from the first request to the last answer.",
    ["channel", "provider"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
)
PROVIDER_FAULTS = Counter(
    "dispatcher_provider_faults_total",
    "Attempts that ended neither accepted nor refused for the recipient, by fault.",
    ["channel", "provider", "fault"],
)
UNMATCHED_RECEIPTS = Counter(
    "dispatcher_unmatched_receipts_total", "Receipts for recipients that are not in the ledger (erased, or not ours)."
)
PRICES = Counter(
    "dispatcher_prices_total",
    "Messages whose vendor was asked for the price later, by result: known, or given_up (the estimate stays).",
    ["channel", "provider", "result"],
)
EXPIRED_LEASES = Counter(
    "dispatcher_expired_leases_total", "Lots whose worker died or froze; their attempts became unknown."
)
