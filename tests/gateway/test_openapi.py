"""The checked-in description of the API is current, whole, and says what the table of endpoints says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema

from contracts.http.described.operations import OPERATIONS, TAGS
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


def test_every_field_says_what_it_is() -> None:
    """Add what is missing to contracts/http/described/fields.py, or to the model."""
    unsaid = [
        f"{name}.{field}"
        for name, schema in DOCUMENT["components"]["schemas"].items()
        for field, one in schema.get("properties", {}).items()
        if not any("description" in said or "$ref" in said for said in (one, *one.get("anyOf", ())))
    ]
    assert unsaid == []


def operations() -> Iterator[tuple[str, dict[str, Any]]]:
    for path, described in DOCUMENT["paths"].items():
        for method, operation in described.items():
            yield f"{method.upper()} {path.removeprefix(BASE)}", operation


def test_every_operation_says_what_it_answers() -> None:
    """Add what is missing to contracts/http/described/operations.py."""
    assert {key for key, _ in operations()} == set(OPERATIONS)
    for key, operation in operations():
        assert operation["operationId"] == OPERATIONS[key].name
        assert set(operation["tags"]) <= set(TAGS), key
        for status, answer in operation["responses"].items():
            assert "$ref" in answer or "content" in answer or status == "204", (key, status)


def test_examples_are_what_the_schemas_say() -> None:
    for key, operation in operations():
        for kind, content in operation.get("requestBody", {}).get("content", {}).items():
            if kind != "application/x-ndjson":
                schema = {**content["schema"], "components": DOCUMENT["components"]}
                jsonschema.Draft202012Validator(schema).validate(content["example"])
                assert content["example"], key


def test_all_references_lead_somewhere() -> None:
    for reference in references(DOCUMENT):
        at: Any = DOCUMENT
        for part in reference.removeprefix("#/").split("/"):
            assert part in at, reference
            at = at[part]


def test_operations_have_names_of_their_own() -> None:
    names = [one["operationId"] for path in DOCUMENT["paths"].values() for one in path.values()]
    assert len(names) == len(set(names))
