"""`make prove-pages`: a marketer's day, and every single page, in a real browser: light and dark, wide and on a phone.

The day is lived at once in each kind of window, and once without scripts, each in a shop of its own. Every page is
whole, at most 100 KB, asks no other host, complains about nothing, fits its window, and an accessibility checker finds
nothing serious. Pictures of all stay in `.local/screenshots`.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path

from deploy.local.fleet import Fleet
from deploy.rehearsal import FAULTS, set_faults
from notify.client import open_api
from tests.browser.day import Kind, Lived, live_a_day
from tests.browser.looking import PAGE_BYTES_MAX, Look, look_at_all, places_of
from tests.browser.tenants import open_tenant
from tests.browser.windows import chromium, open_window
from tests.proofs.report import markdown_table, write_report

SIZE = 20_000
SENDING_SECONDS = 240.0
"""So long the day's campaign takes, for something to be seen of it."""

SINGLE_CUSTOMERS = 2_000
"""Behind the pages that are looked at one by one."""

KINDS = tuple(Kind(scheme, width) for scheme in ("light", "dark") for width in (1280, 400))
DAYS = (*KINDS, Kind("light", 1280, scripts=False))


async def prove(size: int, seed: int, say: Callable[[str], None]) -> tuple[dict[Kind, Lived], list[Look], list[str]]:
    """The days, what was seen of each single page in each kind of window, and what was asked of other hosts."""
    looks: list[Look] = []
    with tempfile.TemporaryDirectory(prefix="proof-") as name:
        folder = Path(name)
        async with Fleet.running(folder / "state") as fleet, chromium() as browser:
            async with open_api(fleet.url("gateway"), "") as api:
                await set_faults(api, fleet.url("provider_simulator"), FAULTS, seed)

            turn = asyncio.Lock()

            async def live(kind: Kind) -> Lived:
                lived = await live_a_day(fleet, browser, folder, kind, size, SENDING_SECONDS, seed, turn)
                say(f"a day in {kind.name}: {_held(lived.looks)} steps hold")
                return lived

            days = dict(zip(DAYS, await asyncio.gather(*map(live, DAYS)), strict=True))
            elsewhere = [one for lived in days.values() for one in lived.elsewhere]
            async with open_tenant(fleet, folder, SINGLE_CUSTOMERS, seed) as tenant:
                places = await places_of(tenant)
                for kind in KINDS:
                    async with open_window(browser, tenant.url, tenant.email, *kind) as watched:
                        seen = [look async for look in look_at_all(watched, places, kind.name)]
                        elsewhere += watched.elsewhere
                    looks += seen
                    say(f"{kind.name}: {_held(seen)} pages hold")
    return days, looks, elsewhere


def _held(looks: list[Look]) -> str:
    return f"{sum(look.holds for look in looks)} of {len(looks)}"


_HEAD = ("page", "bytes", "first paint, ms", "overhang, px", "serious violations", "complaints", "holds")


def _rows(looks: Iterable[Look]) -> list[list[object]]:
    """One line for all that was seen under a name."""
    by_name: defaultdict[str, list[Look]] = defaultdict(list)
    for look in looks:
        by_name[look.name].append(look)
    return [_row(name, seen) for name, seen in by_name.items()]


def _row(name: str, seen: list[Look]) -> list[object]:
    return [
        name,
        max(look.page_bytes for look in seen),
        round(statistics.median(look.first_paint_ms for look in seen)),
        max(look.overhang_px for look in seen),
        sum(len(look.violations) for look in seen),
        sum(len(look.complaints) for look in seen),
        "yes" if all(look.holds for look in seen) else "no",
    ]


_TERMS = ("excluded", "skipped", "refused", "accepted", "unknown", "expired", "cancelled", "waiting", "inFlight")


def _account(kind: Kind, lived: Lived) -> list[object]:
    found = lived.accounting
    terms = [found[name] for name in _TERMS]
    counts = [one.get("total", sum(one.values())) if isinstance(one, dict) else one for one in terms]
    return [kind.name, found["audience"], *counts, "yes" if found["balanced"] else "no"]


def main() -> None:
    """Exits 1 where anything falls short."""
    size = int(os.environ.get("SIZE") or SIZE)
    seed = int(os.environ.get("SEED") or time.time() % 1_000_000)
    print(f"{size:,} customers, seed {seed}", flush=True)
    days, looks, elsewhere = asyncio.run(prove(size, seed, lambda line: print(line, flush=True)))
    steps = _rows(look for lived in days.values() for look in lived.looks)
    pages = _rows(looks)
    accounts = [_account(kind, lived) for kind, lived in days.items()]
    text = f"""
Bytes are of the page without scripts and styles, at most {PAGE_BYTES_MAX:,}; the first paint is the median, with all
windows of the days at work at once; violations are those that axe calls serious or critical; complaints are what the
browser writes to its console. Requests to other hosts: {len(elsewhere)}.

## A marketer's day

{size:,} customers in a file with bad rows, a campaign that takes about {SENDING_SECONDS:.0f} seconds, faults in the
provider. Each day in its own shop and windows, all at once: {", ".join(kind.name for kind in DAYS)}; *plain* is without
scripts, which axe needs. What became of everybody, equal on the page and in the API:

{markdown_table(["window", "audience", *_TERMS, "balanced"], accounts)}

Every step, over all windows:

{markdown_table(_HEAD, steps)}

## Every page

In {len(KINDS)} kinds of windows: light and dark, 1280 and 400 px wide.

{markdown_table(_HEAD, pages)}
"""
    path = write_report("pages", "Pages", f"make prove-pages SIZE={size} SEED={seed}", text)
    print(f"{path}")
    short = [str(row[0]) for row in (*steps, *pages, *accounts) if row[-1] != "yes"]
    if short or elsewhere:
        sys.exit(f"prove-pages: falls short: {', '.join(short + elsewhere)}")


if __name__ == "__main__":
    main()
