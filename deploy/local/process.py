"""Child processes that never outlive their supervisor, and the records by which a later run finds leftovers."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

import psutil

from deploy.local.errors import FleetError

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None

LOG_BYTES_MAX = 20 * 1024 * 1024
KILL_SECONDS = 10.0
GONE_POLL_SECONDS = 0.05
INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "SSL_CERT_FILE", "JAVA_HOME", "COVERAGE_PROCESS_START")
"""What children get of the caller's environment; the rest could change what the fleet does."""


def inherited_environment() -> dict[str, str]:
    """The part of our environment that every child gets."""
    return {name: os.environ[name] for name in INHERITED if name in os.environ}


async def spawn(
    command: Sequence[str],
    environment: Mapping[str, str],
    log: Path,
    folder: Path,
    death_signal: int = signal.SIGKILL,
) -> asyncio.subprocess.Process:
    """Starts a child with its output in `log`; the kernel sends it `death_signal` should this process die first."""
    try:
        with _open_log(log) as output:
            return await asyncio.create_subprocess_exec(
                *command,
                env=dict(environment),
                cwd=folder,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                preexec_fn=die_with_parent(death_signal),
            )
    except OSError as error:
        raise FleetError(f"cannot start {command[0]}: {error.strerror}") from None


async def run(
    command: Sequence[str],
    seconds: float,
    trouble: str,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> str:
    """Runs to the end and returns what it printed; raises `FleetError` with it when it fails or is late."""
    running = await asyncio.create_subprocess_exec(
        *command,
        env=None if environment is None else dict(environment),
        cwd=folder,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
        preexec_fn=die_with_parent(signal.SIGKILL),
    )
    try:
        output, _ = await asyncio.wait_for(running.communicate(), seconds)
    except TimeoutError:
        raise FleetError(f"{trouble}: no end after {seconds:.0f} s") from None
    finally:
        if running.returncode is None:
            running.kill()
            await running.wait()
    text = output.decode(errors="replace")
    if running.returncode != 0:
        raise FleetError(f"{trouble}:\n{text[-2000:].strip()}")
    return text


async def stop(process: asyncio.subprocess.Process, number: int, seconds: float) -> bool:
    """Asks by signal and waits; after `seconds` kills. False means that it had to be killed."""
    if process.returncode is not None:
        return True
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(number)
    try:
        await asyncio.wait_for(process.wait(), seconds)
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        return False
    return True


def started_at(pid: int) -> float | None:
    """When the process began, which tells it from a later one with the same number; None when there is none."""
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except psutil.Error:
        return None


def find(pid: object, began: object) -> psutil.Process | None:
    """The living process with this number and this start, or None."""
    if not isinstance(pid, int) or not isinstance(began, float):
        return None
    now = started_at(pid)
    if now is None or abs(now - began) > 0.05:
        return None
    return psutil.Process(pid)


def end(processes: Sequence[psutil.Process], seconds: float = KILL_SECONDS) -> None:
    """Ends processes that we no longer hold as children: SIGTERM, then SIGKILL, with everything they started."""
    family = list(processes)
    for process in processes:
        with contextlib.suppress(psutil.Error):
            family += process.children(recursive=True)
    for process in family:
        with contextlib.suppress(psutil.Error):
            process.terminate()
    alive = wait_gone(family, seconds)
    for process in alive:
        with contextlib.suppress(psutil.Error):
            process.kill()
    wait_gone(alive, seconds)


def wait_gone(processes: Sequence[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Waits until they have ended and returns those that have not; one that nobody has buried yet has ended."""
    deadline = time.monotonic() + seconds
    alive = list(processes)
    while True:
        alive = [process for process in alive if find(process.pid, process.create_time()) is not None]
        if not alive or time.monotonic() > deadline:
            return alive
        time.sleep(GONE_POLL_SECONDS)


def tail(log: Path, lines: int = 8) -> str:
    """The last lines of a log, for an error message."""
    try:
        with log.open("rb") as file:
            file.seek(max(file.seek(0, os.SEEK_END) - 8192, 0))
            return "\n".join(f"    {line[:300]}" for line in file.read().decode(errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return ""


def _open_log(log: Path) -> IO[bytes]:
    if log.exists() and log.stat().st_size > LOG_BYTES_MAX:
        log.replace(log.with_suffix(".log.1"))
    return log.open("ab")


def die_with_parent(number: int) -> Callable[[], None] | None:
    """A `preexec_fn`: the kernel sends the child this signal when the parent is gone. Linux only, elsewhere None."""
    if _LIBC is None:
        return None
    libc, parent = _LIBC, os.getpid()

    def prepare() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return prepare


def runs(pid: int, name: str) -> bool:
    """Whether the process is a program of that name."""
    try:
        return psutil.Process(pid).name() == name
    except psutil.Error:
        return False
