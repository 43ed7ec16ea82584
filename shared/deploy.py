"""The deploy step: roles, schemas, migrations and topics. Run it before the services; running it again is harmless.

`python -m shared.deploy` reads DATABASE_ADMIN_URL, DATABASE_ROLE_SECRET and KAFKA_BOOTSTRAP_SERVERS.
"""

from __future__ import annotations

import asyncio
import sys

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, for_code
from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from contracts.topics import TOPICS, Topic
from shared.database.migrations import migrate
from shared.database.roles import SERVICES
from shared.kafka import RECORD_BYTES_MAX

REQUEST_TIMEOUT_MS = 20_000
_EXISTS = 36


class DeploySettings(BaseSettings):
    """What the deploy step needs."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    database_admin_url: SecretStr = Field(validation_alias="DATABASE_ADMIN_URL")
    database_role_secret: SecretStr = Field(validation_alias="DATABASE_ROLE_SECRET", min_length=16)
    kafka_bootstrap_servers: str = Field(validation_alias="KAFKA_BOOTSTRAP_SERVERS")
    kafka_replicas: int = Field(1, validation_alias="KAFKA_REPLICAS", ge=1, le=5)


def topic_configuration(topic: Topic) -> dict[str, str]:
    """Kafka's settings of a topic, from the one table."""
    configuration = {"max.message.bytes": str(RECORD_BYTES_MAX), "min.insync.replicas": "1"}
    if topic.retention_ms is None:
        return configuration | {"cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0.1"}
    return configuration | {"cleanup.policy": "delete", "retention.ms": str(topic.retention_ms)}


async def create_topics(bootstrap_servers: str, replicas: int, topics: tuple[Topic, ...] = TOPICS) -> None:
    """Creates the topics that are missing; raises `KafkaError` for any other answer than done or exists."""
    admin = AIOKafkaAdminClient(
        bootstrap_servers=bootstrap_servers.split(","), client_id="deploy", request_timeout_ms=REQUEST_TIMEOUT_MS
    )
    await admin.start()
    try:
        wanted = [NewTopic(t.name, t.partitions, replicas, topic_configs=topic_configuration(t)) for t in topics]
        answer = await admin.create_topics(wanted, timeout_ms=REQUEST_TIMEOUT_MS)
        for name, code, *_ in answer.topic_errors:
            if code not in (0, _EXISTS):
                raise for_code(code)(f"topic {name}")
    finally:
        await admin.close()


def main() -> None:
    """Does everything and says so; exits 1 with the reason when something is not possible."""
    try:
        settings = DeploySettings()
    except ValidationError as error:
        sys.exit("; ".join(f"{'.'.join(map(str, p['loc']))}: {p['msg']}" for p in error.errors(include_input=False)))
    for service in SERVICES:
        migrate(
            settings.database_admin_url.get_secret_value(), service, settings.database_role_secret.get_secret_value()
        )
        print(f"migrated {service}", flush=True)
    try:
        asyncio.run(create_topics(settings.kafka_bootstrap_servers, settings.kafka_replicas))
    except KafkaError as error:
        sys.exit(f"topics cannot be made at {settings.kafka_bootstrap_servers}: {error}")
    print(f"{len(TOPICS)} topics are there", flush=True)


if __name__ == "__main__":
    main()
