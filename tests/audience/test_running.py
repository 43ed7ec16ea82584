"""The running service: from a launch on Kafka to lots on Kafka."""

from __future__ import annotations

import asyncio
from uuid import uuid4

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from contracts.topics import AUDIENCE_RESOLVED, CAMPAIGN_LIFECYCLE, LOTS
from deploy.local.state import free_port
from services.audience.app import build
from services.audience.settings import AudienceSettings
from shared.codec import decoder, encode
from shared.runtime import serving
from shared.settings import load
from tests.audience.conftest import Tenant, addresses, person, phone


async def test_a_launched_campaign_becomes_lots(servers, topics, database_of, database, monkeypatch):
    for name, value in {
        "HTTP_PORT": str(free_port()),
        "DATABASE_URL": database_of("audience"),
        "KAFKA_BOOTSTRAP_SERVERS": servers.kafka,
        "SECRETS_KEY": "key",
        "INTERNAL_TOKEN": "token",
        "LINK_BASE_URL": "https://n.example",
    }.items():
        monkeypatch.setenv(name, value)
    settings = load(AudienceSettings)
    tenant = Tenant(database)
    await tenant.save(*(person(n) for n in range(5)))
    campaign_id, stopping = uuid4(), asyncio.Event()
    launched = tenant.launched("sms", campaign_id=campaign_id)
    consumer = AIOKafkaConsumer(
        LOTS.name, AUDIENCE_RESOLVED.name, bootstrap_servers=servers.kafka, auto_offset_reset="earliest"
    )
    producer = AIOKafkaProducer(bootstrap_servers=servers.kafka)
    async with producer, consumer, build(settings) as service, serving(service, settings, stopping):
        await producer.send_and_wait(CAMPAIGN_LIFECYCLE.name, encode(launched), key=str(campaign_id).encode())
        found = {}
        async with asyncio.timeout(60):
            while len(found) < 2:
                record = await consumer.getone()
                event = decoder({LOTS.name: LOTS, AUDIENCE_RESOLVED.name: AUDIENCE_RESOLVED}[record.topic])(
                    record.value
                )
                if event.campaign_id == campaign_id:
                    found[record.topic] = event
    assert sorted(addresses([found[LOTS.name]])) == [phone(n) for n in range(5)]
    assert found[AUDIENCE_RESOLVED.name].recipients == 5
