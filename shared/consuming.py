"""What happens around a handler: decoding, retries, isolation of bad records, dead letters with a limit."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from contracts.events import Event
from contracts.topics import Topic
from shared import metrics
from shared.backoff import Backoff, wait_unless
from shared.codec import decoder
from shared.errors import Rejected, Stopped, Transient, is_transient
from shared.logs import logger
from shared.probes import Heartbeat

RETRY_IN_PLACE_SECONDS = 120.0
"""Then the batch goes back to Kafka, and the consumer proves that it is alive by polling."""

BUG_ATTEMPTS_MAX = 3
"""How often a lone record may fail for no known reason before it is put aside."""


PUT_BACK = "put-back"
"""Header of a record that was a dead letter, with its id, and that somebody has put back where it came from."""


class Record(Protocol):
    """What we read of aiokafka's `ConsumerRecord`."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


PublishDeadLetter = Callable[[bytes, bytes, dict[str, str]], Awaitable[None]]
"""Takes key, original bytes and headers; returns when Kafka has them."""


@dataclass(slots=True)
class DeadLetters:
    """Where a service puts the records it cannot take. Past the limit of those that show a fault of the service, or
    of who writes to it, it stops: then it is not the records that are wrong. What was put back and comes again does
    not count: nobody stops a service by putting the same letter back many times."""

    service: str
    limit: int
    publish: PublishDeadLetter
    count: int = 0

    async def put(self, record: Record, reason: str, *, is_fault: bool) -> None:
        """Keeps the record's bytes with their origin and the reason; raises `Stopped` past the limit of faults."""
        counts = is_fault and all(name != PUT_BACK for name, _ in record.headers)
        if counts and self.count >= self.limit:
            raise Stopped(
                f"more than {self.limit} records since the start that could not be read or met a fault: find out what "
                f"is wrong with {self.service} (notify dead-letters list), or raise DEAD_LETTERS_MAX"
            )
        self.count += counts
        headers = {
            "origin-topic": record.topic,
            "origin-partition": str(record.partition),
            "origin-offset": str(record.offset),
            "service": self.service,
            "reason": reason[:500],
        }
        await self.publish(record.key or b"", record.value or b"", headers)
        metrics.DEAD_LETTERS.labels(record.topic).inc()
        logger().warning(
            "record_rejected", topic=record.topic, partition=record.partition, offset=record.offset, reason=reason
        )


@dataclass(slots=True)
class Consumption:
    """One subscription at work."""

    topic: Topic
    handle: Callable[[list[Any]], Awaitable[None]]
    dead_letters: DeadLetters
    heartbeat: Heartbeat
    stopping: asyncio.Event
    fail: Callable[[BaseException], None]
    """Ends the service; used for `Stopped` only."""
    backoff: Backoff = field(default_factory=Backoff)
    _decode: Callable[[bytes], Event] = field(init=False)

    def __post_init__(self) -> None:
        self._decode = decoder(self.topic)

    async def take(self, records: Sequence[Record]) -> None:
        """Handles a batch; returning means that every record is done or in the dead letters."""
        self.heartbeat.begin()
        try:
            await self._take(records)
        except Stopped as stop:
            self.fail(stop)
            raise
        finally:
            self.heartbeat.end()

    async def _take(self, records: Sequence[Record]) -> None:
        good: list[tuple[Record, Event]] = []
        for record in records:
            try:
                good.append((record, self._decode(record.value or b"")))
            except Rejected as unreadable:
                await self._put_aside(record, str(unreadable), is_fault=True)
        if not good:
            return
        try:
            await self._handle([event for _, event in good])
        except Transient:
            raise
        except Exception as error:
            if len(good) > 1:
                logger().warning("batch_isolated", topic=self.topic.name, records=len(good), error=_name(error))
            for record, event in good:
                await self._take_alone(record, event)
        else:
            metrics.KAFKA_RECORDS.labels(self.topic.name, "done").inc(len(good))

    async def _take_alone(self, record: Record, event: Event) -> None:
        for attempt in range(1, BUG_ATTEMPTS_MAX + 1):
            try:
                await self._handle([event])
            except Transient:
                raise
            except Rejected as refusal:
                await self._put_aside(record, str(refusal), is_fault=False)
                return
            except Exception as error:
                if isinstance(error, Stopped):
                    raise
                logger().error("record_failed", topic=self.topic.name, offset=record.offset, error=_name(error))
                if attempt == BUG_ATTEMPTS_MAX:
                    await self._put_aside(record, f"unexpected {_name(error)}", is_fault=True)
                    return
                await wait_unless(self.stopping, self.backoff.delay(attempt))
            else:
                metrics.KAFKA_RECORDS.labels(self.topic.name, "done").inc()
                return

    async def _handle(self, events: list[Event]) -> None:
        """Tries until the world is well again; raises `Transient` when it takes too long or the service stops."""
        give_up = time.monotonic() + RETRY_IN_PLACE_SECONDS
        attempt = 0
        while True:
            try:
                await self.handle(events)
            except Exception as error:
                if not is_transient(error):
                    raise
                attempt += 1
                metrics.KAFKA_RETRIES.labels(self.topic.name).inc()
                logger().warning("batch_retried", topic=self.topic.name, attempt=attempt, error=_name(error))
                self.heartbeat.beat()
                stopping = await wait_unless(self.stopping, self.backoff.delay(attempt))
                if stopping or time.monotonic() > give_up:
                    raise Transient(f"{self.topic.name}: not done after {attempt} attempts") from None
            else:
                return

    async def _put_aside(self, record: Record, reason: str, *, is_fault: bool) -> None:
        await self.dead_letters.put(record, reason, is_fault=is_fault)
        metrics.KAFKA_RECORDS.labels(self.topic.name, "rejected").inc()


def _name(error: BaseException) -> str:
    """A name for logs: the texts of exceptions can hold what must not be read there."""
    sqlstate = getattr(error, "sqlstate", None)
    constraint = getattr(getattr(error, "diag", None), "constraint_name", None)
    return " ".join(str(part) for part in (type(error).__name__, sqlstate, constraint) if part)
