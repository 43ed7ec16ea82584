"""Kafka with every option spelled out, through FastStream."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from aiokafka import AIOKafkaConsumer
from faststream import AckPolicy
from faststream.kafka import KafkaBroker

from contracts.topics import Topic
from shared.consuming import Consumption
from shared.metrics import KAFKA_LAG

RECORD_BYTES_MAX = 4 * 1024 * 1024
"""The largest record; the topics are made with the same limit."""

REQUEST_TIMEOUT_MS = 20_000
SESSION_TIMEOUT_MS = 6_000
"""The least that brokers allow: a consumer that was killed holds its partitions for so long."""

HEARTBEAT_INTERVAL_MS = 2_000
POLL_INTERVAL_MAX_MS = 300_000
"""Above the longest time that a batch is tried again in place (`consuming.RETRY_IN_PLACE_SECONDS`)."""

LOOK_MS = 10_000
"""How long a consumer waits for records before it waits again."""

Handle = Callable[[list[Any]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Subscription:
    """A handler of a topic's events.

    `handle` gets the events of up to `records_max` records, in the order of each partition. It does all of the work
    or none (raising), and may see the same events again. A record that follows another one in the same partition can
    be as much as `fetch_wait_ms` late, because the broker is being asked for the other partitions then; asking costs
    the fleet about a millisecond of CPU. With `fetch_bytes_min` the broker waits as long for so many bytes to come
    together: fewer and fuller batches, where nobody waits for a single record.
    """

    topic: Topic
    handle: Handle
    records_max: int = 50
    fetch_wait_ms: int = 500
    fetch_bytes_min: int = 1


def make_broker(bootstrap_servers: str, client_id: str, graceful_seconds: float) -> KafkaBroker:
    """A producer that confirms by all replicas and repeats without doubling; consumers are added by `subscribe`."""
    return KafkaBroker(
        bootstrap_servers.split(","),
        client_id=client_id,
        request_timeout_ms=REQUEST_TIMEOUT_MS,
        retry_backoff_ms=100,
        metadata_max_age_ms=60_000,
        connections_max_idle_ms=540_000,
        allow_auto_create_topics=False,
        acks="all",
        enable_idempotence=True,
        compression_type="zstd",
        linger_ms=5,
        max_batch_size=512 * 1024,
        max_request_size=RECORD_BYTES_MAX,
        graceful_timeout=graceful_seconds,
        apply_types=False,
        logger=None,
    )


def subscribe(broker: KafkaBroker, group: str, subscription: Subscription, consumption: Consumption) -> Any:
    """Adds the consumer of one subscription; its group is named after the service and the topic."""
    subscriber = broker.subscriber(
        subscription.topic.name,
        group_id=f"{group}.{subscription.topic.name}",
        batch=True,
        max_records=subscription.records_max,
        batch_timeout_ms=LOOK_MS,
        ack_policy=AckPolicy.NACK_ON_ERROR,
        auto_offset_reset="earliest",
        isolation_level="read_uncommitted",
        fetch_max_wait_ms=subscription.fetch_wait_ms,
        fetch_min_bytes=subscription.fetch_bytes_min,
        fetch_max_bytes=16 * 1024 * 1024,
        max_partition_fetch_bytes=RECORD_BYTES_MAX,
        session_timeout_ms=SESSION_TIMEOUT_MS,
        heartbeat_interval_ms=HEARTBEAT_INTERVAL_MS,
        rebalance_timeout_ms=POLL_INTERVAL_MAX_MS,
        max_poll_interval_ms=POLL_INTERVAL_MAX_MS,
        check_crcs=True,
        decoder=_keep_records,
    )

    async def take(records: Any) -> None:  # FastStream makes a schema of the annotation, so it has to be plain
        await consumption.take(records)

    subscriber(take)
    return subscriber


class _PatientConsumer(AIOKafkaConsumer):  # type: ignore[misc]
    """Answers with records only: FastStream sleeps for as long again after a look that found nothing."""

    async def getmany(self, *partitions: Any, timeout_ms: int = 0, max_records: int | None = None) -> Any:
        while True:
            found = await super().getmany(*partitions, timeout_ms=timeout_ms, max_records=max_records)
            if found:
                return found


async def connect(broker: KafkaBroker) -> None:
    """Connects the producer; consumers are started by `broker.start()`."""
    await broker.connect()
    config = broker.config.broker_config
    config.builder = partial(_PatientConsumer, **config.builder.keywords)  # type: ignore[attr-defined]


async def publish(
    broker: KafkaBroker, topic: str, key: bytes, value: bytes, headers: dict[str, str] | None = None
) -> asyncio.Future[object]:
    """Queues a record; the returned future is done when all replicas have it."""
    future: asyncio.Future[object] = await broker.publish(value, topic, key=key, headers=headers, no_confirm=True)
    return future


async def measure_lag(subscribers: Sequence[tuple[Topic, Any]]) -> None:
    """Sets the lag gauge of each topic from what the consumers know already; asks no server."""
    for topic, subscriber in subscribers:
        consumer = subscriber.consumer
        if consumer is None:
            continue
        lag = 0
        for partition in consumer.assignment():
            newest = consumer.highwater(partition)
            if newest is not None:
                lag += max(newest - await consumer.position(partition), 0)
        KAFKA_LAG.labels(topic.name).set(lag)


async def _keep_records(message: Any) -> list[Any]:
    return list(message.raw_message)
