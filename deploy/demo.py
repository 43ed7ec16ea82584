"""`make demo`: the whole product on this machine, from nothing to two accounted campaigns."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from deploy.local.__main__ import gateway_port
from deploy.local.errors import FleetError
from deploy.local.fleet import Fleet
from deploy.local.state import open_state
from deploy.local.stopping import until_told
from deploy.rehearsal import (
    FAULTS,
    People,
    create_accounts,
    create_campaign,
    create_tenant,
    import_customers,
    send_and_rest,
    set_faults,
    verified_at_rest,
    write_customers,
)
from notify.checking import Verified
from notify.client import Api, ApiError, open_api

SIZE = 20_000


def main() -> None:
    """Exits 0 only if every recipient of both campaigns is accounted for."""
    failed: list[str] = []
    try:
        asyncio.run(until_told(demo(failed)))
    except FleetError as error:
        sys.exit(f"demo: {error}")
    except ApiError as error:
        sys.exit(f"demo: the API says: {error}")
    if failed:
        sys.exit(f"demo: not balanced: {', '.join(failed)}")


async def demo(failed: list[str]) -> None:
    """Runs it; names of campaigns that do not balance are added to `failed`."""
    once = os.environ.get("ONCE", "") not in ("", "0")
    size = int(os.environ.get("SIZE") or SIZE)
    seed = int(os.environ.get("SEED") or time.time() % 1_000_000)
    console = Console()
    state = open_state(None)
    people = write_customers(state.root / "demo-customers.csv", size, seed)
    console.print(f"{size:,} rows of customers, seed {seed} (SEED= repeats it)")
    async with Fleet.running(gateway_port=gateway_port(), say=lambda text: console.print(text, style="dim")) as fleet:
        results = await run(console, fleet, people, seed)
        failed.extend(result["channel"] for result in results if not result["balanced"])
        usage = fleet.usage()
        _show_usage(console, usage)
        summary = {
            "campaigns": results,
            "memoryMiB": {name: one.memory_mib for name, one in usage.items()},
            "cpuSeconds": {name: one.cpu_seconds for name, one in usage.items()},
        }
        console.print(
            f"dashboard: {fleet.url('gateway')}/api/notification/dashboard   API: {fleet.url('gateway')}/docs"
        )
        print(json.dumps(summary), flush=True)
        if not once:
            console.print("running until Ctrl-C", style="dim")
            await asyncio.Event().wait()


async def run(console: Console, fleet: Fleet, people: People, seed: int) -> list[dict[str, Any]]:
    """Imports, sends both campaigns and verifies them."""
    simulator_url = fleet.url("provider_simulator")
    async with open_api(fleet.url("gateway"), "") as anonymous:
        tenant = f"demo-{time.strftime('%Y%m%d-%H%M%S')}"
        api = await create_tenant(fleet, lambda token: Api(anonymous.session, fleet.url("gateway"), token), tenant)
        _remember(fleet, api, simulator_url)
        await set_faults(api, simulator_url, FAULTS, seed)
        accounts = await create_accounts(api, simulator_url)
        await _import(console, api, people)
        return [
            await _campaign(console, api, channel, accounts[channel], simulator_url, people)
            for channel in ("sms", "push")
        ]


def _remember(fleet: Fleet, api: Api, simulator_url: str) -> None:
    """So that `notify` needs no settings on this machine."""
    known = {"url": api.url, "apiKey": api.token, "simulatorUrl": simulator_url}
    path = fleet.state.root / "notify.json"
    path.touch(mode=0o600)
    path.write_text(json.dumps(known))


async def _import(console: Console, api: Api, people: People) -> None:
    begin = time.monotonic()
    with _progress(console, "import, bytes") as progress:
        task = progress.add_task("importing", total=people.path.stat().st_size)
        answer = await import_customers(api, people, lambda count: progress.advance(task, count))
    seconds = time.monotonic() - begin
    console.print(
        f"imported {answer['imported']:,} of {people.rows:,} rows in {seconds:.1f} s; {answer['rejected']} rejected "
        f"({people.invalid} were made invalid); the bad rows: {answer.get('errorFile')}"
    )


async def _campaign(
    console: Console, api: Api, channel: str, provider_id: str, simulator_url: str, people: People
) -> dict[str, Any]:
    campaign_id = await create_campaign(api, channel, provider_id)
    with _progress(console, "recipients") as progress:
        task = progress.add_task(f"{channel} campaign", total=None)

        def show(accounting: dict[str, Any]) -> None:
            if accounting["audience"] is not None:
                total = accounting["audience"] - sum(accounting["excluded"].values())
                open_ones = accounting["waiting"] + accounting["inFlight"]
                progress.update(task, total=total, completed=total - open_ones)

        found = await send_and_rest(api, channel, campaign_id, show)
    verified = await verified_at_rest(api, channel, campaign_id, simulator_url, people.opted_out[channel])
    recipients = (verified.ledger["audience"] or 0) - sum(verified.ledger["excluded"].values())
    _show_accounting(console, channel, verified)
    rate = recipients / found.seconds if found.seconds else 0.0
    console.print(f"{recipients:,} recipients accounted for in {found.seconds:.2f} s: {rate:,.0f} a second")
    return {
        "id": campaign_id,
        "channel": channel,
        "recipients": recipients,
        "terms": verified.ledger,
        "balanced": verified.balanced,
        "doubleSends": verified.double_sends,
        "optedOutSends": verified.opted_out_sends,
        "seconds": round(found.seconds, 3),
        "recipientsPerSecond": round(rate, 1),
    }


def _progress(console: Console, unit: str) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
    )


def _show_accounting(console: Console, channel: str, verified: Verified) -> None:
    table = Table(title=f"Accounting of the {channel} campaign", title_justify="left")
    table.add_column("term")
    table.add_column("recipients", justify="right")
    ledger = verified.ledger
    for name in ("audience", "excluded", "skipped", "refused", "accepted", "unknown", "expired", "cancelled"):
        value = ledger[name]
        if not isinstance(value, dict):
            table.add_row(name, f"{value:,}" if value is not None else "not known")
            continue
        total = value.get("total", sum(value.values()))
        table.add_row(name, f"{total:,}")
        for part, count in value.items():
            if part != "total":
                table.add_row(f"  {part}", f"{count:,}", style="dim")
    for name in ("waiting", "inFlight"):
        table.add_row(name, f"{ledger[name]:,}")
    console.print(table)
    for check in verified.checks:
        if not check.ok:
            console.print(f"differs: {check.name}: {check.left} and {check.right}", style="bold red")
    held = sum(check.ok for check in verified.checks)
    console.print(
        f"{held} of {len(verified.checks)} checks hold; sent twice: {verified.double_sends}; "
        f"sent to opted-out people: {verified.opted_out_sends}",
        style="green" if verified.balanced else "bold red",
    )


def _show_usage(console: Console, usage: dict[str, Any]) -> None:
    table = Table(title="What the processes cost", title_justify="left")
    for name, justify in (("process", "left"), ("peak memory, MiB", "right"), ("processor time, s", "right")):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    for name, one in sorted(usage.items()):
        table.add_row(name, f"{one.memory_mib:.0f}", f"{one.cpu_seconds:.1f}")
    console.print(table)


if __name__ == "__main__":
    main()
