"""Records that a consumer could not take: read where they wait, and put back where they came from."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError
from aiokafka.partitioner import DefaultPartitioner

from contracts.topics import DEAD_LETTERS
from shared.consuming import PUT_BACK
from shared.errors import Transient

READ_MS = 1_000
SILENT_SECONDS = 20.0
"""How long Kafka may take to say something."""

PUBLISH_MS = 20_000
REDRIVEN = "redriven"
"""Header of a record that says of another one, by its id, that it was put back."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record that was put aside. `id` is its place in the topic of dead letters: partition:offset."""

    id: str
    at: datetime
    topic: str
    place: str
    service: str
    reason: str
    key: bytes = field(repr=False)
    value: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Found:
    """Letters that wait and were not put back, the oldest first. `is_cut` says that there are older records, unread."""

    letters: list[DeadLetter]
    is_cut: bool


@dataclass(frozen=True, slots=True)
class Part:
    """The newest records of the one partition where the producers put what has this key."""

    key: bytes
    newest: int


def _keep(letter: DeadLetter) -> DeadLetter | None:
    return letter


async def find_dead_letters(
    kafka: str, keep: Callable[[DeadLetter], DeadLetter | None] = _keep, part: Part | None = None
) -> Found:
    """All letters, or those of a part.

    `keep` says of each what is remembered of it, or None, before the next one is read. Raises `Transient` when Kafka
    refuses, and `TimeoutError` when it is silent.
    """
    consumer = AIOKafkaConsumer(
        bootstrap_servers=kafka, group_id=None, auto_offset_reset="earliest", enable_auto_commit=False
    )
    found: dict[str, DeadLetter] = {}
    redriven: set[str] = set()
    with _telling_trouble():
        async with consumer, asyncio.timeout(SILENT_SECONDS) as silence:
            ends, is_cut = await _assign(consumer, part)
            while any([await consumer.position(one) < end for one, end in ends.items()]):
                for records in (await consumer.getmany(timeout_ms=READ_MS)).values():
                    silence.reschedule(asyncio.get_running_loop().time() + SILENT_SECONDS)
                    for record in records:
                        headers = {name: value.decode("utf-8", "replace") for name, value in record.headers}
                        if REDRIVEN in headers:
                            redriven.add(headers[REDRIVEN])
                        elif letter := keep(_letter_of(record, headers)):
                            found[letter.id] = letter
    letters = sorted((one for key, one in found.items() if key not in redriven), key=lambda one: one.at)
    return Found(letters, is_cut)


async def _assign(consumer: AIOKafkaConsumer, part: Part | None) -> tuple[dict[TopicPartition, int], bool]:
    """Where to read to, and whether the reading begins behind the beginning."""
    while not (numbers := sorted(consumer.partitions_for_topic(DEAD_LETTERS.name) or ())):
        await consumer._client.force_metadata_update()
    if part is not None:
        numbers = [DefaultPartitioner()(part.key, numbers, numbers)]
    partitions = [TopicPartition(DEAD_LETTERS.name, number) for number in numbers]
    consumer.assign(partitions)
    ends = await consumer.end_offsets(partitions)
    if part is None:
        return ends, False
    (only,) = partitions
    beginning, newest = (await consumer.beginning_offsets(partitions))[only], ends[only] - part.newest
    consumer.seek(only, max(beginning, newest))
    return ends, newest > beginning


def _letter_of(record: ConsumerRecord, headers: dict[str, str]) -> DeadLetter:
    return DeadLetter(
        id=f"{record.partition}:{record.offset}",
        at=datetime.fromtimestamp(record.timestamp / 1000, UTC),
        topic=headers.get("origin-topic", ""),
        place=f"{headers.get('origin-partition', '?')}:{headers.get('origin-offset', '?')}",
        service=headers.get("service", ""),
        reason=headers.get("reason", ""),
        key=record.key or b"",
        value=record.value or b"",
    )


async def redrive(kafka: str, letters: list[DeadLetter]) -> int:
    """Publishes the original bytes to the topics of their origin, then notes it; returns how many.

    Interrupted in between, a record can be put back again: every consumer bears a repetition. Raises `Transient`
    when Kafka does not answer.
    """
    producer = AIOKafkaProducer(
        bootstrap_servers=kafka, acks="all", enable_idempotence=True, request_timeout_ms=PUBLISH_MS
    )
    with _telling_trouble():
        async with producer:
            for letter in letters:
                put_back = [(PUT_BACK, letter.id.encode())]
                await producer.send_and_wait(letter.topic, letter.value, key=letter.key, headers=put_back)
                note = [(REDRIVEN, letter.id.encode())]
                await producer.send_and_wait(DEAD_LETTERS.name, b"", key=letter.key, headers=note)
    return len(letters)


@contextmanager
def _telling_trouble() -> Iterator[None]:
    try:
        yield
    except KafkaError as error:
        raise Transient(type(error).__name__) from None
