"""Fixtures of all tests: real servers, fresh databases, unique topics, the whole fleet."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import psycopg
import pytest
import pytest_asyncio
from psycopg import sql

from contracts.events import Event
from contracts.topics import TOPICS, Topic
from deploy.local.fleet import Fleet
from deploy.local.servers import Servers
from shared.database.migrations import migrate
from shared.deploy import create_topics
from tests import servers as test_servers

ROLE_SECRET = "only-for-tests-0123456789"

DatabaseOf = Callable[[str], str]
NewTopic = Callable[..., Awaitable[Topic]]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "e2e: needs the whole fleet")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests with the fleet run in its event loop, else its supervision would stand still meanwhile."""
    for item in items:
        if "fleet" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.e2e)
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """Addresses of a real Kafka and a real PostgreSQL (as administrator), for the whole run."""
    with test_servers.running() as addresses:
        yield addresses


@pytest.fixture(scope="module")
def database_of(servers: Servers) -> Iterator[DatabaseOf]:
    """`database_of("audience")` is the address of that service's role in this test module's own, migrated database."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    server, _, _ = servers.database_url.rpartition("/")
    with psycopg.connect(servers.database_url, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        made: dict[str, str] = {}

        def database_of(service: str) -> str:
            if service not in made:
                made[service] = migrate(f"{server}/{name}", service, ROLE_SECRET)
            return made[service]

        yield database_of
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def new_topic(servers: Servers) -> NewTopic:
    """`await new_topic(EventType, …, partitions=1)` makes a topic that nobody else has."""

    async def make(*events: type[Event], partitions: int = 1) -> Topic:
        topic = Topic(f"test-{uuid.uuid4().hex[:12]}", "tests", "any", events, "A test's own.", partitions=partitions)
        await create_topics(servers.kafka, 1, (topic,))
        return topic

    return make


@pytest.fixture
def group() -> str:
    """A consumer group or service name that nobody else has."""
    return f"test-{uuid.uuid4().hex[:12]}"


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def topics(servers: Servers) -> tuple[Topic, ...]:
    """All topics of the system, made in the test run's Kafka."""
    await create_topics(servers.kafka, 1)
    return TOPICS


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def fleet(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Fleet]:
    """The whole fleet with its own servers, once for the run."""
    async with Fleet.running(tmp_path_factory.mktemp("fleet")) as running:
        yield running
