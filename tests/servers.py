"""Real Kafka and PostgreSQL for the tests: named ones, containers where a Docker engine answers, else local ones."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from deploy.local.process import die_with_parent
from deploy.local.servers import Servers
from deploy.local.state import DEFAULT_STATE, ROOT

STATES_MAX = 8
"""So many test runs can go on at once in one checkout."""

STOP_SECONDS = 60.0
DOCKER_SECONDS = 3
KAFKA_IMAGE = os.environ.get("KAFKA_IMAGE", "apache/kafka:4.4.0")
POSTGRES_IMAGE = os.environ.get("POSTGRES_IMAGE", "postgres:18.4")
KAFKA_PORT = 9092


@contextmanager
def running() -> Iterator[Servers]:
    """The servers for one test run. TEST_SERVERS=local or containers decides; otherwise what is there."""
    wanted = os.environ.get("TEST_SERVERS", "")
    if os.environ.get("KAFKA_BOOTSTRAP_SERVERS") and os.environ.get("DATABASE_URL"):
        yield Servers(os.environ["KAFKA_BOOTSTRAP_SERVERS"], os.environ["DATABASE_URL"])
        return
    containers = wanted == "containers" or (wanted != "local" and _docker_answers())
    with _in_containers() if containers else _on_this_machine() as servers:
        yield servers


def _docker_answers() -> bool:
    try:
        import docker  # type: ignore[import-untyped, unused-ignore]

        client = docker.from_env(timeout=DOCKER_SECONDS)
    except Exception:
        return False
    with contextlib.closing(client):
        try:
            return bool(client.ping())
        except Exception:
            return False


@contextmanager
def _on_this_machine() -> Iterator[Servers]:
    for number in range(1, STATES_MAX + 1):
        command = [sys.executable, "-m", "deploy.local", "servers", "--fresh"]
        process = subprocess.Popen(
            [*command, "--state", str(DEFAULT_STATE / f"test-{number}")],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            preexec_fn=die_with_parent(signal.SIGTERM),
        )
        assert process.stdout is not None
        assert process.stderr is not None
        line = process.stdout.readline()
        if line:
            break
        trouble = process.communicate()[1]
        if "already running" not in trouble:
            raise RuntimeError(trouble)
    else:
        raise RuntimeError(f"{STATES_MAX} test runs are going on already")
    addresses = json.loads(line)
    try:
        yield Servers(addresses["kafka"], addresses["databaseUrl"])
    finally:
        process.terminate()
        try:
            process.communicate(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


@contextmanager
def _in_containers() -> Iterator[Servers]:
    from testcontainers.community.postgres import PostgresContainer
    from testcontainers.core.container import DockerContainer
    from testcontainers.core.wait_strategies import LogMessageWaitStrategy

    from deploy.local.state import free_port

    port = free_port()
    kafka = (
        DockerContainer(KAFKA_IMAGE)
        .with_bind_ports(KAFKA_PORT, port)
        .with_env("KAFKA_NODE_ID", "1")
        .with_env("KAFKA_PROCESS_ROLES", "broker,controller")
        .with_env("KAFKA_LISTENERS", f"PLAINTEXT://:{KAFKA_PORT},CONTROLLER://:9093")
        .with_env("KAFKA_ADVERTISED_LISTENERS", f"PLAINTEXT://127.0.0.1:{port}")
        .with_env("KAFKA_CONTROLLER_LISTENER_NAMES", "CONTROLLER")
        .with_env("KAFKA_LISTENER_SECURITY_PROTOCOL_MAP", "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT")
        .with_env("KAFKA_CONTROLLER_QUORUM_VOTERS", "1@localhost:9093")
        .with_env("KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR", "1")
        .with_env("KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS", "0")
        .with_env("KAFKA_AUTO_CREATE_TOPICS_ENABLE", "false")
        .waiting_for(LogMessageWaitStrategy("Kafka Server started"))
    )
    postgres = PostgresContainer(POSTGRES_IMAGE, username="postgres", dbname="notifications", driver=None)
    with kafka, postgres:
        yield Servers(f"127.0.0.1:{port}", postgres.get_connection_url())
