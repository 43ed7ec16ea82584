"""What all events share."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec


class Record(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A part of an event. Unknown fields are ignored, so that a newer writer does not stop an older reader."""


class Event(Record, frozen=True, kw_only=True, tag_field="type", tag=lambda name: name):
    """A fact on Kafka. `event_id` is the same however often the record is delivered; times are UTC."""

    event_id: UUID
    occurred_at: datetime
