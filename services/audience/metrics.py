"""Metrics of the audience service."""

from __future__ import annotations

from prometheus_client import Counter, Histogram

RECIPIENTS = Counter(
    "audience_recipients_total",
    "People and devices that campaigns looked at, by result: recipient, or the reason of the exclusion.",
    ["channel", "result"],
)
PAGE_SECONDS = Histogram(
    "audience_page_seconds",
    "Time of one page of an expansion, from the lock to the commit. Look at PostgreSQL when it grows.",
    ["channel"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0),
)
IMPORTED_ROWS = Counter(
    "audience_imported_rows_total", "Rows of imports by result: imported or rejected.", ["kind", "result"]
)
CONSENT_CHANGES = Counter(
    "audience_consent_changes_total",
    "Opt-outs and opt-ins by address, by where they came from (import, api, message, provider, preference_page).",
    ["channel", "source", "change"],
)
SEND_REQUESTS = Counter(
    "audience_send_requests_total",
    "Send requests by result: recipient, repeated, or the reason of the exclusion.",
    ["channel", "result"],
)
