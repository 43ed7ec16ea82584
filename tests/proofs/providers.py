"""`make prove-providers`: a campaign through each provider balances, whatever the simulator does to it.

The books must agree with the simulator's own log, and nobody may have been sent to twice. The table shows what a
recipient costs the dispatcher.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from deploy.rehearsal import FAULTS, create_campaign, send_and_rest, set_faults, verified_at_rest
from tests.proofs.report import markdown_table, write_report
from tests.proofs.stage import Stage, staged
from tests.providers.samples import CHANNEL, KINDS, SECRET, TYPE, values_of

SIZE = 5_000
HARSHER = FAULTS | {
    "rates": FAULTS["rates"] | {"throttled": 0.002, "server_error": 0.002, "accept_then_error": 0.002, "latency": 0.01}
}
"""The faults of the rehearsal, and those that a vendor answers itself."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one campaign."""

    kind: str
    terms: dict[str, Any]
    balanced: bool
    double_sends: int
    opted_out_sends: int
    differing: list[str]
    seconds: float
    cpu_seconds: float

    @property
    def holds(self) -> bool:
        """Whether nothing was lost and nothing doubled."""
        return self.balanced and self.double_sends == 0 and self.opted_out_sends == 0

    @property
    def recipients(self) -> int:
        """All whom the campaign was for."""
        asked: int = self.terms["audience"]
        return asked - sum(self.terms["excluded"].values())


async def run_campaign(stage: Stage, kind: str) -> Outcome:
    """Sends one campaign through an account of its own."""
    channel = CHANNEL[kind]
    values = values_of(kind, stage.simulator) | {"providerName": kind, "providerType": TYPE[kind]}
    account: str = (await stage.api.data("POST", f"/{channel}/providers", values))["id"]
    checked = await stage.api.data("POST", f"/{channel}/providers/{account}/verify")
    assert checked["works"], f"{kind}: {checked['detail']}"
    await tell_destination(stage, kind, account)
    campaign_id = await create_campaign(stage.api, channel, account)
    before = stage.fleet.usage()["dispatcher"].cpu_seconds
    found = await send_and_rest(stage.api, channel, campaign_id)
    cpu_seconds = stage.fleet.usage()["dispatcher"].cpu_seconds - before
    forbidden = stage.people.opted_out[channel]
    verified = await verified_at_rest(stage.api, channel, campaign_id, stage.simulator, forbidden)
    assert verified.double_sends is not None
    assert verified.opted_out_sends is not None
    return Outcome(
        kind=kind,
        terms=verified.ledger,
        balanced=verified.balanced,
        double_sends=verified.double_sends,
        opted_out_sends=verified.opted_out_sends,
        differing=[check.name for check in verified.checks if not check.ok],
        seconds=found.seconds,
        cpu_seconds=cpu_seconds,
    )


async def tell_destination(stage: Stage, kind: str, account: str) -> None:
    """Vendors that are told no callback URL have it from their owner's settings, and so has the simulator."""
    values = values_of(kind, stage.simulator)
    name = values["config"].get("appId") or values.get("apiKey", "")
    path = f"/api/notification/callbacks/{TYPE[kind]}/{account}"
    destinations = {name: {"url": stage.fleet.url("gateway") + path, "secret": SECRET}}
    page = f"{stage.simulator}/_simulator/log-destinations"
    async with stage.api.session.put(page, json=destinations) as answer:
        assert answer.status == 200, await answer.text()


async def prove(size: int, seed: int, say: Callable[[str], None]) -> list[Outcome]:
    """One campaign per provider, on one fleet; each meets other addresses with faults."""
    outcomes = []
    async with staged(size, seed, HARSHER) as stage:
        for number, kind in enumerate(KINDS, 1):
            await set_faults(stage.api, stage.simulator, HARSHER, seed + number)
            outcomes.append(await run_campaign(stage, kind))
            say(_line(outcomes[-1]))
    return outcomes


def _line(outcome: Outcome) -> str:
    return (
        f"{outcome.kind}: {'balanced' if outcome.balanced else 'NOT balanced'}, {outcome.recipients:,} recipients, "
        f"{outcome.double_sends} sent twice, {outcome.terms['unknown']} unknown, {outcome.seconds:.0f} s"
        + "".join(f"\n  differs: {name}" for name in outcome.differing)
    )


def _row(outcome: Outcome) -> list[object]:
    accepted = outcome.terms["accepted"]
    return [
        outcome.kind,
        outcome.recipients,
        accepted["total"],
        accepted["delivered"],
        sum(outcome.terms["refused"].values()),
        outcome.terms["unknown"],
        outcome.double_sends,
        outcome.opted_out_sends,
        "yes" if outcome.balanced else "no",
        round(outcome.seconds, 1),
        round(outcome.cpu_seconds / outcome.recipients * 1e6),
    ]


def main() -> None:
    """Exits 1 where anything falls short."""
    size = int(os.environ.get("SIZE") or SIZE)
    seed = int(os.environ.get("SEED") or time.time() % 1_000_000)
    print(f"{size:,} customers, seed {seed}", flush=True)
    outcomes = asyncio.run(prove(size, seed, lambda line: print(line, flush=True)))
    head = [
        *("provider", "recipients", "accepted", "delivered", "refused", "unknown", "sent twice", "to opted-out"),
        *("balanced", "seconds", "dispatcher µs a recipient"),
    ]
    rates = ", ".join(f"{kind} {rate:.2%}" for kind, rate in HARSHER["rates"].items())
    text = f"""
One campaign of {size:,} customers through each provider, by the simulator, which misbehaves for a share of the
addresses (of a batch, the first one decides for all): {rates}. *Unknown* recipients are listed as such: the answer was
ambiguous and no receipt has told since. Whoever takes many recipients a request has fewer requests, and more recipients
in each ambiguous one. The last column is the processor time of the dispatcher, everything it does for a recipient
included.

{markdown_table(head, [_row(one) for one in outcomes])}
"""
    path = write_report("providers", "Providers", f"make prove-providers SIZE={size} SEED={seed}", text)
    print(f"{path}")
    short = [one.kind for one in outcomes if not one.holds]
    if short:
        sys.exit(f"prove-providers: falls short: {', '.join(short)}")


if __name__ == "__main__":
    main()
