"""`make demo`: the whole product on this machine, from nothing to two accounted campaigns."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

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
    create_admin,
    create_campaign,
    create_tenant,
    import_customers,
    send_and_rest,
    set_faults,
    verified_at_rest,
    write_customers,
)
from notify.client import Api, ApiError, open_api
from notify.display import accounting_table, checks_table, console, progress_bar, verdict
from notify.settings import remember_key
from notify.verification import MICROS

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
    state = open_state(None)
    people = write_customers(state.root / "demo-customers.csv", size, seed)
    console.print(f"{size:,} rows of customers, seed {seed} (SEED= repeats it)")
    async with Fleet.running(gateway_port=gateway_port(), say=lambda text: console.print(text, style="dim")) as fleet:
        tenant = f"demo-{time.strftime('%Y%m%d-%H%M%S')}"
        person = await create_admin(fleet, tenant)
        results = await run(fleet, tenant, people, seed)
        failed.extend(result["channel"] for result in results if not result["balanced"])
        usage = fleet.usage()
        _show_usage(usage)
        summary = {
            "campaigns": results,
            "memoryMiB": {name: one.memory_mib for name, one in usage.items()},
            "cpuSeconds": {name: one.cpu_seconds for name, one in usage.items()},
        }
        email, password = person
        place = (
            f"dashboard: {fleet.url('gateway')}/notification   API: {fleet.url('gateway')}/docs   "
            f"provider simulator: {fleet.url('provider_simulator')}\n"
            f"sign in as {email} with the password {password}; `notify` works as the same tenant, {tenant}"
        )
        print(json.dumps(summary), flush=True)
        if not once:
            console.print(f"running until Ctrl-C; {place}", style="dim", markup=False, soft_wrap=True)
            await asyncio.Event().wait()


async def run(fleet: Fleet, tenant: str, people: People, seed: int) -> list[dict[str, Any]]:
    """Imports, sends both campaigns and verifies them."""
    simulator_url = fleet.url("provider_simulator")
    async with open_api(fleet.url("gateway"), "") as anonymous:
        api = await create_tenant(fleet, lambda token: Api(anonymous.session, fleet.url("gateway"), token), tenant)
        remember_key(api.token, fleet.state.root)
        await set_faults(api, simulator_url, FAULTS, seed)
        accounts = await create_accounts(api, simulator_url)
        await _import(api, people)
        return [await _campaign(api, channel, accounts[channel], simulator_url, people) for channel in ("sms", "push")]


async def _import(api: Api, people: People) -> None:
    begin = time.monotonic()
    with progress_bar("bytes") as progress:
        task = progress.add_task("importing", total=people.path.stat().st_size, note="")
        answer = await import_customers(api, people, lambda count: progress.advance(task, count))
    seconds = time.monotonic() - begin
    console.print(
        f"imported {answer['imported']:,} of {people.rows:,} rows in {seconds:.1f} s; {answer['rejected']} rejected "
        f"({people.invalid} were made invalid); the bad rows: {answer.get('errorFile')}"
    )


async def _campaign(api: Api, channel: str, provider_id: str, simulator_url: str, people: People) -> dict[str, Any]:
    campaign_id = await create_campaign(api, channel, provider_id)
    with progress_bar("recipients") as progress:
        task = progress.add_task(f"{channel} campaign", total=None, note="")

        def show(accounting: dict[str, Any]) -> None:
            if accounting["audience"] is not None:
                total = accounting["audience"] - sum(accounting["excluded"].values())
                open_ones = accounting["waiting"] + accounting["inFlight"]
                progress.update(task, total=total, completed=total - open_ones)

        found = await send_and_rest(api, channel, campaign_id, show)
    verified = await verified_at_rest(api, channel, campaign_id, simulator_url, people.opted_out[channel])
    recipients = (verified.ledger["audience"] or 0) - sum(verified.ledger["excluded"].values())
    console.print(accounting_table(channel, verified.ledger))
    if not verified.balanced:
        console.print(checks_table(verified.checks))
    console.print(verdict(verified))
    rate = recipients / found.seconds if found.seconds else 0.0
    console.print(f"cost: {cost_words(verified.ledger['cost'])}")
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


def cost_words(cost: Sequence[Mapping[str, Any]]) -> str:
    """The cost as it was when the campaign was sent."""
    sums = " + ".join(f"{one['costMicros'] / MICROS:,.2f} {one['currency']}" for one in cost)
    return f"{sums}, estimated at the time of sending; providers state their own prices later" if sums else "nothing"


def _show_usage(usage: dict[str, Any]) -> None:
    table = Table(title="What the processes cost", title_justify="left")
    for name, justify in (("process", "left"), ("peak memory, MiB", "right"), ("processor time, s", "right")):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    for name, one in sorted(usage.items()):
        table.add_row(name, f"{one.memory_mib:.0f}", f"{one.cpu_seconds:.1f}")
    console.print(table)


if __name__ == "__main__":
    main()
