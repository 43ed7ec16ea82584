"""`make prove-crashes`: campaigns balance however often their services are killed.

One SMS campaign for each victim, which is killed (SIGKILL) whenever the campaign has come to one of the points of a
seeded schedule. Then the books must agree, and the simulator must not have accepted a message twice. A control with
a dispatcher whose ledger is broken must be found out.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import psycopg

from deploy.local.fleet import Overrides
from deploy.rehearsal import AT_REST_SECONDS, FAULTS, create_accounts, create_campaign, rest, verified_at_rest
from tests.proofs.report import markdown_table, write_report
from tests.proofs.stage import Stage, staged
from tests.waiting import until

SIZE = 20_000
KILLS = 12
CONTROL_KILLS = 6
CONTROL_SECONDS = 5.0
"""How long the books of the control may take to agree, which they never do."""

STALL_SECONDS = 120.0
LAST_POINT = 0.85
"""Share of the recipients after which nobody is killed any more."""

CAMPAIGN_SECONDS = 10.0
"""A campaign is paced to last so long at least, so that none is over before its last kill."""

PAGES = 200
"""Of an expansion, so that it has a middle."""

DISPATCHER = {
    "DISPATCHER_LEASE_SECONDS": "8",
    "DISPATCHER_PROVIDER_TIMEOUT_SECONDS": "3",
    "DISPATCHER_MICRO_LOT_MAX": "50",
}
"""Short leases, so that the proof does not wait half a minute for each dead worker; few attempts at a time, so that
enough is left for the next kill."""

BROKEN_LEDGER = [sys.executable, "-m", "tests.proofs.broken_ledger"]

Progress = Callable[[], Awaitable[int]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one campaign. `points` are the shares of its recipients at which the victim was killed."""

    victim: str
    points: list[float]
    recipients: int
    accepted: int
    unknown: int
    balanced: bool
    double_sends: int
    opted_out_sends: int
    differing: list[str]
    seconds: float

    @property
    def holds(self) -> bool:
        """Whether nothing was lost and nothing doubled."""
        return self.balanced and self.double_sends == 0 and self.opted_out_sends == 0


async def run_campaign(
    stage: Stage, account: str, victim: str, kills: int, chance: random.Random, patience_seconds: float = 30.0
) -> Outcome:
    """Sends one campaign and kills the victim at so many points of it."""
    campaign_id = await create_campaign(stage.api, "sms", account)
    points = sorted(chance.uniform(0.01, LAST_POINT) for _ in range(kills))
    begin = time.monotonic()
    async with measuring(stage, victim, campaign_id) as progress:
        await stage.api.data("POST", f"/sms/campaigns/{campaign_id}/send")
        done = [await kill_at(stage, victim, progress, point) for point in points]
    found = await rest(stage.api, "sms", campaign_id, begin)
    verified = await verified_at_rest(
        stage.api, "sms", campaign_id, stage.simulator, stage.people.opted_out["sms"], patience_seconds
    )
    ledger = verified.ledger
    assert verified.double_sends is not None
    assert verified.opted_out_sends is not None
    return Outcome(
        victim=victim,
        points=done,
        recipients=ledger["audience"] - sum(ledger["excluded"].values()),
        accepted=ledger["accepted"]["total"],
        unknown=ledger["unknown"],
        balanced=verified.balanced,
        double_sends=verified.double_sends,
        opted_out_sends=verified.opted_out_sends,
        differing=[check.name for check in verified.checks if not check.ok],
        seconds=found.seconds,
    )


