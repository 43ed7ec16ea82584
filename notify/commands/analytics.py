"""`notify analytics`: the dashboard's numbers against what they come from."""

from __future__ import annotations

import subprocess
import sys
from typing import Annotated, Any

import typer

from deploy.local.state import ROOT
from notify.checking import Compared, compare_at_rest
from notify.client import open_api
from notify.display import checks_table, console, print_json, shown_checks
from notify.running import end_compared, run
from notify.settings import find_environment, find_settings
from notify.verification import compare_costs

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

    What is sent, or gets its price from the provider, reaches the dashboard a moment after the ledger. What differs is
    read again for some seconds; where it still moves, exits 4.
    """
    compared = run(_compare())
    if as_json:
        print_json({"balanced": compared.balanced, "moves": compared.moves, "checks": shown_checks(compared.checks)})
    else:
        console.print(checks_table(compared.checks))
    end_compared(compared)


async def _compare() -> Compared:
    settings = find_settings()
    async with open_api(settings.url, settings.api_key) as api:

        async def read() -> Compared:
            ledger: dict[str, Any] = await api.data("GET", "/costs")
            return Compared(compare_costs(ledger, await api.data("GET", "/dashboard")))

        return await compare_at_rest(read)
