"""The checked-in description of the API is current, whole, and says what the table of endpoints says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from contracts.http.endpoints import BASE, ENDPOINTS
from deploy import openapi

DOCUMENT = json.loads(openapi.PATH.read_text())


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for name, value in node.items():
            if name == "$ref":
                yield value
            else:
                yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def test_it_is_current() -> None:
    assert openapi.main(["--check"]) == 0, "run make contracts"


def test_a_difference_is_found(tmp_path: Path) -> None:
    path = tmp_path / "openapi.json"
    assert openapi.main(["--check"], path) == 1
    path.write_text(openapi.document().replace("Accepted", "Rejected", 1) + " ")
    assert openapi.main(["--check"], path) == 1
    assert openapi.main([], path) == 0
    assert openapi.main(["--check"], path) == 0


def test_every_endpoint_is_described() -> None:
    for endpoint in ENDPOINTS:
        operation = DOCUMENT["paths"][BASE + endpoint.path][endpoint.method.lower()]
        assert operation["summary"] == endpoint.summary
        assert operation["x-scope"] == endpoint.scope
        assert str(endpoint.status) in operation["responses"]


def test_all_references_lead_somewhere() -> None:
    for reference in references(DOCUMENT):
        at: Any = DOCUMENT
        for part in reference.removeprefix("#/").split("/"):
            assert part in at, reference
            at = at[part]


def test_operations_have_names_of_their_own() -> None:
    names = [one["operationId"] for path in DOCUMENT["paths"].values() for one in path.values()]
    assert len(names) == len(set(names))
