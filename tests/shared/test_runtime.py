"""A service on real Kafka and PostgreSQL: bad records, bad days, stopping."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from contracts.events import CampaignPaused, CampaignResumed
from contracts.topics import DEAD_LETTERS, Topic
from shared.codec import encode, now
from shared.consuming import PUT_BACK
from shared.errors import Rejected, Stopped, Transient
from shared.ids import new_id
from shared.kafka import Subscription
from shared.runtime import Service, serving
from shared.settings import ServiceSettings
from tests.waiting import until

SECRETS_KEY = "0" * 43 + "="


def settings(kafka: str, dead_letters_max: int = 10) -> ServiceSettings:
    return ServiceSettings(
        HTTP_PORT=0,
        DATABASE_URL="postgresql://nobody@127.0.0.1:1/none",
        KAFKA_BOOTSTRAP_SERVERS=kafka,
        SECRETS_KEY=SECRETS_KEY,
        INTERNAL_TOKEN="t",
        DEAD_LETTERS_MAX=dead_letters_max,
        GRACEFUL_SECONDS=5,
    )


def resumed(version: int) -> CampaignResumed:
    return CampaignResumed(
        event_id=new_id(), occurred_at=now(), campaign_id=new_id(), user_id="u", channel="sms", version=version
    )


async def produce(kafka: str, topic: Topic, *values: bytes, headers: Any = None) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=kafka)
    await producer.start()
    try:
        for value in values:
            await producer.send_and_wait(topic.name, value, partition=0, headers=headers)
    finally:
        await producer.stop()


@contextlib.asynccontextmanager
async def consuming(
    kafka: str, group: str, topic: Topic, handle: Callable[[list[Any]], Awaitable[None]], dead_letters_max: int = 10
) -> AsyncIterator[asyncio.Event]:
    stopping = asyncio.Event()
    service = Service(group, _no_routes, subscriptions=[Subscription(topic, handle)])
    async with serving(service, settings(kafka, dead_letters_max), stopping):
        yield stopping


async def _no_routes(_scope: Any, _receive: Any, _send: Any) -> None:
    raise AssertionError("nobody asks")


async def dead_letters_of(kafka: str, topic: Topic) -> list[tuple[bytes | None, dict[str, str]]]:
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka, auto_offset_reset="earliest")
    await consumer.start()
    try:
        partitions = [TopicPartition(DEAD_LETTERS.name, n) for n in range(DEAD_LETTERS.partitions)]
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        found = []
        while any([await consumer.position(one) < ends[one] for one in partitions]):
            for records in (await consumer.getmany(timeout_ms=500)).values():
                for record in records:
                    headers = {name: value.decode() for name, value in record.headers}
                    if headers["origin-topic"] == topic.name:
                        found.append((record.value, headers))
        return found
    finally:
        await consumer.stop()


async def committed(kafka: str, group: str, topic: Topic) -> int | None:
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka, group_id=f"{group}.{topic.name}", enable_auto_commit=False)
    await consumer.start()
    try:
        return await consumer.committed(TopicPartition(topic.name, 0))
    finally:
        await consumer.stop()


async def test_a_malformed_record_goes_to_the_dead_letters_and_its_neighbours_are_handled(
    servers, topics, new_topic, group
):
    topic = await new_topic(CampaignResumed, CampaignPaused)
    seen: list[int] = []

    async def handle(events: list[Any]) -> None:
        seen.extend(event.version for event in events)

    bad = [b"{not json", b'{"type":"CampaignPaused","eventId":"x"}', b'{"type":"Stranger"}', b"\xff\xfe"]
    await produce(servers.kafka, topic, encode(resumed(1)), *bad, encode(resumed(2)))
    async with consuming(servers.kafka, group, topic, handle):
        await until(lambda: sorted(seen) == [1, 2], 30)
    letters = await dead_letters_of(servers.kafka, topic)
    assert [value for value, _ in letters] == bad
    assert [headers["origin-offset"] for _, headers in letters] == ["1", "2", "3", "4"]
    assert all(headers["service"] == group and headers["reason"] for _, headers in letters)
    assert "eventId" in letters[1][1]["reason"]


async def test_a_rejected_record_is_isolated_from_its_batch(servers, topics, new_topic, group):
    topic = await new_topic(CampaignResumed)
    seen: list[int] = []

    async def handle(events: list[Any]) -> None:
        if any(event.version == 3 for event in events):
            raise Rejected("no threes")
        seen.extend(event.version for event in events)

    await produce(servers.kafka, topic, *(encode(resumed(n)) for n in range(6)))
    async with consuming(servers.kafka, group, topic, handle):
        await until(lambda: sorted(seen) == [0, 1, 2, 4, 5], 30)
    ((_, headers),) = await dead_letters_of(servers.kafka, topic)
    assert headers["reason"] == "no threes"


async def test_a_bug_is_put_aside_after_a_few_attempts_and_stops_nobody(servers, topics, new_topic, group):
    topic = await new_topic(CampaignResumed)
    seen: list[int] = []

    async def handle(events: list[Any]) -> None:
        for event in events:
            if event.version == 1:
                raise KeyError("+4917012345678")
        seen.extend(event.version for event in events)

    await produce(servers.kafka, topic, *(encode(resumed(n)) for n in range(3)))
    async with consuming(servers.kafka, group, topic, handle):
        await until(lambda: sorted(seen) == [0, 2], 30)
    ((_, headers),) = await dead_letters_of(servers.kafka, topic)
    assert headers["reason"] == "unexpected KeyError"


async def test_a_batch_is_tried_until_the_world_is_well(servers, new_topic, group):
    topic = await new_topic(CampaignResumed)
    calls: list[int] = []

    async def handle(events: list[Any]) -> None:
        calls.append(len(events))
        if len(calls) < 4:
            raise Transient("database away")

    await produce(servers.kafka, topic, encode(resumed(1)))
    async with consuming(servers.kafka, group, topic, handle):
        await until(lambda: len(calls) == 4, 30)
    assert await committed(servers.kafka, group, topic) == 1


@pytest.mark.parametrize("value", [b"rubbish", encode(resumed(1))], ids=["unreadable", "fault"])
async def test_past_the_limit_of_faults_the_service_stops(servers, topics, new_topic, group, value):
    topic = await new_topic(CampaignResumed)

    async def handle(_events: list[Any]) -> None:
        raise KeyError

    await produce(servers.kafka, topic, *([value] * 5))
    with pytest.raises(Stopped, match="more than 2 records"):
        async with consuming(servers.kafka, group, topic, handle, dead_letters_max=2) as stopping:
            await asyncio.wait_for(stopping.wait(), 30)
    assert len(await dead_letters_of(servers.kafka, topic)) == 2
    assert await committed(servers.kafka, group, topic) is None


async def test_requests_that_are_refused_stop_nobody(servers, topics, new_topic, group):
    topic = await new_topic(CampaignResumed)
    seen: list[int] = []

    async def handle(events: list[Any]) -> None:
        if any(event.version == 0 for event in events):
            raise Rejected("customerId: there is no such customer")
        seen.extend(event.version for event in events)

    await produce(servers.kafka, topic, *([encode(resumed(0))] * 5), encode(resumed(1)))
    async with consuming(servers.kafka, group, topic, handle, dead_letters_max=2):
        await until(lambda: seen == [1], 30)
    assert len(await dead_letters_of(servers.kafka, topic)) == 5


async def test_what_was_put_back_and_comes_again_stops_nobody(servers, topics, new_topic, group):
    topic = await new_topic(CampaignResumed)
    seen: list[int] = []

    async def handle(events: list[Any]) -> None:
        seen.extend(event.version for event in events)

    await produce(servers.kafka, topic, *([b"rubbish"] * 5), headers=[(PUT_BACK, b"0:0")])
    await produce(servers.kafka, topic, encode(resumed(1)))
    async with consuming(servers.kafka, group, topic, handle, dead_letters_max=2):
        await until(lambda: seen == [1], 30)
    assert len(await dead_letters_of(servers.kafka, topic)) == 5


async def test_work_that_was_not_done_is_done_again_by_the_next_process(servers, new_topic, group):
    topic = await new_topic(CampaignResumed)
    seen: list[int] = []
    started = asyncio.Event()

    async def never(_events: list[Any]) -> None:
        started.set()
        raise Transient("not today")

    async def handle(events: list[Any]) -> None:
        seen.extend(event.version for event in events)

    await produce(servers.kafka, topic, encode(resumed(7)))
    async with consuming(servers.kafka, group, topic, never):
        await asyncio.wait_for(started.wait(), 30)
    async with consuming(servers.kafka, group, topic, handle):
        await until(lambda: seen == [7], 30)
