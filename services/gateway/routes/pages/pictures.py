"""Pictures as geometry: where each recipient is, as parts of a bar; the way there, as steps; deliveries, as a curve."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import Any

from services.gateway.routes.pages.words import UNTRIED, reason_words

PART_MIN_PERCENT = 0.8
"""Of the bar's width: what is there can be seen."""

CURVE_WIDTH, CURVE_HEIGHT = 480, 200
CURVE_LEFT, CURVE_BOTTOM, CURVE_TOP = 44, 172, 12
TICKS_MAX = 4
"""Lines to read a value by, besides the one at zero; as many moments under it."""

BRIEF_SECONDS = 300
"""What lasted no longer is told with its seconds."""

_TICK_SECONDS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 21_600, 43_200, 86_400)


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a bar. `kind` is the name of its color; `x` and `width` are percent of the bar."""

    kind: str
    words: str
    count: int
    x: float = 0.0
    width: float = 0.0


def parts_of(accounting: Mapping[str, Any]) -> list[Part]:
    """Where every recipient is. The counts add up to the audience, as the accounting does."""
    accepted = accounting["accepted"]
    counted = [
        Part("delivered", "delivered", accepted["delivered"]),
        Part("accepted", "accepted, not yet confirmed", accepted["unconfirmed"]),
        Part(
            "refused",
            "refused, bounced or failed",
            sum(accounting["refused"].values()) + accepted["bounced"] + accepted["failedLater"],
        ),
        Part("unknown", "unknown", accounting["unknown"]),
        Part("skipped", "skipped at send time", sum(accounting["skipped"].values())),
        *(Part(reason, reason_words(reason), accounting[reason]) for reason in UNTRIED if accounting[reason]),
        Part("excluded", "excluded beforehand", sum(accounting["excluded"].values())),
        Part("waiting", "waiting or under way", accounting["waiting"] + accounting["inFlight"]),
    ]
    return laid_out(counted)


def laid_out(parts: Sequence[Part]) -> list[Part]:
    """The parts side by side over the whole width; one that is small is still wide enough to be seen."""
    total = sum(part.count for part in parts)
    if not total:
        return list(parts)
    wide = [max(100 * part.count / total, PART_MIN_PERCENT) if part.count else 0.0 for part in parts]
    shrink = 100 / sum(wide)
    placed, x = [], 0.0
    for part, width in zip(parts, wide, strict=True):
        placed.append(Part(part.kind, part.words, part.count, round(x, 3), round(width * shrink, 3)))
        x += width * shrink
    return placed


@dataclass(frozen=True, slots=True)
class Step:
    """A line of the waterfall: a total from the left edge, or what was lost at this place."""

    words: str
    count: int
    kind: str
    x: float
    width: float
    is_total: bool


def steps_of(accounting: Mapping[str, Any]) -> list[Step]:
    """From the audience down to those delivered, everything that was lost on the way in between."""
    accepted = accounting["accepted"]
    audience = accounting["audience"] or 0
    steps: list[Step] = []
    left = audience

    def total(words: str, kind: str = "accent") -> None:
        steps.append(Step(words, left, kind, 0.0, _share(left, audience), is_total=True))

    def lose(words: str, count: int, kind: str) -> None:
        nonlocal left
        if count:
            left -= count
            width = _share(count, audience)
            steps.append(Step(words, count, kind, min(_share(left, audience), 100 - width), width, is_total=False))

    total("In the audience")
    for reason, count in _biggest_first(accounting["excluded"]):
        lose(reason_words(reason), count, "excluded")
    total("Planned")
    for reason, count in _biggest_first(accounting["skipped"]):
        lose(f"skipped: {reason_words(reason)}", count, "skipped")
    for reason in UNTRIED:
        lose(reason_words(reason), accounting[reason], reason)
    lose("waiting", accounting["waiting"], "waiting")
    total("Attempted")
    lose("under way", accounting["inFlight"], "waiting")
    for reason, count in _biggest_first(accounting["refused"]):
        lose(f"refused: {reason_words(reason)}", count, "refused")
    lose("unknown", accounting["unknown"], "unknown")
    total("Accepted by the provider")
    lose("bounced", accepted["bounced"], "refused")
    lose("failed later", accepted["failedLater"], "refused")
    lose("not yet confirmed", accepted["unconfirmed"], "accepted")
    total("Delivered", "delivered")
    return steps


def _biggest_first(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda one: (-one[1], one[0]))


def _share(count: int, whole: int) -> float:
    return round(max(100 * count / whole, PART_MIN_PERCENT), 3) if whole and count else 0.0


@dataclass(frozen=True, slots=True)
class Curve:
    """Sums over time as paths. `rules` are (y, count), `ticks` (x, moment), `ends` the first and the last moment."""

    lines: dict[str, str]
    areas: dict[str, str]
    totals: dict[str, int]
    rules: list[tuple[float, int]]
    ticks: list[tuple[float, datetime]]
    ends: tuple[datetime, datetime]

    @property
    def is_brief(self) -> bool:
        """Whether minutes are too coarse for its moments."""
        return (self.ends[1] - self.ends[0]).total_seconds() <= BRIEF_SECONDS


def curve_of(
    points: Sequence[Mapping[str, Any]],
    seconds: int,
    names: Sequence[str],
    begin: datetime,
    now: datetime,
    totals: Mapping[str, int],
) -> Curve | None:
    """The running sums of the named counts, from nothing at the beginning to the end of the last point, each of which
    lasts so long, or to now; None where there is nothing to draw. A sum ends at its total, where that is known from the
    ledger, which the event log follows."""
    if not points:
        return None
    starts = [datetime.fromisoformat(point["at"]) for point in points]
    first = max(begin, starts[0])
    ends = (min(start + timedelta(seconds=seconds), now) for start in starts)
    moments = [first, *(max(end, first + timedelta(seconds=1)) for end in ends)]
    sums = {name: [0, *_running(points, name, totals.get(name))] for name in names}
    most = max((values[-1] for values in sums.values()), default=0)
    if not most:
        return None
    step = _step_of_counts(most)
    top = -(-most // step) * step
    span = (moments[-1] - moments[0]).total_seconds()

    def x_of(at: datetime) -> float:
        return CURVE_LEFT + (CURVE_WIDTH - CURVE_LEFT) * (at - moments[0]).total_seconds() / span

    xs = [x_of(at) for at in moments]
    scale = (CURVE_BOTTOM - CURVE_TOP) / top
    lines = {
        name: "M" + "L".join(f"{x:.1f} {CURVE_BOTTOM - value * scale:.1f}" for x, value in zip(xs, values, strict=True))
        for name, values in sums.items()
    }
    areas = {name: f"{line}L{xs[-1]:.1f} {CURVE_BOTTOM}L{xs[0]:.1f} {CURVE_BOTTOM}Z" for name, line in lines.items()}
    rules = [(CURVE_BOTTOM - count * scale, count) for count in range(0, top + 1, step)]
    reached = {name: values[-1] for name, values in sums.items()}
    ticks = [(x_of(at), at) for at in _ticks(moments[0], moments[-1])]
    return Curve(lines, areas, reached, rules, ticks, (moments[0], moments[-1]))


def _step_of_counts(most: int) -> int:
    """A round number of which at most `TICKS_MAX` reach the sum."""
    power = 1
    while True:
        for step in (power, 2 * power, 5 * power):
            if -(-most // step) <= TICKS_MAX:
                return step
        power *= 10


def _ticks(first: datetime, last: datetime) -> list[datetime]:
    """Round moments between the two."""
    span = (last - first).total_seconds()
    day = _TICK_SECONDS[-1]
    step = next((one for one in _TICK_SECONDS if span / one <= TICKS_MAX), day * int(span / day / TICKS_MAX + 1))
    begin = math.ceil(first.timestamp() / step) * step
    return [datetime.fromtimestamp(at, UTC) for at in range(begin, int(last.timestamp()) + 1, step)]


def _running(points: Sequence[Mapping[str, Any]], name: str, total: int | None) -> list[int]:
    values = list(accumulate(point.get(name, 0) for point in points))
    return values if total is None else [*(min(value, total) for value in values[:-1]), total]
