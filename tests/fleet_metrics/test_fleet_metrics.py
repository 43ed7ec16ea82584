"""The dashboard and the scrape configuration name only what the fleet really has."""

from __future__ import annotations

import json
import re
import urllib.request
from pathlib import Path

import pytest

from deploy.local.environment import SERVICES
from deploy.local.fleet import Fleet
from deploy.local.state import ROOT
from tests.fleet_metrics.promises import complaints, declared, expectations, read_query, scrape_targets, scraped

DASHBOARD = ROOT / "deploy" / "grafana" / "dashboards" / "fleet.json"
PROMETHEUS = ROOT / "deploy" / "prometheus" / "prometheus.yml"
COMPOSE = ROOT / "docker-compose.yml"
SCRAPE_SECONDS = 10


async def test_a_live_scrape_has_every_metric_and_label(fleet: Fleet) -> None:
    texts = {}
    for service in scrape_targets(PROMETHEUS):
        with urllib.request.urlopen(f"{fleet.url(service)}/metrics", timeout=SCRAPE_SECONDS) as answer:  # noqa: ASYNC210
            texts[service] = answer.read().decode()
    live = scraped(texts)
    from_code = declared(ROOT)
    known = {name: from_code.get(name) if labels is None else labels for name, labels in live.items()}
    assert complaints(expectations(DASHBOARD), known) == []


def test_the_code_declares_every_metric_and_label() -> None:
    assert complaints(expectations(DASHBOARD), declared(ROOT)) == []


def test_the_dashboard_shows_what_was_promised() -> None:
    named = {one.metric for one in expectations(DASHBOARD)}
    assert named == {
        "analytics_events_total",
        "audience_recipients_total",
        "dead_letters_total",
        "delivery_receipt_callbacks_total",
        "delivery_receipt_receipts_total",
        "dispatcher_outcomes_total",
        "dispatcher_provider_faults_total",
        "dispatcher_provider_seconds",
        "dispatcher_waiting_lots",
        "kafka_consumer_lag_records",
        "kafka_records_total",
        "outbox_oldest_age_seconds",
        "outbox_pending_records",
    }


def test_all_services_are_scraped_where_compose_runs_them() -> None:
    targets = scrape_targets(PROMETHEUS)
    assert set(targets) == set(SERVICES)
    compose = COMPOSE.read_text()
    for service, target in targets.items():
        host, _, port = target.partition(":")
        assert re.search(rf"^  {host}:\n    <<: \*service\n    command: \[{service}\]$", compose, re.MULTILINE), service
        assert port == "8000"


@pytest.mark.parametrize(
    ("query", "metrics", "labels"),
    [
        ("sum(up{job=\"fleet\"})", {"up"}, {"job"}),
        ("sum by (a, b) (rate(x_total{c!='d'}[$__rate_interval]))", {"x_total"}, {"a", "b", "c"}),
        ("histogram_quantile(0.5, sum by (le, p) (rate(y_seconds_bucket[5m])))", {"y_seconds"}, {"le", "p"}),
        ("max(z) or vector(0)", {"z"}, set()),
    ],
)  # fmt: skip
def test_queries_are_read(query: str, metrics: set[str], labels: set[str]) -> None:
    assert read_query(query) == (metrics, labels)


def test_a_wrong_metric_and_a_wrong_label_are_found(tmp_path: Path) -> None:
    target = {"expr": "sum by (colour) (outbox_pending_records)", "legendFormat": "{{colour}}"}
    panels = [{"title": "P", "targets": [target]}, {"title": "Q", "targets": [{"expr": "max(nonsense)"}]}]
    dashboard = tmp_path / "fleet.json"
    dashboard.write_text(json.dumps({"panels": panels}))
    known = scraped({"x": "# TYPE outbox_pending_records gauge\noutbox_pending_records 1\n"})
    assert complaints(expectations(dashboard), known) == [
        "P: outbox_pending_records has no label colour",
        "Q: no process has nonsense",
    ]
