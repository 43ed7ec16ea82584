"""`make prove-pages`: every page in a real browser, light and dark, wide and on a phone.

Each is whole, at most 100 KB, asks no other host, complains about nothing, fits its window, and an accessibility
checker finds nothing serious. Pictures of all stay in `.local/screenshots`.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from deploy.local.fleet import Fleet
from tests.browser.looking import PAGE_BYTES_MAX, Look, look_at_all, places_of
from tests.browser.tenants import open_tenant
from tests.browser.windows import chromium, open_window
from tests.proofs.report import markdown_table, write_report

SIZE = 2_000
KINDS = tuple((scheme, width) for scheme in ("light", "dark") for width in (1280, 400))


async def prove(size: int, seed: int, say: Callable[[str], None]) -> tuple[list[list[Look]], list[str]]:
    """What was seen of each page in each kind of window, and what was asked of other hosts."""
    looks: list[list[Look]] = []
    elsewhere: list[str] = []
    with tempfile.TemporaryDirectory(prefix="proof-") as folder:
        async with (
            Fleet.running(Path(folder) / "state") as fleet,
            open_tenant(fleet, Path(folder), size, seed) as tenant,
            chromium() as browser,
        ):
            places = await places_of(tenant)
            for scheme, width in KINDS:
                kind = f"{scheme}-{width}"
                async with open_window(browser, tenant.url, tenant.email, scheme, width) as watched:
                    looks.append([look async for look in look_at_all(watched, places, kind)])
                    elsewhere += watched.elsewhere
                say(f"{kind}: {sum(look.holds for look in looks[-1])} of {len(looks[-1])} pages hold")
    return looks, elsewhere


def _row(seen: tuple[Look, ...]) -> list[object]:
    return [
        seen[0].name,
        max(look.page_bytes for look in seen),
        round(statistics.median(look.first_paint_ms for look in seen)),
        max(look.overhang_px for look in seen),
        sum(len(look.violations) for look in seen),
        sum(len(look.complaints) for look in seen),
        "yes" if all(look.holds for look in seen) else "no",
    ]


def main() -> None:
    """Exits 1 where anything falls short."""
    size = int(os.environ.get("SIZE") or SIZE)
    seed = int(os.environ.get("SEED") or time.time() % 1_000_000)
    print(f"{size:,} customers, seed {seed}", flush=True)
    looks, elsewhere = asyncio.run(prove(size, seed, lambda line: print(line, flush=True)))
    rows = [_row(seen) for seen in zip(*looks, strict=True)]
    head = ["page", "bytes", "first paint, ms", "overhang, px", "serious violations", "complaints", "holds"]
    text = f"""
Every page in Chromium, in {len(KINDS)} kinds of windows: light and dark, 1280 and 400 px wide. Bytes are of the page
without scripts and styles, at most {PAGE_BYTES_MAX:,}; the first paint is the median; violations are those that axe
calls serious or critical; complaints are what the browser writes to its console. Requests to other hosts:
{len(elsewhere)}.

{markdown_table(head, rows)}
"""
    path = write_report("pages", "Pages", f"make prove-pages SIZE={size} SEED={seed}", text)
    print(f"{path}")
    short = [str(row[0]) for row in rows if row[-1] != "yes"]
    if short or elsewhere:
        sys.exit(f"prove-pages: falls short: {', '.join(short + elsewhere)}")


if __name__ == "__main__":
    main()
