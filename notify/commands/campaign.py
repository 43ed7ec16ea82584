"""`notify campaign`: look at campaigns, steer them, and check their books."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

import typer
from rich.table import Table

from contracts.channels import CHANNELS
from notify.checking import Verified, compare_at_rest, verify_campaign
from notify.client import Api, ApiError, find_campaign, open_api
from notify.display import (
    accounting_table,
    checks_table,
    console,
    print_entries,
    print_json,
    progress_bar,
    shown_checks,
    verdict,
)
from notify.running import FELL_SHORT, end_compared, run
from notify.settings import Settings, find_settings

app = typer.Typer(no_args_is_help=True, help="Look at campaigns, steer them, and check their books.")

POLL_SECONDS = 1.0
LISTED_MAX = 1_000
LISTED = {"channel": "channel", "id": "id", "name": "campaignName", "status": "status", "created": "createdAt"}

CampaignId = Annotated[str, typer.Argument(metavar="ID", help="The campaign's id, of either channel.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("list")
def list_campaigns(
    channel: Annotated[str | None, typer.Option(help="sms or push; both without it.")] = None,
    status: Annotated[str | None, typer.Option(help="Only campaigns of this status.")] = None,
    as_json: AsJson = False,
) -> None:
    """Campaigns, the newest first."""
    if channel is not None and channel not in CHANNELS:
        raise typer.BadParameter(f"is one of {', '.join(CHANNELS)}", param_hint="--channel")
    rows = run(_find_all([channel] if channel else list(CHANNELS), status))
    if as_json:
        print_json(rows)
        return
    if rows:
        print_entries(LISTED, rows)
    else:
        console.print("no campaigns")


async def _find_all(channels: list[str], status: str | None) -> list[dict[str, Any]]:
    settings = find_settings()
    found: list[dict[str, Any]] = []
    async with open_api(settings.url, settings.api_key) as api:
        for name in channels:
            async for row in api.pages(f"/{name}/campaigns", status=status):
                found.append({"channel": name, **row})
                if len(found) >= LISTED_MAX:
                    break
    return sorted(found, key=lambda row: row["createdAt"], reverse=True)


@app.command()
def show(campaign_id: CampaignId, as_json: AsJson = False) -> None:
    """One campaign, and where it stands."""
    channel, row, accounting = run(_look_up(campaign_id))
    if as_json:
        print_json({"channel": channel, **row, "accounting": accounting})
        return
    table = Table(show_header=False)
    for name, value in row.items():
        if value is not None:
            table.add_row(name, str(value))
    console.print(table)
    if accounting is not None:
        console.print(accounting_table(channel, accounting))


async def _look_up(campaign_id: str) -> tuple[str, dict[str, Any], dict[str, Any] | None]:
    settings = find_settings()
    async with open_api(settings.url, settings.api_key) as api:
        channel, row = await find_campaign(api, campaign_id)
        return channel, row, await read_accounting(api, channel, campaign_id)


async def read_accounting(api: Api, channel: str, campaign_id: str) -> dict[str, Any] | None:
    """The accounting; None as long as the campaign has not been sent."""
    try:
        found: dict[str, Any] = await api.data("GET", f"/{channel}/campaigns/{campaign_id}/accounting")
    except ApiError as error:
        if error.status == 404:
            return None
        raise
    return found


@app.command()
def watch(campaign_id: CampaignId, as_json: AsJson = False) -> None:
    """Follow a campaign until nobody waits any more; exits 1 if it does not balance."""
    channel, accounting = run(_watch(campaign_id, print_json if as_json else None))
    if not as_json:
        console.print(accounting_table(channel, accounting))
    if not accounting["balanced"]:
        raise typer.Exit(FELL_SHORT)


async def _watch(campaign_id: str, on_change: Callable[[Any], None] | None) -> tuple[str, dict[str, Any]]:
    settings = find_settings()
    async with open_api(settings.url, settings.api_key) as api:
        channel, row = await find_campaign(api, campaign_id)
        with progress_bar("recipients", quiet=on_change is not None) as progress:
            task = progress.add_task(row["campaignName"], total=None, note="not sent yet")
            while True:
                accounting = await read_accounting(api, channel, campaign_id)
                if accounting is not None:
                    if on_change is not None:
                        on_change(accounting)
                    total = None
                    if accounting["audience"] is not None:
                        total = accounting["audience"] - sum(accounting["excluded"].values())
                    under_way = accounting["waiting"] + accounting["inFlight"]
                    note = f"waiting: {accounting['waitingText']}" if accounting["waitingReason"] else ""
                    progress.update(task, total=total, completed=(total or 0) - under_way if total else 0, note=note)
                    if total is not None and under_way == 0:
                        return channel, accounting
                await asyncio.sleep(POLL_SECONDS)


def _steer(action: str, campaign_id: str) -> None:
    async def ask() -> dict[str, Any]:
        settings = find_settings()
        async with open_api(settings.url, settings.api_key) as api:
            channel, _ = await find_campaign(api, campaign_id)
            changed: dict[str, Any] = await api.data("POST", f"/{channel}/campaigns/{campaign_id}/{action}")
            return changed

    console.print(f"{campaign_id} is {run(ask())['status']}")


@app.command()
def pause(campaign_id: CampaignId) -> None:
    """Attempt nobody further."""
    _steer("pause", campaign_id)


@app.command()
def resume(campaign_id: CampaignId) -> None:
    """Go on."""
    _steer("resume", campaign_id)


@app.command()
def cancel(campaign_id: CampaignId) -> None:
    """Skip everybody who was not attempted yet."""
    _steer("cancel", campaign_id)


@app.command()
def verify(campaign_id: CampaignId, as_json: AsJson = False) -> None:
    """Compare ledger, event log, aggregates and the simulator's log, term by term; exits 1 on any difference.

    They agree at rest. What differs is read again for some seconds; where it still moves, exits 4.
    """
    channel, verified = run(_verify(find_settings(), campaign_id))
    if as_json:
        print_json(
            {
                "campaignId": campaign_id,
                "channel": channel,
                "balanced": verified.balanced,
                "moves": verified.moves,
                "terms": verified.ledger,
                "checks": shown_checks(verified.checks),
                "doubleSends": verified.double_sends,
                "optedOutSends": verified.opted_out_sends,
            }
        )
    else:
        console.print(accounting_table(channel, verified.ledger))
        console.print(checks_table(verified.checks))
        console.print(verdict(verified))
        if verified.double_sends is None:
            console.print("no simulator on this machine: the providers' side is not compared", style="dim")
    end_compared(verified)


async def _verify(settings: Settings, campaign_id: str) -> tuple[str, Verified]:
    async with open_api(settings.url, settings.api_key) as api:
        channel, _ = await find_campaign(api, campaign_id)
        read = partial(verify_campaign, api, channel, campaign_id, settings.simulator_url)
        return channel, await compare_at_rest(read)
