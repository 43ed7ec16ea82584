"""`notify fleet`: the fleet on this machine."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from deploy.local.roster import list_processes
from deploy.local.state import DEFAULT_STATE
from notify.display import console, print_json

app = typer.Typer(no_args_is_help=True, help="The fleet on this machine.")


@app.callback()
def _group() -> None:
    """The fleet on this machine."""


@app.command()
def ps(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Its processes: service, pid, port, state and restarts."""
    processes = list_processes(DEFAULT_STATE)
    if as_json:
        print_json(processes)
        return
    table = Table("service", "pid", "port", "state", "restarts")
    for one in processes:
        table.add_row(*(str("" if value is None else value) for value in one.values()))
    console.print(table if processes else "no fleet has run here: `make up` starts one")
