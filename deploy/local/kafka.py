"""A real Apache Kafka: one KRaft broker from Maven's jars, data and configuration in the local state."""

from __future__ import annotations

import asyncio
import base64
import fcntl
import re
import shutil
import sys
import uuid
from pathlib import Path
from typing import IO

from deploy.local import process
from deploy.local.errors import FleetError
from deploy.local.state import DEFAULT_STATE, ROOT, State, choose_port
from deploy.local.supervised import Program

RECIPE = ROOT / "deploy" / "kafka"
COPY_GOAL = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies"
JAVA_MIN = 17
HEAP_MIB = 512
FETCH_SECONDS = 400.0
LOCK_POLL_SECONDS = 0.2
FORMAT_SECONDS = 60.0
STOP_SECONDS = 20.0
READY_LINE = b"Kafka Server started"
LOG_READ_BYTES_MAX = 4 * 1024 * 1024

ADVICE = (
    "install a Java runtime 17 or newer and Maven 3.8 or newer (Debian, Ubuntu: apt install default-jre-headless "
    "maven), or name a running Kafka in KAFKA_BOOTSTRAP_SERVERS"
)


async def prepare(state: State) -> Program:
    """Fetches, configures and formats what is missing; returns the broker, ready to be started."""
    java = await _find_java()
    jars = await _fetch_jars()
    folder = state.root / "kafka"
    data = folder / "data"
    data.mkdir(parents=True, exist_ok=True)
    port = choose_port(state, "kafka")
    configuration = folder / "server.properties"
    text = (RECIPE / "server.properties").read_text()
    values = {
        "@DATA@": str(data),
        "@PORT@": str(port),
        "@CONTROLLER_PORT@": str(choose_port(state, "kafka controller")),
    }
    for mark, value in values.items():
        text = text.replace(mark, value)
    configuration.write_text(text)
    run = [
        java,
        "-Xms256m",
        f"-Xmx{HEAP_MIB}m",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        f"-Dlog4j2.configurationFile={RECIPE / 'log4j2.properties'}",
        "-cp",
        f"{jars}/*",
    ]
    log = state.log("kafka")
    if not (data / "meta.properties").exists():
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "A")
        await process.run(
            [*run, "kafka.tools.StorageTool", "format", "--ignore-formatted", "-t", cluster, "-c", str(configuration)],
            FORMAT_SECONDS,
            "Kafka's storage cannot be formatted",
        )

    async def ready(log_start: int) -> bool:
        with log.open("rb") as file:
            file.seek(log_start)
            return READY_LINE in file.read(LOG_READ_BYTES_MAX)

    return Program(
        "kafka",
        [*run, "kafka.Kafka", str(configuration)],
        process.inherited_environment(),
        folder,
        ready,
        port=port,
        stop_seconds=STOP_SECONDS,
    )


async def _find_java() -> str:
    java = shutil.which("java")
    if java is None:
        raise FleetError(f"Kafka needs Java, and there is none on the PATH: {ADVICE}")
    text = await process.run([java, "-version"], 30.0, "java does not answer")
    found = re.search(r'version "(\d+)', text)
    if found is None or int(found[1]) < JAVA_MIN:
        raise FleetError(
            f"Kafka needs Java {JAVA_MIN} or newer, {java} is {found[1] if found else 'unknown'}: {ADVICE}"
        )
    return java


async def _fetch_jars() -> Path:
    """The folder of the jars, shared by all local states of the checkout; fetched once."""
    pom = (RECIPE / "pom.xml").read_text()
    version = re.search(r"kafka_2\.13</artifactId>\s*<version>([^<]+)<", pom)
    assert version is not None, "deploy/kafka/pom.xml names no Kafka"
    jars = DEFAULT_STATE / f"kafka-{version[1]}"
    if jars.is_dir():
        return jars
    DEFAULT_STATE.mkdir(parents=True, exist_ok=True)
    with (DEFAULT_STATE / "jars.lock").open("w") as lock:
        await _wait_for(lock)
        if jars.is_dir():
            return jars
        maven = shutil.which("mvn")
        if maven is None:
            raise FleetError(f"Kafka's jars are fetched by Maven, and there is no mvn on the PATH: {ADVICE}")
        half = jars.with_suffix(".part")
        shutil.rmtree(half, ignore_errors=True)
        print("fetching Kafka (43 MB, once)", file=sys.stderr, flush=True)
        await process.run(
            [maven, "-q", "-B", "-f", str(RECIPE / "pom.xml"), COPY_GOAL, f"-DoutputDirectory={half}"],
            FETCH_SECONDS,
            "Maven cannot fetch Kafka",
        )
        half.rename(jars)
    return jars


async def _wait_for(lock: IO[str]) -> None:
    """Waits while another start of this checkout fetches the same jars."""
    for _ in range(int(FETCH_SECONDS / LOCK_POLL_SECONDS)):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            await asyncio.sleep(LOCK_POLL_SECONDS)
        else:
            return
    raise FleetError(f"another start has been fetching Kafka for more than {FETCH_SECONDS:.0f} s; end it and try again")
