"""The next people of a campaign: judged, each address once, counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from services.audience.domain.lots import RECIPIENTS_MAX, Unit, variables_of
from services.audience.store import walking
from services.audience.store.filters import compile_filter
from services.audience.store.walking import Walk
from shared.database import Connection


@dataclass(frozen=True, slots=True)
class Page:
    """One step of a walk: who is reached, how many are not and why, and those of them who lack a variable."""

    units: list[Unit] = field(default_factory=list)
    excluded: Counter[str] = field(default_factory=Counter)
    lacking: list[Unit] = field(default_factory=list)


async def take_page(
    connection: Connection, walk: Walk, rows_max: int, further_variables: Sequence[str] = ()
) -> Page | None:
    """The next people, counted in the walk; None when nobody was left in the phase, and the walk is in the next one.

    Units come with the variables that the content names, and with `further_variables`.
    """
    named, required = variables_of(walk.content)
    variables = sorted({*named, *further_variables})
    condition = compile_filter(walk.audience_filter)
    rows = []
    if walk.phase == walking.ADDITIONS or condition is not None:
        rows = await walking.claim_page(connection, walk, condition, variables, required, rows_max)
    if not rows:
        walk.phase, walk.cursor = walking.NEXT_PHASE[walk.phase], ""
        return None
    page = _choose(rows, variables, RECIPIENTS_MAX - walk.recipients)
    walk.cursor = rows[-1].cursor
    walk.audience += len(rows)
    walk.recipients += len(page.units)
    walk.excluded = dict(Counter(walk.excluded) + page.excluded)
    return page


def _choose(rows: Sequence[walking.Unit], variables: Sequence[str], units_max: int) -> Page:
    page, taken = Page(), set[str]()
    for row in rows:
        address = row.address
        if address is None or row.reason is not None:
            page.excluded[row.reason or "invalid_address"] += 1
            if address is not None and row.reason == walking.MISSING_VARIABLE:
                page.lacking.append(_unit(row, address, variables))
        elif not row.claimed or address in taken:
            page.excluded["duplicate"] += 1
        elif len(page.units) == units_max:
            page.excluded["over_limit"] += 1
        else:
            taken.add(address)
            page.units.append(_unit(row, address, variables))
    return page


def _unit(row: walking.Unit, address: str, variables: Sequence[str]) -> Unit:
    values = {name: value for name, value in zip(variables, row.values, strict=True) if value is not None}
    return row.customer_id, address, row.name, row.device_type, values or None
