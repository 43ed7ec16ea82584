"""The supervisor's promises, on programs that only pretend to be services."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest

from deploy.local import fleet as fleet_module
from deploy.local.environment import service_environment
from deploy.local.fleet import SERVICES, Fleet, FleetError, list_processes
from deploy.local.servers import Servers
from deploy.local.state import ROOT, choose_port, free_port, holder_of, load_secrets, locked, open_state
from deploy.secrets import read_json
from tests.waiting import until

PRETENDER = [sys.executable, "-m", "tests.local_fleet.pretender"]
NOWHERE = Servers("127.0.0.1:1", "postgresql://postgres:secret@127.0.0.1:1/notifications")
TWO = ("campaign", "gateway")


def pretending(*services: str, **variables: str) -> dict[str, Mapping[str, Any]]:
    return {"deploy": {"command": []}} | {name: {"command": PRETENDER, "env": variables} for name in services}


def family() -> set[int]:
    """Our own children only: a PostgreSQL that runs for other tests forks workers of its own at any time."""
    return {child.pid for child in psutil.Process().children()}


async def test_starts_lists_and_stops_everything(tmp_path: Path) -> None:
    before = family()
    async with Fleet.running(tmp_path, pretending(*TWO), TWO, existing=NOWHERE) as fleet:
        listed = list_processes(tmp_path)
        assert {(p["service"], p["state"], p["restarts"]) for p in listed} == {(name, "ready", 0) for name in TWO}
        assert {p["port"] for p in listed} == {fleet.ports[name] for name in TWO}
        assert all(psutil.pid_exists(p["pid"]) for p in listed)
    assert family() == before
    assert [(p["pid"], p["state"]) for p in list_processes(tmp_path)] == [(None, "stopped")] * 2


async def test_a_killed_service_is_started_again(tmp_path: Path) -> None:
    async with Fleet.running(tmp_path, pretending(*TWO), TWO, existing=NOWHERE) as fleet:
        for round_number in (1, 2, 3):
            fleet.kill("campaign")
            await fleet.wait_ready("campaign")
            assert fleet.restarts("campaign") == round_number
        assert fleet.restarts("gateway") == 0
        assert "ended with -9" in fleet.log("campaign").read_text()


async def test_a_service_that_cannot_start_fails_the_start_with_its_last_words(tmp_path: Path) -> None:
    before = family()
    overrides = pretending("campaign") | pretending("gateway", FAKE_MODE="dies")
    with pytest.raises(FleetError, match=r"(?s)gateway ends before it is ready.*no reason to live"):
        async with Fleet.running(tmp_path, overrides, TWO, existing=NOWHERE):
            pytest.fail("it started")
    assert family() == before


async def test_a_service_that_never_gets_ready_fails_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet_module, "READY_SECONDS", 2.0)
    before = family()
    with pytest.raises(FleetError, match=r"gateway is not ready after 2 s"):
        async with Fleet.running(tmp_path, pretending("gateway", FAKE_MODE="never ready"), TWO[1:], existing=NOWHERE):
            pytest.fail("it started")
    assert family() == before


async def test_a_service_deaf_to_sigterm_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet_module, "STOP_SECONDS", 0.5)
    before = family()
    async with Fleet.running(tmp_path, pretending("gateway", FAKE_MODE="deaf"), TWO[1:], existing=NOWHERE):
        pass
    assert family() == before


async def test_a_failed_deploy_step_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    deploy = {"deploy": {"command": [sys.executable, "-c", "import sys; sys.exit('no such role')"]}}
    with pytest.raises(FleetError, match=r"(?s)deploy step has failed.*no such role"):
        async with Fleet.running(tmp_path, pretending("gateway") | deploy, TWO[1:], existing=NOWHERE):
            pytest.fail("it started")


async def test_only_one_supervisor_in_a_state(tmp_path: Path) -> None:
    with (
        locked(open_state(tmp_path)),
        pytest.raises(FleetError, match=rf"already running in .*process {os.getpid()}.*make down"),
    ):
        async with Fleet.running(tmp_path, pretending("gateway"), TWO[1:], existing=NOWHERE):
            pytest.fail("it started")


async def test_a_taken_gateway_port_names_its_holder(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        with pytest.raises(FleetError, match=rf"port {port} is taken by process {os.getpid()} .*set GATEWAY_PORT"):
            async with Fleet.running(tmp_path, pretending("gateway"), TWO[1:], port, NOWHERE):
                pytest.fail("it started")


def test_ports_are_remembered_and_replaced_when_taken(tmp_path: Path) -> None:
    state = open_state(tmp_path)
    port = choose_port(state, "kafka")
    assert choose_port(state, "kafka") == port
    with socket.create_server(("127.0.0.1", port)):
        assert f"process {os.getpid()} " in holder_of(port)
        assert choose_port(state, "kafka") != port


def test_secrets_are_made_once_for_their_owner_only(tmp_path: Path) -> None:
    state = open_state(tmp_path)
    made = load_secrets(state)
    assert load_secrets(state) == made
    assert state.secrets.stat().st_mode & 0o777 == 0o600


def test_a_service_gets_its_own_role_and_no_stranger_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    ports = {name: 20_000 + number for number, name in enumerate(SERVICES)}
    secrets = {"role_secret": "r" * 20, "secrets_key": "k", "internal_token": "t", "postgres_password": "p"}
    for name in ("GATEWAY_PORT", "GATEWAY_PAGE_MAX", "DISPATCHER_BATCH_MAX", "UNRELATED"):
        monkeypatch.setenv(name, "7")
    gateway = service_environment("gateway", ports, NOWHERE, secrets)
    assert gateway["GATEWAY_PAGE_MAX"] == "7"
    assert gateway["GATEWAY_AUDIENCE_URL"] == f"http://127.0.0.1:{ports['audience']}"
    assert gateway["DATABASE_URL"].startswith("postgresql://gateway:")
    assert not {"GATEWAY_PORT", "DISPATCHER_BATCH_MAX", "UNRELATED"} & gateway.keys()
    simulator = service_environment("provider_simulator", ports, NOWHERE, secrets)
    assert not {"DATABASE_URL", "KAFKA_BOOTSTRAP_SERVERS", "SECRETS_KEY", "INTERNAL_TOKEN"} & simulator.keys()


async def test_overrides_reach_the_process(tmp_path: Path) -> None:
    async with Fleet.running(tmp_path, pretending("gateway", EXTRA="yes"), TWO[1:], existing=NOWHERE) as fleet:
        answer = await asyncio.to_thread(lambda: urllib.request.urlopen(fleet.url("gateway"), timeout=5).read())
        seen = json.loads(answer)["environment"]
        assert seen["EXTRA"] == "yes"
        assert seen["DATABASE_URL"] == fleet.database_url("gateway") == fleet.environment("gateway")["DATABASE_URL"]


async def test_usage_outlives_a_restart(tmp_path: Path) -> None:
    async with Fleet.running(tmp_path, pretending("gateway"), TWO[1:], existing=NOWHERE) as fleet:
        first = fleet.usage()["gateway"]
        assert first.memory_mib > 1
        fleet.kill("gateway")
        await fleet.wait_ready("gateway")
        second = fleet.usage()["gateway"]
        assert second.cpu_seconds > first.cpu_seconds
        assert second.memory_mib >= first.memory_mib


SUPERVISOR = """
import asyncio, pathlib, sys
from deploy.local.fleet import Fleet
from deploy.local.stopping import until_told
from tests.local_fleet.test_fleet import NOWHERE, TWO, pretending

