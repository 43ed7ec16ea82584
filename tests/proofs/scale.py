"""`make prove-scale`: a million customers come in through HTTP in bounded memory, and with a campaign of a million
recipients in each channel and five million events everything that people look at is answered at once.

Customers are imported as a client does it. Ledger and event log are filled by COPY with rows as the product writes
them (`tests/proofs/filling.py`), then counted by the product's own `analytics rebuild`; the books of the filled
campaigns must balance, and a replay must find no difference. KEEP=folder keeps all that for the next run.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import psycopg
from pydantic import SecretStr

from contracts.channels import CHANNELS
from contracts.events import CampaignChanged
from deploy.local.fleet import Fleet
from deploy.local.state import ROOT
from deploy.rehearsal import create_tenant, import_customers, write_customers
from notify.client import Api
from notify.verification import Check, compare_books
from services.analytics.handlers import on_campaigns_changed
from services.analytics.store.partitions import create_partitions
from shared.codec import now
from shared.database import open_database
from shared.http import cursor_of, keyset_cursor
from shared.ids import new_id
from tests.proofs.filling import Campaign, fill, months_ago
from tests.proofs.measuring import OTHERS_MAX, ROUND_SECONDS, ROUNDS, Case, Figure, Say, measure
from tests.proofs.report import markdown_table, write_report

SIZE = 1_000_000
TENANT = "scale"
REQUESTS = 300
DASHBOARD_MS = 20.0
MEMORY_MIB_MAX = 300.0
PATIENCE_SECONDS, GATEWAY_SECONDS = 300, 40
"""How long a client waits, and how long a gateway may: millions of events are counted in a few seconds of work, which
may be a minute of the clock on a busy machine."""

SERVERS = ("kafka", "postgres")
MONTHS = 5
"""The log reaches back so far."""

SMALL_CAMPAIGNS_MAX, SMALL_RECIPIENTS = 500, 3
"""Per channel, beside the large one: a tenant who has been here for a while."""

EVENT_FILTERS = ("campaignId", "recipientId", "eventType", "from, to")
STATUSES = ("queued", "sending", "delivered", "failed", "bounced", "opted_out")


@dataclass(frozen=True, slots=True)
class Imported:
    """What the import over HTTP took; `memory_mib` is the peak of each process until its end."""

    good: int
    seconds: float
    memory_mib: dict[str, float]


@dataclass(frozen=True, slots=True)
class Outcome:
    """Everything that was measured; `memory_mib` is the peak of each process over all."""

    imported: Imported
    events: int
    rebuild_seconds: float
    verify_seconds: float
    differing: int
    checks: list[Check]
    figures: list[Figure]
    memory_mib: dict[str, float]

    def mistakes(self) -> list[str]:
        """What is wrong, however fast."""
        wrong = [f"differs: {check.name}" for check in self.checks if not check.ok]
        return wrong + [f"the replay differs in {self.differing} sums"] * bool(self.differing)

    def shortcomings(self) -> list[str]:
        """What is wrong, too slow or too large."""
        slow = [
            f"{one.name} takes {one.p99:.1f} ms at p99, {one.worked_p99:.1f} of them work"
            for one in self.figures
            if not one.holds
        ]
        large = [
            f"{name} takes {mib:.0f} MiB"
            for name, mib in self.memory_mib.items()
            if name not in SERVERS and mib > MEMORY_MIB_MAX
        ]
        return self.mistakes() + slow + large


@dataclass(frozen=True, slots=True)
class Ground:
    """What is there to be measured: how customers came in, and the large campaign of each channel."""

    imported: Imported
    large: dict[str, Campaign]


async def prove(size: int, seed: int, requests: int, say: Say, kept: Path | None = None) -> Outcome:
    """Imports, fills, counts, verifies and asks, on a fleet of its own.

    In a folder that is kept, the next run finds the fleet's data and only counts, verifies and asks.
    """
    chance = random.Random(seed)
    patient = {"gateway": {"env": {"GATEWAY_ANSWER_SECONDS": str(GATEWAY_SECONDS)}}}
    with tempfile.TemporaryDirectory(prefix="proof-") as temporary:
        folder = kept or Path(temporary)
        async with (
            Fleet.running(folder / "state", patient) as fleet,
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=PATIENCE_SECONDS)) as session,
        ):
            api = await create_tenant(fleet, lambda token: Api(session, fleet.url("gateway"), token), TENANT)
            ground = await _ground(fleet, api, folder, size, seed, chance, say)
            counted, verified = [await _rebuild(fleet, *options) for options in ((), ("--verify",))]
            say(
                f"counted {counted['records']:,} events in {counted['seconds']:.0f} s, then compared in "
                f"{verified['seconds']:.0f} s: {verified['differing']} sums differ"
            )
            checks = [check for one in ground.large.values() for check in await _books(api, one)]
            asked = cases(ground.large, chance, requests)
            figures = [await measure(fleet, TENANT, case, say) for case in asked]
            # What was too slow is asked again at the end, when others may have left the machine.
            for position, case in enumerate(asked):
                if not figures[position].holds:
                    figures[position] = await measure(fleet, TENANT, case, say)
            before = ground.imported.memory_mib
            return Outcome(
                imported=ground.imported,
                events=verified["records"],
                rebuild_seconds=counted["seconds"],
                verify_seconds=verified["seconds"],
                differing=verified["differing"],
                checks=checks,
                figures=figures,
                memory_mib={name: max(mib, before.get(name, 0.0)) for name, mib in _memory(fleet).items()},
            )


async def _ground(
    fleet: Fleet, api: Api, folder: Path, size: int, seed: int, chance: random.Random, say: Say
) -> Ground:
    path = folder / f"ground-{size}.json"
    if path.exists():
        return msgspec.json.decode(path.read_bytes(), type=Ground)
    imported = await _import(fleet, api, folder, size, seed)
    say(f"imported {imported.good:,} of {size:,} rows in {imported.seconds:.0f} s")
    ground = Ground(imported, await _fill(fleet, size, chance, say))
    path.write_bytes(msgspec.json.encode(ground))
    return ground


async def _import(fleet: Fleet, api: Api, folder: Path, size: int, seed: int) -> Imported:
    people = await asyncio.to_thread(write_customers, folder / "customers.csv", size, seed)
    begin = time.monotonic()
    answer = await import_customers(api, people)
    seconds = time.monotonic() - begin
    assert (answer["imported"], answer["rejected"]) == (size - people.invalid, people.invalid)
    return Imported(answer["imported"], seconds, _memory(fleet))


def _memory(fleet: Fleet) -> dict[str, float]:
    return {name: one.memory_mib for name, one in sorted(fleet.usage().items())}


async def _fill(fleet: Fleet, size: int, chance: random.Random, say: Say) -> dict[str, Campaign]:
    """Another tenant's campaign, then ours: many small ones, and one large one in each channel, which are returned."""
    campaigns = [Campaign("neighbour", "sms", months_ago(1), size // 2)]
    large = {channel: Campaign(TENANT, channel, now() - timedelta(days=2), size) for channel in CHANNELS}
    for channel in CHANNELS:
        campaigns += [
            Campaign(TENANT, channel, months_ago(number % MONTHS) - timedelta(days=2), SMALL_RECIPIENTS)
            for number in range(_small_campaigns(size))
        ]
        campaigns.append(large[channel])
    async with open_database(SecretStr(fleet.database_url("analytics")), 2, "filling") as database:
        async with database.transaction() as connection:
            await create_partitions(connection, months_ago(MONTHS), MONTHS + 1)
        await on_campaigns_changed(database, [_changed(one) for one in campaigns])
    urls = fleet.database_url("dispatcher"), fleet.database_url("analytics")
    with psycopg.connect(urls[0]) as ledger, psycopg.connect(urls[1]) as log:
        for one in campaigns:
            written = await asyncio.to_thread(fill, ledger, log, one, chance)
            if one.recipients > SMALL_RECIPIENTS:
                say(f"filled {one.channel} campaign of {one.recipients:,} recipients: {written:,} events")
    for url in urls:
        with psycopg.connect(url, autocommit=True) as connection:
            await asyncio.to_thread(connection.execute, "VACUUM ANALYZE")
    return large


def _small_campaigns(size: int) -> int:
    return min(SMALL_CAMPAIGNS_MAX, size // 100)


def _changed(campaign: Campaign) -> CampaignChanged:
    return CampaignChanged(
        event_id=new_id(),
        occurred_at=now(),
        campaign_id=campaign.id,
        user_id=campaign.user_id,
        channel=campaign.channel,
        version=1,
        campaign_name="Sale",
        status="sent",
        created_at=campaign.began,
        sent_at=campaign.began,
    )


async def _rebuild(fleet: Fleet, *options: str) -> dict[str, Any]:
    """What the product's own command says."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.analytics", "rebuild", "--json", *options),
        env=fleet.environment("analytics"),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    out, _ = await process.communicate()
    found: dict[str, Any] = json.loads(out)
    return found


async def _books(api: Api, campaign: Campaign) -> list[Check]:
    found = await api.data("GET", f"/{campaign.channel}/campaigns/{campaign.id}/verification")
    return compare_books(found["ledger"], found)


def cases(large: dict[str, Campaign], chance: random.Random, requests: int) -> list[Case]:
    """What is asked, each so many times at random places."""
    found = [Case("dashboard", "analytics", ["/dashboard"] * requests, DASHBOARD_MS)]
    for channel, campaign in large.items():
        at = f"/{channel}/campaigns/{campaign.id}"
        found.append(Case(f"{channel} timeline", "analytics", [f"{at}/timeline"] * requests))
        found += _recipient_cases(campaign, f"{at}/recipients", chance, requests)
    return found + _event_cases(large["sms"], chance, requests) + _customer_cases(large["sms"], chance, requests)


def _recipient_cases(campaign: Campaign, at: str, chance: random.Random, requests: int) -> list[Case]:
    address = CHANNELS[campaign.channel].address_field
    addresses = [one.replace("+", "%2B") for one in campaign.addresses]
    deep = [f"cursor={cursor_of(chance.choice(campaign.recipient_ids))}" for _ in range(requests)]
    wanted = {
        "first page": [""] * requests,
        "deep page": deep,
        address: [f"{address}={chance.choice(addresses)}" for _ in range(requests)],
    }
    for status in STATUSES:
        wanted[f"status {status}, first page"] = [f"status={status}"] * requests
        wanted[f"status {status}, deep page"] = [f"status={status}&{cursor}" for cursor in deep]
    found = [
        Case(f"{campaign.channel} recipients, {name}", "dispatcher", [f"{at}?{query}" for query in queries])
        for name, queries in wanted.items()
    ]
    of_tenant = f"/{campaign.channel}/recipients?status="
    return found + [
        Case(
            f"{campaign.channel} recipients of the user, status {status}", "dispatcher", [of_tenant + status] * requests
        )
        for status in STATUSES
    ]


def _event_cases(campaign: Campaign, chance: random.Random, requests: int) -> list[Case]:
    """Every combination of filters, from its beginning and from the middle."""
    found = []
    for chosen in range(2 ** len(EVENT_FILTERS)):
        names = [name for bit, name in enumerate(EVENT_FILTERS) if chosen >> bit & 1]
        first, deep = [], []
        for _ in range(requests):
            at, identity = chance.choice(campaign.events)
            since, until = (at - timedelta(minutes=1)).isoformat(), (at + timedelta(minutes=1)).isoformat()
            values = {
                "campaignId": f"campaignId={campaign.id}",
                "recipientId": f"recipientId={chance.choice(campaign.recipient_ids)}",
                "eventType": f"eventType={chance.choice(('sent', 'delivered', 'bounced', 'opened'))}",
                "from, to": f"from={since}&to={until}".replace("+", "%2B"),
            }
            query = "&".join(values[name] for name in names)
            first.append(f"/events?{query}")
            deep.append(f"/events?{query}&cursor={keyset_cursor(at.isoformat(), str(identity))}")
        name = f"events by {', '.join(names)}" if names else "events"
        found += [Case(f"{name}, first page", "analytics", first), Case(f"{name}, deep page", "analytics", deep)]
    return found


def _customer_cases(campaign: Campaign, chance: random.Random, requests: int) -> list[Case]:
    """The list, and a search by each of what people are found by."""
    numbers = [chance.randrange(campaign.recipients // 100) for _ in range(requests)]
    wanted = {
        "first page": [""] * requests,
        "deep page": [f"cursor={keyset_cursor(f'C{number:05d}')}" for number in numbers],
        "by the beginning of an id": [f"search=C{number:05d}" for number in numbers],
        "by the beginning of a phone number": [f"search=%2B491511{number:05d}" for number in numbers],
        "by the beginning of an e-mail address": [f"search=c{number}" for number in numbers],
        "by the beginning of a name": ["search=A"] * requests,
    }
    return [
        Case(f"customers, {name}", "audience", [f"/customers?limit=100&{query}" for query in queries])
        for name, queries in wanted.items()
    ]


def main() -> None:
    """Exits 1 where anything falls short."""
    size = int(os.environ.get("SIZE") or SIZE)
    seed = int(os.environ.get("SEED") or time.time() % 1_000_000)
    kept = Path(os.environ["KEEP"]).resolve() if os.environ.get("KEEP") else None
    print(f"{size:,} customers, seed {seed}", flush=True)
    outcome = asyncio.run(prove(size, seed, REQUESTS, lambda line: print(line, flush=True), kept))
    imported = outcome.imported
    rows = [
        [
            one.name,
            one.requests,
            *(round(ms, 1) for ms in (one.worked, one.worked_p99, one.median, one.p99)),
            round(one.others * 100),
            one.limit,
            "by the clock" if one.by_clock else "by the work" if one.holds else "no",
        ]
        for one in outcome.figures
    ]
    memory = [[name, round(mib), round(outcome.memory_mib[name])] for name, mib in imported.memory_mib.items()]
    text = f"""
{imported.good:,} customers were imported over HTTP in {imported.seconds:.0f} s ({imported.good / imported.seconds:,.0f}
a second), from a file of {size:,} rows. Ledger and event log were then filled by COPY with rows as the product writes
them: a campaign of {size:,} recipients in each channel, {2 * _small_campaigns(size):,} small ones over {MONTHS}
months and another tenant's, {outcome.events:,} events in all{" (kept from an earlier run)" if kept else ""}.
`analytics rebuild` counted the events in {outcome.rebuild_seconds:.0f} s, `analytics rebuild --verify` compared in
{outcome.verify_seconds:.0f} s ({outcome.differing} sums differ), and {sum(check.ok for check in outcome.checks)} of
{len(outcome.checks)} checks of the two campaigns' books hold.

Peaks of resident memory, MiB (of PostgreSQL, its largest process):

{markdown_table(["process", "until the import's end", "over all"], memory)}

Milliseconds, asked of the service itself as the gateway asks it, over one connection, 100 rows a page, {REQUESTS}
requests at random places or as many as {ROUND_SECONDS:.0f} s allow, the best of up to {ROUNDS} rounds (what was too
slow, once more at the end). *Clock* runs at the client, from a request's first to its answer's last byte. *Work* is the
processor time that the service's loop and its connections at the database spent on one request. *Others* is the share
of the machine, in percent, that was taken by what has nothing to do with this proof. The clock judges; where it is over
the limit while others took more than {OTHERS_MAX:.0%}, the work does.

{markdown_table(["request", "requests", "work", "work p99", "clock", "clock p99", "others", "limit", "holds"], rows)}
"""
    path = write_report("scale", "Scale", f"make prove-scale SIZE={size} SEED={seed}", text)
    print(f"{path}")
    if short := outcome.shortcomings():
        sys.exit("prove-scale: falls short:\n  " + "\n  ".join(short))


if __name__ == "__main__":
    main()
