"""`notify analytics`: the dashboard's numbers against what they come from."""

from __future__ import annotations

import subprocess
import sys
from typing import Annotated, Any

import typer

from deploy.local.state import ROOT
from notify.client import open_api
from notify.display import checks_table, console, print_json, shown_checks
from notify.running import FELL_SHORT, run
from notify.settings import find_environment, find_settings
from notify.verification import Check, compare_costs

app = typer.Typer(no_args_is_help=True, help="The dashboard's numbers against what they come from.")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def rebuild(
    verify: Annotated[bool, typer.Option("--verify", help="Compare only; exit 1 on any difference.")] = False,
    as_json: AsJson = False,
) -> None:
    """Count the event log again, and correct the dashboard's sums by what they differ. Services may go on.

    Works in the database itself, with the settings of the analytics service.
    """
    options = ["--verify"] * verify + ["--json"] * as_json
    command = [sys.executable, "-m", "services.analytics", "rebuild", *options]
    done = subprocess.run(command, env=find_environment("analytics"), cwd=ROOT, check=False)
    raise typer.Exit(done.returncode)


@app.command()
def verify(as_json: AsJson = False) -> None:
    """Compare what the dashboard says of cost with the ledger's sum over all messages; exits 1 on any difference.

    What is being sent reaches the dashboard a moment after the ledger.
    """
    checks = run(_compare())
    if as_json:
        print_json({"balanced": all(check.ok for check in checks), "checks": shown_checks(checks)})
    else:
        console.print(checks_table(checks))
    if not all(check.ok for check in checks):
        raise typer.Exit(FELL_SHORT)


async def _compare() -> list[Check]:
    settings = find_settings()
    async with open_api(settings.url, settings.api_key) as api:
        ledger: dict[str, Any] = await api.data("GET", "/costs")
        return compare_costs(ledger, await api.data("GET", "/dashboard"))
