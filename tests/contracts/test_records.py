"""What was once written can still be read; and the check that says so can fail."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from contracts.events import EVENTS, Event
from contracts.topics import TOPICS
from shared.codec import decoder
from tests.contracts.records import FOLDER, field_paths, misunderstood, recorded

OPTIONAL = "errorClass"
REQUIRED = "kind"


@pytest.mark.parametrize("name", EVENTS)
def test_old_records_are_understood(name: str) -> None:
    for number, line in enumerate(recorded(name), 1):
        assert misunderstood(EVENTS[name], line) == [], f"records/{name}.jsonl:{number}"


def test_there_are_records_of_exactly_the_events() -> None:
    assert {path.stem for path in FOLDER.glob("*.jsonl")} == set(EVENTS)


@pytest.mark.parametrize("name", EVENTS)
def test_every_field_is_recorded(name: str) -> None:
    """A new field needs a record that has it, else nobody would notice when it goes."""
    present: set[str] = set()
    for line in recorded(name):
        present |= field_paths(json.loads(line))
    assert expected_paths(msgspec.inspect.type_info(EVENTS[name])) <= present, f"add a line to records/{name}.jsonl"


@pytest.mark.parametrize("topic", [topic for topic in TOPICS if topic.events], ids=lambda topic: topic.name)
def test_consumers_of_a_topic_read_all_its_old_records(topic: Any) -> None:
    decode = decoder(topic)
    for event in topic.events:
        for line in recorded(event.__name__):
            assert type(decode(line.encode())) is event


def test_unknown_fields_of_a_newer_writer_are_ignored() -> None:
    for name, event in EVENTS.items():
        newer = json.loads(recorded(name)[0]) | {"inventedLater": {"a": [1]}}
        assert misunderstood(event, json.dumps(newer)) == ["$.inventedLater is dropped"]


class Original(Event, frozen=True, kw_only=True):
    kind: str
    error_class: str | None = None


class MadeRequired(Event, frozen=True, kw_only=True, tag="Original"):
    kind: str
    error_class: str


class NewRequiredField(Event, frozen=True, kw_only=True, tag="Original"):
    kind: str
    severity: str
    error_class: str | None = None


class RequiredRenamed(Event, frozen=True, kw_only=True, tag="Original"):
    sort: str
    error_class: str | None = None


class OptionalRenamed(Event, frozen=True, kw_only=True, tag="Original"):
    kind: str
    error_category: str | None = None


class TypeChanged(Event, frozen=True, kw_only=True, tag="Original"):
    kind: int
    error_class: str | None = None


class MeaningChanged(Event, frozen=True, kw_only=True, tag="Original"):
    kind: str
    error_class: str | None = None

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "kind", self.kind.upper())


class EventRenamed(Event, frozen=True, kw_only=True, tag="Renamed"):
    kind: str
    error_class: str | None = None


class NewOptionalField(Event, frozen=True, kw_only=True, tag="Original"):
    kind: str
    error_class: str | None = None
    severity: str | None = None


ENVELOPE = {"type": "Original", "eventId": "018f0000-0000-7000-8000-000000000000", "occurredAt": "2026-11-01T09:30:00Z"}
LINES = [json.dumps(ENVELOPE | fields) for fields in ({"kind": "a", "errorClass": "b"}, {"kind": "a"})]


@pytest.mark.parametrize(
    "mutant",
    [
        MadeRequired,
        NewRequiredField,
        RequiredRenamed,
        OptionalRenamed,
        TypeChanged,
        MeaningChanged,
        EventRenamed,
    ],
)
def test_a_breaking_change_is_noticed(mutant: type[Event]) -> None:
    assert [complaint for line in LINES for complaint in misunderstood(mutant, line)]


@pytest.mark.parametrize("compatible", [Original, NewOptionalField])
def test_a_compatible_change_is_not(compatible: type[Event]) -> None:
    assert [complaint for line in LINES for complaint in misunderstood(compatible, line)] == []


def expected_paths(info: Any, path: str = "") -> set[str]:
    """All fields that records of a type can have."""
    if isinstance(info, msgspec.inspect.StructType):
        return {f"{path}.{one.encode_name}" for one in info.fields} | {
            found for one in info.fields for found in expected_paths(one.type, f"{path}.{one.encode_name}")
        }
    if isinstance(info, msgspec.inspect.UnionType):
        return {found for one in info.types for found in expected_paths(one, path)}
    return expected_paths(info.item_type, path) if isinstance(info, msgspec.inspect.ListType) else set()
