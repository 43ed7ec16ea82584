"""The generated documents are current, and say what the code says."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from contracts import generate
from contracts.events import EVENTS
from contracts.topics import TOPICS
from tests.contracts.records import recorded

FORMATS = jsonschema.Draft202012Validator.FORMAT_CHECKER


def test_the_checked_in_documents_are_current() -> None:
    assert generate.differences(generate.FOLDER) == [], "run python -m contracts.generate"


def test_generating_twice_gives_the_same(tmp_path: Path) -> None:
    generate.write(tmp_path)
    generate.write(tmp_path)
    assert generate.differences(tmp_path) == []


def test_the_order_of_hashes_does_not_matter() -> None:
    """Another process has another hash seed."""
    command = [sys.executable, "-m", "contracts.generate", "--check"]
    assert subprocess.run(command, cwd=generate.FOLDER.parent, timeout=60, check=False).returncode == 0


def test_every_difference_is_found(tmp_path: Path) -> None:
    shutil.copytree(generate.FOLDER / "schemas", tmp_path / "schemas")
    shutil.copy(generate.FOLDER / "asyncapi.json", tmp_path)
    (tmp_path / "schemas" / "SendRequested.json").write_text("{}")
    (tmp_path / "schemas" / "LotResolved.json").unlink()
    (tmp_path / "schemas" / "Forgotten.json").write_text("{}")
    assert generate.differences(tmp_path) == [
        "schemas/LotResolved.json is missing",
        "schemas/SendRequested.json is out of date",
        "schemas/Forgotten.json belongs to no event",
    ]
    generate.write(tmp_path)
    assert generate.differences(tmp_path) == []


@pytest.mark.parametrize("name", EVENTS)
def test_records_satisfy_the_published_schema(name: str) -> None:
    schema = json.loads((generate.FOLDER / "schemas" / f"{name}.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema, format_checker=FORMATS)
    for line in recorded(name):
        validator.validate(json.loads(line))


@pytest.mark.parametrize("name", EVENTS)
def test_a_schema_refuses_what_is_wrong(name: str) -> None:
    schema = json.loads((generate.FOLDER / "schemas" / f"{name}.json").read_text())
    validator = jsonschema.Draft202012Validator(schema, format_checker=FORMATS)
    record = json.loads(recorded(name)[0])
    for broken in ({**record, "eventId": 1}, {**record, "type": "Other"}, {**record, "occurredAt": None}):
        assert not validator.is_valid(broken)
    for missing in schema["required"]:
        assert not validator.is_valid({key: value for key, value in record.items() if key != missing})


def test_every_reference_of_the_document_leads_somewhere() -> None:
    document = generate.asyncapi()

    def references(value: Any) -> list[str]:
        if isinstance(value, dict):
            here = [value["$ref"]] if "$ref" in value else []
            return here + [found for one in value.values() for found in references(one)]
        return [found for one in value for found in references(one)] if isinstance(value, list) else []

    for reference in references(document):
        target: Any = document
        for part in reference.removeprefix("#/").split("/"):
            target = target[part]
        assert target


def test_the_document_names_every_topic_and_event() -> None:
    document = json.loads((generate.FOLDER / "asyncapi.json").read_text())
    assert set(document["channels"]) == {topic.name for topic in TOPICS}
    assert set(document["components"]["messages"]) == set(EVENTS)
    public = {name for name, channel in document["channels"].items() if channel["x-public"]}
    assert public == {"send-requests", "notification-events"}
    for topic in TOPICS:
        channel = document["channels"][topic.name]
        assert (channel["x-owner"], channel["x-key"]) == (topic.owner, topic.key)
        assert list(channel["messages"]) == [event.__name__ for event in topic.events]
