"""Events to bytes and back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import reduce
from operator import or_
from typing import Any

import msgspec

from contracts.events import Event
from contracts.topics import Topic
from shared.errors import Rejected

_encoder = msgspec.json.Encoder()


def encode(event: msgspec.Struct) -> bytes:
    """The event as compact JSON."""
    return _encoder.encode(event)


def decoder(topic: Topic) -> Callable[[bytes], Event]:
    """A function from a record of the topic to its event; raises `Rejected` naming the field that is wrong."""
    of_topic: Any = reduce(or_, topic.events)
    decode_json = msgspec.json.Decoder(of_topic).decode

    def decode(value: bytes) -> Event:
        try:
            event: Event = decode_json(value)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Rejected(f"not a record of {topic.name}: {error}") from None
        return event

    return decode


def now() -> datetime:
    """The time in UTC, for `occurred_at`."""
    return datetime.now(UTC)
