"""The folder with everything that the local fleet keeps: secrets, ports, logs, data, records of processes."""

from __future__ import annotations

import fcntl
import os
import random
import shutil
import socket
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from deploy import secrets
from deploy.local.errors import FleetError
from deploy.secrets import read_json, write_json

ROOT = Path(__file__).resolve().parents[2]
DEFAULT_STATE = ROOT / ".local"

PORTS = range(15_000, 32_000)
"""Below the ports that the system gives to outgoing connections, which would take ours while a service restarts."""

PORT_ATTEMPTS_MAX = 200


@dataclass(frozen=True, slots=True)
class State:
    """Paths of one local fleet."""

    root: Path

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def lock(self) -> Path:
        return self.root / "lock"

    @property
    def processes(self) -> Path:
        return self.root / "state.json"

    @property
    def secrets(self) -> Path:
        return self.root / "secrets.json"

    @property
    def ports(self) -> Path:
        return self.root / "ports.json"

    def log(self, name: str) -> Path:
        """The log file of one process."""
        return self.logs / f"{name}.log"


def open_state(folder: Path | None) -> State:
    """The state in `folder`, made if missing; the default is `.local` of the checkout."""
    state = State((folder or DEFAULT_STATE).resolve())
    try:
        state.logs.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FleetError(f"cannot write to {state.root}: {error.strerror}") from None
    return state


@contextmanager
def locked(state: State) -> Iterator[None]:
    """Only one supervisor per state folder; the lock ends with its process, however it ends."""
    with state.lock.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            raise FleetError(
                f"a fleet is already running in {state.root} (process {holder}); stop it with `make down`"
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def load_secrets(state: State) -> dict[str, str]:
    """The fleet's secrets, made at the first start and readable by their owner only."""
    return secrets.load_secrets(state.secrets)


def forget_data(state: State) -> None:
    """Removes the servers' data; they begin anew. Call it with the state locked and nothing running."""
    for name in ("kafka", "postgres"):
        shutil.rmtree(state.root / name, ignore_errors=True)


def choose_port(state: State, name: str) -> int:
    """The port that `name` had before, or a free one when it is taken now; remembered for the next start."""
    ports = read_json(state.ports)
    port = ports.get(name)
    if not isinstance(port, int) or not is_free(port):
        port = free_port(set(ports.values()))
        ports[name] = port
        write_json(state.ports, ports)
    return port


def require_port(port: int, variable: str) -> int:
    """The port itself; raises `FleetError` naming who holds it."""
    if not is_free(port):
        raise FleetError(f"port {port} is taken by {holder_of(port)}; set {variable} to a free one")
    return port


def is_free(port: int) -> bool:
    """Whether a server could listen there on loopback now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def holder_of(port: int) -> str:
    """Who listens on the port, as far as we may know."""
    try:
        connections = psutil.net_connections("tcp")
    except psutil.AccessDenied:
        return "another process"
    for connection in connections:
        if connection.laddr and connection.laddr.port == port and connection.status == psutil.CONN_LISTEN:
            try:
                process = psutil.Process(connection.pid)
                return f"process {process.pid} ({' '.join(process.cmdline())[:100] or process.name()})"
            except (psutil.Error, TypeError):
                break
    return "another process"


def free_port(taken: Collection[object] = ()) -> int:
    """A port where nobody listens; it stays free only by luck until someone does."""
    for _ in range(PORT_ATTEMPTS_MAX):
        port = random.choice(PORTS)
        if port not in taken and is_free(port):
            return port
    raise FleetError(f"no free port found between {PORTS.start} and {PORTS.stop}")
