"""Whoever was answered is in Kafka, however often the process is killed."""

from __future__ import annotations

import asyncio
import json
import random
from functools import partial

import aiohttp
from aiokafka import AIOKafkaConsumer, TopicPartition

from contracts.topics import RECEIPTS
from deploy.local.fleet import Fleet
from shared.ids import new_id
from shared.security import references
from tests.waiting import until

KILLS = 2
SENDERS = 32
SEED = 20_261_124
READY_SECONDS = 60.0


async def test_killing_the_service_loses_nothing_that_was_answered(fleet: Fleet) -> None:
    refs = references(fleet.secrets["secrets_key"])
    chance = random.Random(SEED)
    answered: set[str] = set()
    unanswered = 0
    done, up = asyncio.Event(), asyncio.Event()
    up.set()

    async def report(http: aiohttp.ClientSession) -> bool:
        nonlocal unanswered
        recipient_id = new_id()
        url = f"{fleet.url('delivery_receipt')}/api/notification/t/{refs.sign('push', recipient_id)}/opened"
        try:
            async with http.post(url) as answer:
                if answer.status == 204:
                    answered.add(str(recipient_id))
                return answer.status == 204
        except aiohttp.ClientError:
            unanswered += 1
            return False

    async def keep_reporting(http: aiohttp.ClientSession) -> None:
        while not done.is_set():
            if not await report(http):
                await up.wait()

    timeout = aiohttp.ClientTimeout(total=30)
    async with aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(limit=SENDERS)) as http:
        senders = [asyncio.create_task(keep_reporting(http)) for _ in range(SENDERS)]
        for _ in range(KILLS):
            enough = len(answered) + chance.randint(200, 800)
            await until(lambda enough=enough: len(answered) >= enough, READY_SECONDS)
            up.clear()
            fleet.kill("delivery_receipt")
            await until(partial(report, http), READY_SECONDS)
            up.set()
        done.set()
        await asyncio.gather(*senders)

    assert unanswered > 0, "no kill came in the middle of anything"
    published: set[str] = set()
    consumer = AIOKafkaConsumer(bootstrap_servers=fleet.kafka, auto_offset_reset="earliest", group_id=None)
    async with consumer:
        consumer.assign([TopicPartition(RECEIPTS.name, number) for number in range(RECEIPTS.partitions)])

        async def all_published() -> bool:
            for records in (await consumer.getmany(timeout_ms=100)).values():
                for record in records:
                    published.update(receipt["recipientId"] for receipt in json.loads(record.value)["receipts"])
            return answered <= published

        await until(all_published, READY_SECONDS)
