"""What the dashboard and the scrape configuration expect, what the code declares, and what a scrape shows."""

from __future__ import annotations

import ast
import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

ADDED_BY_PROMETHEUS = {"job", "instance", "service", "le"}
"""Labels of every scraped series; `service` comes from deploy/prometheus/prometheus.yml."""

MADE_BY_PROMETHEUS = {"up"}
KINDS = {"Counter", "Gauge", "Histogram", "Summary"}
_SUFFIX = re.compile(r"_(bucket|sum|count)$")
_WORD = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_GROUPING = re.compile(r"\b(?:by|without)\s*\(([^)]*)\)")
_MATCHERS = re.compile(r"\{([^}]*)\}")
_RANGE = re.compile(r"\[[^\]]*\]")
_FUNCTION = re.compile(r"\b[a-z_]+(?=\s*\()")
_OPERATORS = {"or", "and", "unless", "on", "ignoring", "offset", "bool"}


@dataclass(frozen=True, slots=True)
class Expectation:
    """One query names a metric and labels that must exist."""

    panel: str
    metric: str
    labels: frozenset[str]


def expectations(dashboard: Path) -> Iterator[Expectation]:
    """All metrics and labels that the dashboard's queries and legends name."""
    for panel in json.loads(dashboard.read_text())["panels"]:
        for target in panel.get("targets", []):
            metrics, labels = read_query(target["expr"])
            legend = set(re.findall(r"\{\{\s*(\w+)\s*\}\}", target.get("legendFormat", "")))
            for metric in metrics - MADE_BY_PROMETHEUS:
                yield Expectation(panel["title"], metric, frozenset((labels | legend) - ADDED_BY_PROMETHEUS))


def read_query(query: str) -> tuple[set[str], set[str]]:
    """Metrics and labels that a PromQL query names (one metric's labels are not told from another's)."""
    labels: set[str] = set()
    for group in _GROUPING.findall(query):
        labels |= set(_WORD.findall(group))
    for group in _MATCHERS.findall(query):
        labels |= set(re.findall(r"(\w+)\s*[=!]", group))
    rest = _RANGE.sub("", _MATCHERS.sub("", _GROUPING.sub(" ", query)))
    metrics = set(_WORD.findall(_FUNCTION.sub("", rest))) - _OPERATORS
    return {_SUFFIX.sub("", name) for name in metrics}, labels


def declared(root: Path) -> dict[str, frozenset[str]]:
    """Name and labels of every metric in the `metrics.py` of shared and the services."""
    found: dict[str, frozenset[str]] = {}
    for path in (root / "shared" / "metrics.py", *(root / "services").glob("*/metrics.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in KINDS:
                given = [*node.args[2:3], *(k.value for k in node.keywords if k.arg == "labelnames")]
                found[ast.literal_eval(node.args[0])] = frozenset(ast.literal_eval(given[0]) if given else ())
    return found


def scraped(texts: Mapping[str, str]) -> dict[str, frozenset[str] | None]:
    """Metrics of all scrapes with the labels of their samples; None where a metric has no sample yet."""
    found: dict[str, set[str]] = defaultdict(set)
    names: set[str] = set()
    for text in texts.values():
        for family in text_string_to_metric_families(text):
            name = f"{family.name}_total" if family.type == "counter" else family.name
            names.add(name)
            for sample in family.samples:
                found[name] |= sample.labels.keys() | {""}
    return {
        name: frozenset(found[name] - {"", *ADDED_BY_PROMETHEUS}) if name in found else None for name in sorted(names)
    }


def scrape_targets(configuration: Path) -> dict[str, str]:
    """Target by service, as the scrape configuration names them."""
    text = configuration.read_text()
    pairs = re.findall(r'targets: \["([^"]+)"\]\s+labels: \{service: (\w+)\}', text)
    assert len(pairs) == text.count("targets:"), "a target without a service"
    return {service: target for target, service in pairs}


def complaints(wanted: Iterator[Expectation], known: Mapping[str, frozenset[str] | None]) -> list[str]:
    """Where the dashboard names what does not exist."""
    found = []
    for one in wanted:
        labels = known.get(one.metric, frozenset()) if one.metric in known else None
        if one.metric not in known:
            found.append(f"{one.panel}: no process has {one.metric}")
        elif labels is not None and not one.labels <= labels:
            found.append(f"{one.panel}: {one.metric} has no label {', '.join(sorted(one.labels - labels))}")
    return found
