"""Metrics of the analytics service."""

from __future__ import annotations

from prometheus_client import Counter

EVENTS = Counter("analytics_events_total", "Events written to the log, each counted once.", ["channel", "event_type"])