async def run():
    async with Fleet.running(pathlib.Path(sys.argv[1]), pretending(*TWO), TWO, existing=NOWHERE):
        print("up", flush=True)
        await asyncio.Event().wait()

asyncio.run(until_told(run()))
"""


def start_supervisor(state: Path) -> subprocess.Popen[str]:
    supervisor = subprocess.Popen(
        [sys.executable, "-c", SUPERVISOR, str(state)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert supervisor.stdout is not None
    assert supervisor.stdout.readline() == "up\n"
    return supervisor


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
async def test_nothing_outlives_the_supervisor(tmp_path: Path, number: signal.Signals) -> None:
    with start_supervisor(tmp_path) as supervisor:
        services = [psutil.Process(p["pid"]) for p in list_processes(tmp_path)]
        assert len(services) == 2
        supervisor.send_signal(number)
        assert await asyncio.to_thread(supervisor.wait, 20) == (-9 if number == signal.SIGKILL else 0)
    await until(lambda: not any(service.is_running() for service in services), what="all services are gone")


async def test_down_stops_the_fleet_of_another_process(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "deploy.local", "down", "--state", str(tmp_path)]
    with start_supervisor(tmp_path) as supervisor:
        services = [psutil.Process(p["pid"]) for p in list_processes(tmp_path)]
        done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stdout) == (0, "stopped\n")
        assert not any(service.is_running() for service in services)
        assert await asyncio.to_thread(supervisor.wait, 20) == 0
    again = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=60)
    assert again.stdout == "nothing is running\n"


@pytest.fixture
def leftover() -> Iterator[psutil.Process]:
    """A process that a killed supervisor could have left behind."""
    environment = os.environ | {"HTTP_PORT": str(free_port())}
    with subprocess.Popen(PRETENDER, cwd=ROOT, env=environment) as process:
        yield psutil.Process(process.pid)
        process.kill()


async def test_leftovers_of_a_killed_run_are_ended_and_strangers_spared(
    tmp_path: Path, leftover: psutil.Process
) -> None:
    stranger = psutil.Process()
    records = [
        {"service": "campaign", "pid": leftover.pid, "began": leftover.create_time()},
        {"service": "gateway", "pid": stranger.pid, "began": stranger.create_time() - 60},
    ]
    open_state(tmp_path).processes.write_text(json.dumps({"processes": records}))
    said: list[str] = []
    async with Fleet.running(tmp_path, pretending("gateway"), TWO[1:], existing=NOWHERE, say=said.append):
        assert leftover.status() == psutil.STATUS_ZOMBIE
    assert said[0].startswith("ended campaign")


def test_a_half_written_state_is_no_state(tmp_path: Path) -> None:
    state = open_state(tmp_path)
    state.processes.write_text('{"processes": [')
    assert read_json(state.processes) == {}
    assert list_processes(tmp_path) == []
