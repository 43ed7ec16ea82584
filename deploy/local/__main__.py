"""`python -m deploy.local up|down|ps|servers [--state DIR]`."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from pathlib import Path

from deploy.local import servers
from deploy.local.errors import FleetError
from deploy.local.fleet import Fleet
from deploy.local.roster import Roster, end_leftovers, end_supervisor, list_processes
from deploy.local.state import State, forget_data, locked, open_state
from deploy.local.stopping import until_told

GATEWAY_PORT = 8080


def main() -> None:
    """Exits 0 when told to stop, 1 with the reason when something is not possible."""
    parser = argparse.ArgumentParser(prog="python -m deploy.local", description="The fleet on this machine.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, purpose in (
        ("up", "start the fleet and keep it running until Ctrl-C"),
        ("servers", "start only Kafka and PostgreSQL, print their addresses, run until Ctrl-C"),
        ("down", "stop the fleet or the servers and leave nothing running"),
        ("ps", "list the processes as JSON"),
    ):
        command = commands.add_parser(name, help=purpose)
        command.add_argument("--state", type=Path, default=None, help="folder of the local state (default: .local)")
        if name == "servers":
            command.add_argument("--fresh", action="store_true", help="forget all data of earlier runs")
    arguments = parser.parse_args()
    try:
        state = open_state(arguments.state)
        match arguments.command:
            case "up":
                asyncio.run(until_told(run_fleet(state)))
            case "servers":
                asyncio.run(until_told(run_servers(state, arguments.fresh)))
            case "down":
                print("stopped" if end_supervisor(state) else "nothing is running")
            case "ps":
                print(json.dumps(list_processes(state.root), indent=1))
    except FleetError as error:
        sys.exit(f"deploy.local: {error}")


def gateway_port() -> int:
    """GATEWAY_PORT; raises `FleetError` when it is no port."""
    text = os.environ.get("GATEWAY_PORT", str(GATEWAY_PORT))
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise FleetError(f"GATEWAY_PORT={text} is no port")
    return int(text)


async def run_fleet(state: State) -> None:
    """Runs the whole fleet and says where it answers."""
    async with Fleet.running(state.root, gateway_port=gateway_port(), say=_say) as fleet:
        _say(f"pages: {fleet.url('gateway')}/notification   API: {fleet.url('gateway')}/docs")
        _say(f"simulator of all providers, for config.baseUrl of an account: {fleet.url('provider_simulator')}")
        _say(f"logs: {fleet.state.logs}; stop with Ctrl-C or `make down`")
        await asyncio.Event().wait()


async def run_servers(state: State, fresh: bool) -> None:
    """Runs Kafka and PostgreSQL; prints their addresses as one line of JSON when ready."""
    with locked(state):
        end_leftovers(state)
        if fresh:
            forget_data(state)
        async with servers.running(Roster(state)) as started:
            print(json.dumps({"kafka": started.kafka, "databaseUrl": started.database_url}), flush=True)
            await asyncio.Event().wait()


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    main()
