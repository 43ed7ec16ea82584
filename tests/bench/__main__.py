"""Sends the rehearsal's SMS campaign several times on one fleet, and shows rate and processor time per recipient.

Processor time is the figure to compare: it hardly depends on what else the machine does. `SIZE=` customers, `SEED=`,
`RUNS=`.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from pathlib import Path

from rich.table import Table

from deploy.local.fleet import Fleet
from deploy.rehearsal import (
    FAULTS,
    create_accounts,
    create_campaign,
    create_tenant,
    import_customers,
    send_and_rest,
    set_faults,
    write_customers,
)
from notify.client import Api, open_api
from notify.display import console
from tests.proofs.report import machine

SIZE = 20_000
RUNS = 3
SEED = 7
MICROS = 1_000_000


async def bench(size: int, seed: int, runs: int) -> Table:
    """A column per run; the first one is on a cold fleet."""
    seconds: list[float] = []
    rates: list[float] = []
    costs: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        people = write_customers(Path(folder) / "customers.csv", size, seed)
        async with (
            Fleet.running(Path(folder) / "state", say=console.print) as fleet,
            open_api(fleet.url("gateway"), "") as one,
        ):
            simulator = fleet.url("provider_simulator")
            for run in range(runs):
                api = await create_tenant(
                    fleet, lambda token: Api(one.session, fleet.url("gateway"), token), f"bench-{run}"
                )
                await set_faults(api, simulator, FAULTS, seed)
                accounts = await create_accounts(api, simulator)
                await import_customers(api, people)
                campaign_id = await create_campaign(api, "sms", accounts["sms"])
                before = fleet.usage()
                rest = await send_and_rest(api, "sms", campaign_id)
                after = fleet.usage()
                terms = rest.accounting
                recipients = terms["audience"] - sum(terms["excluded"].values())
                seconds.append(rest.seconds)
                rates.append(recipients / rest.seconds)
                costs.append(
                    {name: (after[name].cpu_seconds - before[name].cpu_seconds) / recipients * MICROS for name in after}
                )
                console.print(f"run {run + 1}: {recipients:,} recipients in {rest.seconds:.2f} s")
    table = Table(title=f"{size:,} customers by SMS, on {machine()}", title_justify="left")
    table.add_column("")
    for run in range(runs):
        table.add_column(f"run {run + 1}", justify="right")
    table.add_row("seconds", *(f"{one:.2f}" for one in seconds))
    table.add_row("recipients a second", *(f"{one:,.0f}" for one in rates))
    table.add_row("processor time, µs a recipient", *(f"{sum(one.values()):.0f}" for one in costs))
    for name in sorted(costs[0], key=lambda name: -costs[-1][name]):
        table.add_row(f"  {name}", *(f"{one[name]:.0f}" for one in costs), style="dim")
    return table


def main() -> None:
    """Prints the table."""
    size, seed = int(os.environ.get("SIZE") or SIZE), int(os.environ.get("SEED") or SEED)
    console.print(asyncio.run(bench(size, seed, int(os.environ.get("RUNS") or RUNS))))


if __name__ == "__main__":
    main()