def overrides(size: int, command: list[str] | None = None) -> Overrides:
    """The fleet's settings for so many customers, and perhaps another dispatcher."""
    return {
        "dispatcher": {"env": DISPATCHER} | ({} if command is None else {"command": command}),
        "audience": {"env": {"AUDIENCE_PAGE_CUSTOMERS": str(max(size // PAGES, 10))}},
    }


async def paced_account(stage: Stage) -> str:
    """An account for SMS at the simulator, by which a campaign takes its time; its id."""
    account = (await create_accounts(stage.api, stage.simulator))["sms"]
    config = {"baseUrl": stage.simulator, "ratePerSecond": stage.people.rows / CAMPAIGN_SECONDS}
    await stage.api.data("PATCH", f"/sms/providers/{account}", {"config": config})
    return account


@asynccontextmanager
async def measuring(stage: Stage, victim: str, campaign_id: str) -> AsyncIterator[Progress]:
    """How many people the victim has dealt with, told by somebody else."""
    if victim == "delivery_receipt":
        metric = 'simulator_callbacks_total{result="taken"}'
        before = await stage.count(metric)

        async def counted() -> int:
            return await stage.count(metric) - before

        yield counted
        return
    statement = {
        "audience": "SELECT audience FROM expansions WHERE campaign_id = %s",
        "dispatcher": "SELECT sum(size - queued) FROM lots WHERE campaign_id = %s",
    }[victim]
    async with await psycopg.AsyncConnection.connect(stage.fleet.database_url(victim), autocommit=True) as connection:

        async def dealt_with() -> int:
            cursor = await connection.execute(statement, (campaign_id,))
            row = await cursor.fetchone()
            return int(row[0] or 0) if row is not None else 0

        yield dealt_with


async def kill_at(stage: Stage, victim: str, progress: Progress, point: float) -> float:
    """Kills the victim when it is seen to have passed the point; returns at what share of the recipients that was."""
    wanted = point * stage.people.rows

    async def reached() -> bool:
        return await progress() >= wanted

    await until(reached, STALL_SECONDS)
    at = await progress()
    assert at < stage.people.rows, f"the kill of {victim} at {point:.0%} came too late"
    stage.fleet.kill(victim)
    dealt_with = await progress()

    async def works_again() -> bool:
        return await progress() > dealt_with

    await until(works_again, STALL_SECONDS, f"{victim} works again, killed at {dealt_with} of {stage.people.rows}")
    return at / stage.people.rows


async def prove(size: int, seed: int, kills: int, say: Callable[[str], None]) -> list[Outcome]:
    """One campaign per victim."""
    chance = random.Random(seed)
    outcomes = []
    async with staged(size, seed, FAULTS, overrides(size)) as stage:
        account = await paced_account(stage)
        for victim in ("dispatcher", "audience", "delivery_receipt"):
            outcomes.append(await run_campaign(stage, account, victim, kills, chance))
            say(_line(outcomes[-1]))
    return outcomes


async def control(size: int, seed: int, kills: int, say: Callable[[str], None]) -> Outcome:
    """The same with a dispatcher that commits too late."""
    async with staged(size, seed, FAULTS, overrides(size, BROKEN_LEDGER)) as stage:
        account = await paced_account(stage)
        outcome = await run_campaign(stage, account, "dispatcher", kills, random.Random(seed), CONTROL_SECONDS)
    say("control: " + _line(outcome))
    return outcome


def _line(outcome: Outcome) -> str:
    return (
        f"{outcome.victim} killed {len(outcome.points)} times: {'balanced' if outcome.balanced else 'NOT balanced'}, "
        f"{outcome.double_sends} sent twice, {outcome.unknown} unknown, {outcome.seconds:.0f} s"
        + "".join(f"\n  differs: {name}" for name in outcome.differing)
    )


def _row(name: str, outcome: Outcome) -> list[object]:
    return [
        name,
        len(outcome.points),
        outcome.recipients,
        outcome.accepted,
        outcome.unknown,
        outcome.double_sends,
        outcome.opted_out_sends,
        "yes" if outcome.balanced else "no",
        round(outcome.seconds),
    ]


def main() -> None:
    """Exits 1 where anything falls short."""
    size = int(os.environ.get("SIZE") or SIZE)
    seed = int(os.environ.get("SEED") or time.time() % 1_000_000)
    print(f"{size:,} customers, seed {seed}", flush=True)
    outcomes = asyncio.run(prove(size, seed, KILLS, lambda line: print(line, flush=True)))
    broken = asyncio.run(control(size, seed, CONTROL_KILLS, lambda line: print(line, flush=True)))
    head = ["killed", "kills", "recipients", "accepted", "unknown", "sent twice", "to opted-out", "balanced", "seconds"]
    rows = [_row(one.victim, one) for one in outcomes] + [_row("dispatcher with a broken ledger (control)", broken)]
    points = "\n".join(
        f"- {one.victim}: " + ", ".join(f"{point:.1%}" for point in one.points) for one in [*outcomes, broken]
    )
    text = f"""
One SMS campaign of {size:,} customers for each victim, killed with SIGKILL while the simulator answers 0.5 % of the
requests ambiguously. *Unknown* recipients are listed as such: a worker died between the call and its answer, and no
receipt has told since. The control commits attempts after the call, and must be found out. Leases last 8 s here
instead of 30, up to 300 attempts are under way instead of 1,500, an expansion has {PAGES} pages, and the account is
limited to {size / CAMPAIGN_SECONDS:,.0f} messages a second, so that no campaign is over before its last kill.
*Seconds* run until nothing changes any more, prices that the provider states later included, {AT_REST_SECONDS:.0f} at
most.

{markdown_table(head, rows)}

Killed when the victim had dealt with so much of the file:

{points}
"""
    path = write_report("crashes", "Crashes", f"make prove-crashes SIZE={size} SEED={seed}", text)
    print(f"{path}")
    short = [one.victim for one in outcomes if not one.holds or len(one.points) < KILLS]
    if broken.double_sends == 0 or broken.balanced:
        short.append("control: the broken ledger was not found out")
    if short:
        sys.exit(f"prove-crashes: falls short: {', '.join(short)}")


if __name__ == "__main__":
    main()
