"""Recorded records of every event, and the question whether a type still understands them.

`records/<Event>.jsonl` holds records as they were once written to Kafka, where they stay for weeks (in compacted topics
for ever). Lines are only ever added: with a new field, a record that has it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec

from contracts.events import Event

FOLDER = Path(__file__).with_name("records")


def recorded(name: str) -> list[str]:
    """The recorded lines of an event."""
    return (FOLDER / f"{name}.jsonl").read_text().splitlines()


def misunderstood(event: type[Event], line: str) -> list[str]:
    """What the type does not understand of a record: nothing if it is compatible."""
    try:
        read = msgspec.json.decode(line, type=event)
    except msgspec.ValidationError as error:
        return [str(error)]
    return _lost(json.loads(line), json.loads(msgspec.json.encode(read)), "$")


def _lost(old: Any, new: Any, path: str) -> list[str]:
    """Values that did not survive reading and writing; further ones are fine."""
    if isinstance(old, dict) and isinstance(new, dict):
        return [
            complaint
            for name, value in old.items()
            for complaint in (
                _lost(value, new[name], f"{path}.{name}") if name in new else [f"{path}.{name} is dropped"]
            )
        ]
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return [
            complaint
            for index, (one, other) in enumerate(zip(old, new, strict=True))
            for complaint in _lost(one, other, f"{path}[{index}]")
        ]
    return [] if old == new else [f"{path} reads differently"]


def field_paths(value: Any, path: str = "") -> set[str]:
    """The names of all fields in a record, list indexes left out."""
    if isinstance(value, dict):
        return {f"{path}.{name}" for name in value} | {
            found for name, one in value.items() for found in field_paths(one, f"{path}.{name}")
        }
    if isinstance(value, list):
        return {found for one in value for found in field_paths(one, path)}
    return set()
