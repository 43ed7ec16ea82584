"""Writes the documents that are derived from the events and topics: `python -m contracts.generate [--check]`.

`contracts/asyncapi.json` is an AsyncAPI 3 document of all topics, `contracts/schemas/<Event>.json` the JSON Schema of
each event. With `--check` nothing is written; differences are printed and the exit code is 1.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import msgspec

from contracts.events import EVENTS, Event
from contracts.topics import TOPICS, Topic

FOLDER = Path(__file__).resolve().parent
SCHEMA_DIALECT = "https://json-schema.org/draft/2020-12/schema"
DOCUMENT_VERSION = "1.0.0"
KAFKA_BINDING = "0.5.0"

Json = dict[str, Any]


def schema_of(event: type[Event]) -> Json:
    """The JSON Schema of an event, complete in itself. Fields that it does not name are allowed."""
    (reference,), components = msgspec.json.schema_components([event], ref_template="#/$defs/{name}")
    name = reference["$ref"].rpartition("/")[2]
    definitions = dict(components)
    own = definitions.pop(name)
    schema: Json = {"$schema": SCHEMA_DIALECT, **own}
    if definitions:
        schema["$defs"] = definitions
    reflowed: Json = _reflowed(schema)
    return reflowed


def asyncapi() -> Json:
    """All topics as channels, all events as messages; each service's operations as sender."""
    _, schemas = msgspec.json.schema_components(list(EVENTS.values()), ref_template="#/components/schemas/{name}")
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Omni-Sales Notifications",
            "version": DOCUMENT_VERSION,
            "description": (
                "What the services say to each other on Kafka. Topics marked `x-public` are for other systems: publish "
                "`SendRequested` on `send-requests`, listen to `notification-events`. Values are JSON; unknown fields "
                "are to be ignored; every record may come more than once, with the same `eventId`."
            ),
        },
        "defaultContentType": "application/json",
        "channels": {topic.name: _channel(topic) for topic in TOPICS},
        "operations": {_operation_name(topic): _operation(topic) for topic in TOPICS if topic.events},
        "components": {
            "messages": {name: _message(event) for name, event in EVENTS.items()},
            "schemas": _reflowed(dict(sorted(schemas.items()))),
        },
    }


def _channel(topic: Topic) -> Json:
    configuration: Json = {"cleanup.policy": ["compact"]}
    if topic.retention_ms is not None:
        configuration = {"cleanup.policy": ["delete"], "retention.ms": topic.retention_ms}
    kafka = {"partitions": topic.partitions, "topicConfiguration": configuration, "bindingVersion": KAFKA_BINDING}
    return {
        "address": topic.name,
        "description": topic.purpose,
        "messages": {event.__name__: {"$ref": f"#/components/messages/{event.__name__}"} for event in topic.events},
        "bindings": {"kafka": kafka},
        "x-key": topic.key,
        "x-owner": topic.owner,
        "x-public": topic.public,
    }


def _operation(topic: Topic) -> Json:
    return {
        "action": "send",
        "channel": {"$ref": f"#/channels/{topic.name}"},
        "summary": f"Published by {topic.owner}.",
        "messages": [{"$ref": f"#/channels/{topic.name}/messages/{event.__name__}"} for event in topic.events],
    }


def _message(event: type[Event]) -> Json:
    summary, _, rest = (event.__doc__ or "").strip().partition("\n\n")
    message: Json = {"name": event.__name__, "title": event.__name__, "summary": " ".join(summary.split())}
    if rest.strip():
        message["description"] = " ".join(rest.split())
    keys = sorted({topic.key for topic in TOPICS if event in topic.events})
    message["bindings"] = {"kafka": {"key": {"type": "string", "description": " or ".join(keys)}}}
    message["payload"] = {"$ref": f"#/components/schemas/{event.__name__}"}
    return message


def _operation_name(topic: Topic) -> str:
    return "publish" + "".join(part.title() for part in topic.name.split("-"))


def _reflowed(schema: Any) -> Any:
    """The same with each description on one line."""
    if isinstance(schema, dict):
        return {
            name: " ".join(value.split()) if name == "description" and isinstance(value, str) else _reflowed(value)
            for name, value in schema.items()
        }
    return [_reflowed(one) for one in schema] if isinstance(schema, list) else schema


def documents() -> dict[str, str]:
    """Every generated file by its path under `contracts/`."""
    files = {"asyncapi.json": asyncapi()}
    files |= {f"schemas/{name}.json": schema_of(event) for name, event in EVENTS.items()}
    return {name: json.dumps(content, indent=2, ensure_ascii=False) + "\n" for name, content in files.items()}


def differences(folder: Path) -> list[str]:
    """What in the folder is not as it would be generated, one sentence a file."""
    expected = documents()
    found = []
    for name, text in expected.items():
        path = folder / name
        if not path.exists():
            found.append(f"{name} is missing")
        elif path.read_text() != text:
            found.append(f"{name} is out of date")
    known = {folder / name for name in expected}
    found += [
        f"{path.relative_to(folder)} belongs to no event"
        for path in sorted((folder / "schemas").glob("*"))
        if path not in known
    ]
    return found


def write(folder: Path) -> None:
    """Makes the folder as generated."""
    (folder / "schemas").mkdir(exist_ok=True)
    expected = documents()
    for path in (folder / "schemas").glob("*.json"):
        if f"schemas/{path.name}" not in expected:
            path.unlink()
    for name, text in expected.items():
        (folder / name).write_text(text)


def main(arguments: list[str]) -> int:
    """The exit code of the command."""
    if arguments == ["--check"]:
        found = differences(FOLDER)
        for line in found:
            print(f"contracts/{line}: run python -m contracts.generate", file=sys.stderr)
        return 1 if found else 0
    if arguments:
        print("usage: python -m contracts.generate [--check]", file=sys.stderr)
        return 2
    write(FOLDER)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
