"""The supervisor: servers, deploy step and all services as child processes, kept running until told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deploy.local import process, servers
from deploy.local.environment import HOST, SERVICES, deploy_environment, service_environment, url
from deploy.local.errors import FleetError
from deploy.local.roster import Roster, end_leftovers, list_processes
from deploy.local.servers import Servers
from deploy.local.state import ROOT, State, choose_port, load_secrets, locked, open_state, require_port
from deploy.local.supervised import Program
from deploy.local.usage import Meter, Usage
from shared.database.roles import role_url

__all__ = ["SERVICES", "Fleet", "FleetError", "list_processes"]

DEPLOY_SECONDS = 120.0
READY_SECONDS = 60.0
PROBE_SECONDS = 2.0
STOP_SECONDS = 40.0
"""Above the time that a service gives its work in hand (GRACEFUL_SECONDS), twice."""

Overrides = Mapping[str, Mapping[str, Any]]
"""By service (or `deploy`): `env` adds variables, `command` replaces the command; an empty one leaves the step out."""


@dataclass(slots=True)
class Fleet:
    """A running fleet. Make it by `async with Fleet.running(...)`."""

    state: State
    roster: Roster
    servers: Servers
    ports: dict[str, int]
    overrides: Overrides
    say: Callable[[str], None]
    meter: Meter
    secrets: dict[str, str] = field(repr=False)

    @classmethod
    @asynccontextmanager
    async def running(
        cls,
        state_dir: Path | None = None,
        overrides: Overrides | None = None,
        services: Sequence[str] = SERVICES,
        gateway_port: int | None = None,
        existing: Servers | None = None,
        say: Callable[[str], None] = lambda _: None,
    ) -> AsyncIterator[Fleet]:
        """Starts everything and returns when every service is ready; stops everything at the end of the block.

        Without `gateway_port` any free port is taken. `existing` servers are used instead of own ones. Raises
        `FleetError` with the reason when the start is not possible; nothing is left running then either.
        """
        state = open_state(state_dir)
        with locked(state):
            for name in end_leftovers(state):
                say(f"ended {name}, left behind by a killed run")
            ports = {name: choose_port(state, name) for name in SERVICES}
            if gateway_port is not None:
                ports["gateway"] = require_port(gateway_port, "GATEWAY_PORT")
            roster = Roster(state)
            async with contextlib.AsyncExitStack() as stack:
                meter = Meter(roster)
                sampling = asyncio.create_task(meter.run(), name="meter")
                stack.callback(sampling.cancel)
                addresses = existing
                if addresses is None:
                    addresses = await stack.enter_async_context(servers.running(roster))
                say("kafka and postgres are ready")
                fleet = cls(state, roster, addresses, ports, overrides or {}, say, meter, load_secrets(state))
                await fleet._deploy()
                stack.push_async_callback(fleet._stop)
                await fleet._start(services)
                yield fleet

    @property
    def kafka(self) -> str:
        """Bootstrap servers."""
        return self.servers.kafka

    def url(self, service: str) -> str:
        """Where the service answers."""
        return url(self.ports[service])

    def database_url(self, service: str) -> str:
        """The service's own role in its database."""
        return role_url(self.servers.database_url, service, self.secrets["role_secret"])

    def environment(self, service: str) -> dict[str, str]:
        """The whole environment of the service, secrets included."""
        extra: Mapping[str, str] = self.overrides.get(service, {}).get("env", {})
        if service == "deploy":
            return {**deploy_environment(self.servers, self.secrets), **extra}
        return {**service_environment(service, self.ports, self.servers, self.secrets), **extra}

    def log(self, service: str) -> Path:
        """Where the service's output goes."""
        return self.state.log(service)

    def kill(self, service: str) -> None:
        """`kill -9`; the supervisor starts the service again. Await `wait_ready` next."""
        self.roster.supervised[service].kill()

    def signal(self, service: str, number: int) -> None:
        """Sends a signal, such as SIGSTOP and SIGCONT, to the service's process."""
        pid = self.roster.supervised[service].pid
        if pid is not None:
            os.kill(pid, number)

    async def wait_ready(self, service: str, seconds: float = READY_SECONDS) -> None:
        """Returns when the service is ready (again); raises `FleetError` when it is not in time."""
        await self.roster.supervised[service].wait_ready(seconds)

    def restarts(self, service: str) -> int:
        """How often the service was started again."""
        return self.roster.supervised[service].restarts

    def usage(self) -> dict[str, Usage]:
        """Memory and processor time by process, Kafka and PostgreSQL included where they are ours."""
        return self.meter.usage()

    async def _deploy(self) -> None:
        command = self.overrides.get("deploy", {}).get("command", [sys.executable, "-m", "shared.deploy"])
        if not command:
            return
        output = await process.run(
            command, DEPLOY_SECONDS, "the deploy step has failed", self.environment("deploy"), ROOT
        )
        self.log("deploy").write_text(output)
        self.say("roles, tables and topics are there")

    async def _start(self, services: Sequence[str]) -> None:
        started = [self.roster.start(self._program(service)) for service in services]
        await asyncio.gather(*(one.wait_ready(READY_SECONDS) for one in started))
        self.say(f"{len(services)} services are ready")

    async def _stop(self) -> None:
        own = [self.roster.supervised[name] for name in SERVICES if name in self.roster.supervised]
        await asyncio.gather(*(one.stop() for one in own))

    def _program(self, service: str) -> Program:
        port = self.ports[service]

        async def ready(_log_start: int) -> bool:
            return await _answers(port, "/ready")

        return Program(
            service,
            self.overrides.get(service, {}).get("command", [sys.executable, "-m", f"services.{service}"]),
            self.environment(service),
            ROOT,
            ready,
            port=port,
            stop_seconds=STOP_SECONDS,
        )


async def _answers(port: int, path: str) -> bool:
    """Whether a GET is answered with 200."""
    writer = None
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            reader, writer = await asyncio.open_connection(HOST, port)
            writer.write(f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode())
            return (await reader.readline()).split(b" ")[1:2] == [b"200"]
    except (OSError, TimeoutError):
        return False
    finally:
        if writer is not None:
            writer.close()
