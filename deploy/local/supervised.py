"""One process that is kept running: started, waited for, started again with back-off when it dies, stopped."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deploy.local import process
from deploy.local.errors import FleetError

READY_POLL_SECONDS = 0.1
RESTART_FIRST_SECONDS = 0.2
RESTART_SECONDS_MAX = 15.0
STEADY_SECONDS = 30.0
"""A process that was up so long starts again without waiting."""

EARLY_DEATHS_MAX = 4
"""So often may a process die before it is ready for the first time; then the start has failed."""


@dataclass(frozen=True, slots=True)
class Program:
    """What to run and how to know that it is ready."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    folder: Path
    ready: Callable[[int], Awaitable[bool]]
    """Gets the size that the log had at the start; false until the process can work."""
    port: int | None = None
    stop_signal: int = signal.SIGTERM
    stop_seconds: float = 30.0
    death_signal: int = signal.SIGKILL


@dataclass(slots=True)
class Supervised:
    """A program under supervision. `state` is one of starting, ready, restarting, failed, stopped."""

    program: Program
    log: Path
    changed: Callable[[], None]
    state: str = "stopped"
    restarts: int = 0
    process: asyncio.subprocess.Process | None = None
    began: float | None = None
    _keeper: asyncio.Task[None] | None = None
    _was_ready: bool = False
    _killed: bool = False
    _changes: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def pid(self) -> int | None:
        """The number of the living process."""
        return self.process.pid if self.process is not None and self.process.returncode is None else None

    def start(self) -> None:
        """Begins to keep the program running."""
        self._keeper = asyncio.create_task(self._keep(), name=f"keep {self.program.name}")

    async def wait_ready(self, seconds: float) -> None:
        """Returns once the program is ready; raises `FleetError` with the end of its log when it has failed or is
        late."""
        try:
            async with asyncio.timeout(seconds), self._changes:
                await self._changes.wait_for(lambda: self.state in ("ready", "failed"))
        except TimeoutError:
            raise FleetError(self._story(f"is not ready after {seconds:.0f} s ({self.state})")) from None
        if self.state == "failed":
            raise FleetError(self._story("ends before it is ready"))

    def kill(self) -> None:
        """Kills the process as `kill -9` does; it will be started again."""
        if self.process is not None and self.process.returncode is None:
            self.state, self._killed = "restarting", True
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()

    async def stop(self) -> None:
        """Stops the process and its supervision; the process is gone afterwards."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        if self.process is not None:
            willing = await process.stop(self.process, self.program.stop_signal, self.program.stop_seconds)
            if not willing:
                print(
                    f"{self.program.name} did not stop within {self.program.stop_seconds:.0f} s: killed",
                    file=sys.stderr,
                )
        if self.state != "failed":
            await self._become("stopped")

    async def _keep(self) -> None:
        waits, early_deaths = 0, 0
        while True:
            try:
                up_since = time.monotonic()
                await self._run_once()
            except FleetError as error:
                self._note(str(error))
                await self._become("failed")
                return
            if not self._was_ready:
                early_deaths += 1
                if early_deaths >= EARLY_DEATHS_MAX:
                    await self._become("failed")
                    return
            waits = 0 if time.monotonic() - up_since > STEADY_SECONDS else waits + 1
            self.restarts += 1
            await self._become("restarting")
            if waits:
                await asyncio.sleep(min(RESTART_FIRST_SECONDS * 2 ** (waits - 1), RESTART_SECONDS_MAX))

    async def _run_once(self) -> None:
        program = self.program
        log_start = self.log.stat().st_size if self.log.exists() else 0
        self.process = await process.spawn(
            program.command, program.environment, self.log, program.folder, program.death_signal
        )
        self._killed = False
        self.began = process.started_at(self.process.pid)
        await self._become("starting")
        ended = asyncio.create_task(self.process.wait())
        try:
            while not ended.done():
                if await program.ready(log_start) and not self._killed:
                    self._was_ready = True
                    await self._become("ready")
                    break
                await asyncio.wait([ended], timeout=READY_POLL_SECONDS)
            code = await ended
            self._note(f"{program.name} (process {self.process.pid}) ended with {code}")
        finally:
            ended.cancel()

    async def _become(self, state: str) -> None:
        async with self._changes:
            self.state = state
            self._changes.notify_all()
        self.changed()

    def _note(self, text: str) -> None:
        with self.log.open("a") as file:
            file.write(f"-- supervisor: {text}\n")

    def _story(self, what: str) -> str:
        return f"{self.program.name} {what}; the end of {self.log}:\n{process.tail(self.log)}"

    def record(self) -> dict[str, Any]:
        """What `state.json` keeps of it."""
        return {
            "service": self.program.name,
            "pid": self.pid,
            "port": self.program.port,
            "state": self.state,
            "restarts": self.restarts,
            "began": self.began if self.pid is not None else None,
        }
