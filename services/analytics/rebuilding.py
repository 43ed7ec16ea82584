"""`python -m services.analytics rebuild`: counts the log again, and compares or corrects what is kept."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from pydantic import SecretStr

from services.analytics.settings import AnalyticsSettings
from services.analytics.store.replay import (
    ROWS_MAX,
    Difference,
    claim_rebuild,
    correct_aggregates,
    find_differences,
    replay,
)
from shared.database import open_database
from shared.errors import is_transient
from shared.settings import SettingsError, load

DIFFERENCES_SHOWN_MAX = 50
CONNECTIONS_MAX = 1
DIFFERS, WRONG_USE = 1, 2


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What a rebuild has found. `differences` are the first of the `differing` sums."""

    records: int
    differing: int
    differences: list[Difference]
    seconds: float


async def rebuild(
    database_url: SecretStr, correct: bool, say: Callable[[int], None] = lambda _: None, rows_max: int = ROWS_MAX
) -> Rebuilt:
    """Replays the log and compares it with the aggregates, as both were at one instant; `correct` sets these right.

    `say` hears how many records have been replayed. Services may go on writing. Until the correction nothing is
    changed, so a rebuild that was killed is simply run again.
    """
    begin, records = time.monotonic(), 0
    async with (
        open_database(database_url, CONNECTIONS_MAX, "analytics rebuild") as database,
        database.pool.connection() as connection,
    ):
        await claim_rebuild(connection)
        async for count in replay(connection, rows_max):
            records += count
            say(records)
        differing, differences = await find_differences(connection, DIFFERENCES_SHOWN_MAX)
        await connection.commit()
        if correct:
            await correct_aggregates(connection)
    return Rebuilt(records, differing, differences, round(time.monotonic() - begin, 3))


def main(arguments: Sequence[str]) -> int:
    """The exit code of the command: 0 done or equal, 1 different or not possible, 2 wrong use."""
    parser = argparse.ArgumentParser("python -m services.analytics", description="Without a command: run the service.")
    command = parser.add_subparsers(required=True).add_parser("rebuild", help="count the event log again")
    command.add_argument("--verify", action="store_true", help="compare only; exit 1 on any difference")
    command.add_argument("--json", action="store_true", help="print one JSON object")
    given = parser.parse_args(arguments)
    try:
        settings = load(AnalyticsSettings)
    except SettingsError as error:
        print(f"analytics: {error}", file=sys.stderr)
        return WRONG_USE
    try:
        found = asyncio.run(rebuild(settings.database_url, correct=not given.verify, say=_say))
    except Exception as error:
        if not is_transient(error):
            raise
        reason = "the database does not answer, or another rebuild goes on"
        print(f"analytics: {reason} ({type(error).__name__}); try again", file=sys.stderr)
        return DIFFERS
    if given.json:
        print(json.dumps(asdict(found)))
    else:
        _show(found, given.verify)
    return DIFFERS if given.verify and found.differing else 0


def _say(records: int) -> None:
    print(f"{records:,} records replayed", file=sys.stderr, flush=True)


def _show(found: Rebuilt, verify: bool) -> None:
    for one in found.differences:
        keys = ", ".join(f"{name} {value}" for name, value in one.keys.items())
        print(f"{one.table} ({keys}): kept {one.kept:,}, replayed {one.replayed:,}")
    if found.differing > len(found.differences):
        print(f"and {found.differing - len(found.differences):,} more")
    verdict = "differ" if verify else "differed and are corrected"
    print(f"{found.records:,} records replayed in {found.seconds:.1f} s; {found.differing:,} sums {verdict}")
