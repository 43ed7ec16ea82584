"""The list of supervised processes, kept in a file for `ps`, `down` and the clean-up after a killed run."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deploy.local import process
from deploy.local.state import State
from deploy.local.supervised import Program, Supervised
from deploy.secrets import read_json, write_json

STOP_SECONDS = 90.0


@dataclass(slots=True)
class Roster:
    """Everything that one supervisor runs."""

    state: State
    supervised: dict[str, Supervised] = field(default_factory=dict)

    def start(self, program: Program) -> Supervised:
        """Takes the program under supervision and starts it."""
        started = Supervised(program, self.state.log(program.name), self.write)
        self.supervised[program.name] = started
        started.start()
        return started

    def write(self) -> None:
        """Brings the file up to date."""
        supervisor = {"pid": os.getpid(), "began": process.started_at(os.getpid())}
        records = [supervised.record() for supervised in self.supervised.values()]
        write_json(self.state.processes, {"supervisor": supervisor, "processes": records})


def list_processes(state_folder: Path) -> list[dict[str, Any]]:
    """What runs in this state, as service, pid, port, state and restarts; `stopped` where the process is gone."""
    content = read_json(State(state_folder).processes)
    supervisor = content.get("supervisor", {})
    alive = process.find(supervisor.get("pid"), supervisor.get("began")) is not None
    listed = []
    for record in content.get("processes", []):
        running = process.find(record.get("pid"), record.get("began")) is not None
        listed.append(
            {
                "service": record["service"],
                "pid": record["pid"] if running else None,
                "port": record["port"],
                "state": record["state"] if alive or running else "stopped",
                "restarts": record["restarts"],
            }
        )
    return listed


def end_leftovers(state: State) -> list[str]:
    """Ends what a killed supervisor left behind and names it. Call it with the state locked."""
    left = []
    for record in read_json(state.processes).get("processes", []):
        found = process.find(record.get("pid"), record.get("began"))
        if found is not None:
            process.end([found])
            left.append(str(record["service"]))
    return left


def end_supervisor(state: State) -> bool:
    """Stops the fleet of another process and waits for it, then ends what is left; False when none ran."""
    supervisor = read_json(state.processes).get("supervisor", {})
    found = process.find(supervisor.get("pid"), supervisor.get("began"))
    if found is not None:
        found.terminate()
        process.end(process.wait_gone([found], STOP_SECONDS))
    return bool(end_leftovers(state)) or found is not None
