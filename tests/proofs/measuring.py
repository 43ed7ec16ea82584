"""How fast a service answers, on a machine that others use too."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import psutil

from contracts.http.endpoints import BASE
from deploy.local.fleet import Fleet

LIST_MS = 50.0
ROUNDS = 2
ROUND_SECONDS = 4.0
"""A kind of request is asked again while it is too slow; a round ends after so long."""

OTHERS_MAX = 0.1
"""Share of the machine that others may use while the clock alone is to judge."""

ANSWER_SECONDS = 60.0
WARM_UP = 10

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Case:
    """A kind of request: its targets are asked for one after the other."""

    name: str
    owner: str
    targets: Sequence[str]
    limit_ms: float = LIST_MS


@dataclass(frozen=True, slots=True)
class Figure:
    """How fast one kind of request was answered, in milliseconds.

    The clock runs from a request's first to its answer's last byte, at the client. `worked` is the processor time of
    service and database for one request, which others on the machine do not lengthen as they do the clock; `others` is
    the share of the machine that they took.
    """

    name: str
    requests: int
    worked: float
    worked_p99: float
    median: float
    p99: float
    others: float
    limit: float

    @property
    def by_clock(self) -> bool:
        """Whether it is fast enough by the clock."""
        return self.p99 <= self.limit

    @property
    def holds(self) -> bool:
        """Whether it is fast enough: by the clock, or by the work where others had the machine."""
        return self.by_clock or (self.others > OTHERS_MAX and self.worked_p99 <= self.limit)


async def measure(fleet: Fleet, user_id: str, case: Case, say: Say) -> Figure:
    """Asks the service itself for the tenant, as the gateway does, over one connection: the best of several rounds.

    Others can make a round slower than it would be alone, and nothing makes it faster.
    """
    best: Figure | None = None
    for _ in range(ROUNDS):
        figure = await _round(fleet, user_id, case)
        best = figure if best is None or figure.p99 < best.p99 else best
        if best.by_clock:
            break
    assert best is not None
    say(
        f"{best.name}: worked {best.worked:.1f} ms, p99 {best.worked_p99:.1f}; clock {best.median:.1f} ms, "
        f"p99 {best.p99:.1f}; others {best.others:.0%}{'' if best.holds else ' TOO SLOW'}"
    )
    return best


async def _round(fleet: Fleet, user_id: str, case: Case) -> Figure:
    """Asks for each target once; the first answers are not counted."""
    headers = {"Authorization": f"Bearer {fleet.secrets['internal_token']}", "X-User-Id": user_id}
    timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
    clock: list[float] = []
    worked: list[float] = []
    async with aiohttp.ClientSession(headers=headers, timeout=timeout) as session:

        async def ask(target: str) -> None:
            async with session.get(f"{fleet.url(case.owner)}{BASE}{target}") as answer:
                body = await answer.read()
            assert answer.status == 200, (case.name, target, body)

        for target in case.targets[:WARM_UP]:
            await ask(target)
        processes = _workers(fleet, case.owner)
        machine, until = _Machine.now(fleet), time.monotonic() + ROUND_SECONDS
        for target in case.targets:
            before, begin = _worked_ms(processes), time.perf_counter()
            await ask(target)
            clock.append((time.perf_counter() - begin) * 1e3)
            worked.append(_worked_ms(processes) - before)
            if time.monotonic() > until:
                break
        others = machine.others_until(_Machine.now(fleet))
    return Figure(
        name=case.name,
        requests=len(clock),
        worked=statistics.mean(worked),
        worked_p99=_p99(worked),
        median=statistics.median(clock),
        p99=_p99(clock),
        others=others,
        limit=case.limit_ms,
    )


def _p99(values: list[float]) -> float:
    return sorted(values)[int((len(values) - 1) * 0.99)]


def _workers(fleet: Fleet, owner: str) -> list[Path]:
    """Where the kernel says how long the service's loop and its connections at the database have worked."""
    database = psutil.Process(fleet.roster.supervised["postgres"].pid)
    backends = [one.pid for one in database.children() if one.cmdline()[0].startswith(f"postgres: {owner} ")]
    return [Path(f"/proc/{pid}/schedstat") for pid in (fleet.roster.supervised[owner].pid, *backends)]


def _worked_ms(processes: Sequence[Path]) -> float:
    return sum(int(one.read_text().split()[0]) for one in processes if one.exists()) / 1e6


@dataclass(frozen=True, slots=True)
class _Machine:
    """How long the processors were there, how long they worked, and how long for us; in seconds."""

    total: float
    busy: float
    ours: float

    @classmethod
    def now(cls, fleet: Fleet) -> _Machine:
        times = psutil.cpu_times()
        total = sum(times[:8])
        ours = time.process_time() + sum(one.cpu_seconds for one in fleet.usage().values())
        return cls(total, total - times.idle - times.iowait, ours)

    def others_until(self, later: _Machine) -> float:
        """The share of the machine that others took until then."""
        used = (later.busy - self.busy) - (later.ours - self.ours)
        return max(used, 0.0) / max(later.total - self.total, 0.01)
