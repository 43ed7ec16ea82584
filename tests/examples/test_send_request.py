"""The documented example, run as it stands."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import aiohttp
import msgspec
import pytest
from aiokafka import AIOKafkaConsumer

from contracts.events import NotificationsRecorded, SendRequested
from contracts.topics import NOTIFICATION_EVENTS, SEND_REQUESTS, Topic
from deploy.local.fleet import Fleet
from deploy.local.servers import Servers
from deploy.local.state import ROOT
from shared.codec import decoder
from tests.waiting import until

EXAMPLE = ROOT / "docs" / "examples" / "send_request.py"
PAGE = ROOT / "docs" / "sending-from-a-service.md"
TEXT = "Your parcel is on its way"
READ_SECONDS = 60.0


async def run_example(kafka: str, *arguments: str) -> None:
    environment = {"PATH": os.environ["PATH"], "KAFKA_BOOTSTRAP_SERVERS": kafka}
    process = await asyncio.create_subprocess_exec(sys.executable, str(EXAMPLE), *arguments, env=environment)
    assert await asyncio.wait_for(process.wait(), READ_SECONDS) == 0


async def read_until(kafka: str, topic: Topic, wanted: Any) -> Any:
    """The first event of the topic, from its beginning, that is wanted; with the record's key."""
    decode = decoder(topic)
    consumer = AIOKafkaConsumer(topic.name, bootstrap_servers=kafka, auto_offset_reset="earliest", group_id=None)
    async with asyncio.timeout(READ_SECONDS), consumer:
        async for record in consumer:
            event = decode(record.value)
            if wanted(event):
                return record.key, event
    raise AssertionError("no such event")


@pytest.mark.asyncio(loop_scope="session")
async def test_the_example_publishes_a_send_request(servers: Servers, topics: tuple[Topic, ...]) -> None:
    user_id, request_id = uuid4().hex, "order-4711-shipped"
    await run_example(servers.kafka, user_id, request_id, "+4917012345678", TEXT)

    def ours(event: SendRequested) -> bool:
        return event.user_id == user_id

    key, event = await read_until(servers.kafka, SEND_REQUESTS, ours)
    assert key == user_id.encode()
    assert (event.request_id, event.channel, event.address) == (request_id, "sms", "+4917012345678")
    assert event.content is not None
    assert event.content.body == TEXT
    assert event.occurred_at.tzinfo is not None


def test_the_page_shows_the_example_as_it_is() -> None:
    code = EXAMPLE.read_text()
    function = code[code.index("async def send_request") : code.index("\n\n\nasyncio.run")]
    assert function in PAGE.read_text()


def test_the_page_names_every_field() -> None:
    page = PAGE.read_text()
    fields = [one.encode_name for one in msgspec.structs.fields(SendRequested)]
    assert [name for name in fields if f"`{name}`" not in page] == []


async def test_the_recipient_gets_it_once(fleet: Fleet) -> None:
    user_id, number = uuid4().hex, f"+49170{uuid4().int % 10**7:07d}"
    headers = {"Authorization": f"Bearer {fleet.secrets['internal_token']}", "X-User-Id": user_id}
    provider = {
        "providerName": "Simulated Twilio",
        "providerType": "twilio",
        "accountSid": "AC" + uuid4().hex,
        "apiSecret": uuid4().hex,
        "phoneNumber": "+15005550006",
        "config": {"baseUrl": fleet.url("provider_simulator")},
    }
    async with aiohttp.ClientSession() as http:
        url = f"{fleet.url('dispatcher')}/api/notification/sms/providers"
        async with http.post(url, json=provider, headers=headers) as answer:
            assert answer.status == 201, await answer.text()

        async def texts() -> list[str]:
            async with http.get(f"{fleet.url('provider_simulator')}/_simulator/log?after=0") as answer:
                return [line for line in (await answer.text()).splitlines() if json.loads(line)["address"] == number]

        for _ in range(2):
            await run_example(fleet.kafka, user_id, "order-4711-shipped", number, TEXT)
        await until(texts, READ_SECONDS)

        def tells(event_type: str) -> Callable[[NotificationsRecorded], bool]:
            return lambda event: event.user_id == user_id and any(one.event_type == event_type for one in event.events)

        _, sent = await read_until(fleet.kafka, NOTIFICATION_EVENTS, tells("sent"))
        assert (sent.lane, sent.channel) == ("transactional", "sms")
        key, delivered = await read_until(fleet.kafka, NOTIFICATION_EVENTS, tells("delivered"))
        assert key == str(sent.campaign_id).encode()
        assert delivered.campaign_id == sent.campaign_id
        assert len(await texts()) == 1
