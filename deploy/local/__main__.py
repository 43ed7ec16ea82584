"""`python -m deploy.local servers|down|ps [--state DIR]`."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import signal
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from deploy.local import servers
from deploy.local.errors import FleetError
from deploy.local.roster import Roster, end_leftovers, end_supervisor, list_processes
from deploy.local.state import State, locked, open_state


def main() -> None:
    """Exits 0 when told to stop, 1 with the reason when something is not possible."""
    parser = argparse.ArgumentParser(prog="python -m deploy.local", description="The fleet on this machine.")
    parser.add_argument("command", choices=("servers", "down", "ps"))
    parser.add_argument("--state", type=Path, default=None, help="folder of the local state (default: .local)")
    arguments = parser.parse_args()
    try:
        state = open_state(arguments.state)
        match arguments.command:
            case "servers":
                asyncio.run(until_told(run_servers(state)))
            case "down":
                print("stopped" if end_supervisor(state) else "nothing is running")
            case "ps":
                print(json.dumps(list_processes(state.root), indent=1))
    except FleetError as error:
        sys.exit(f"deploy.local: {error}")


async def until_told(work: Coroutine[Any, Any, None]) -> None:
    """Runs the work until SIGINT or SIGTERM cancels it; its clean-up is awaited, further signals change nothing."""
    task = asyncio.create_task(work)
    told = False

    def tell() -> None:
        nonlocal told
        if not told:
            told = True
            print("stopping", file=sys.stderr, flush=True)
            task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, tell)
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def run_servers(state: State) -> None:
    """Runs Kafka and PostgreSQL; prints their addresses as one line of JSON when ready."""
    with locked(state):
        end_leftovers(state)
        async with servers.running(Roster(state)) as started:
            print(json.dumps({"kafka": started.kafka, "databaseUrl": started.database_url}), flush=True)
            await asyncio.Event().wait()


if __name__ == "__main__":
    main()
