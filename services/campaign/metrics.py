"""Metrics of the campaign service."""

from __future__ import annotations

from prometheus_client import Counter

TRANSITIONS = Counter(
    "campaign_transitions_total", "Campaigns that changed their state, by the state they went to.", ["channel", "to"]
)
