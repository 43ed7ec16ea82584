"""What the processes of a fleet cost: the peak of their memory and the processor time, over all restarts."""

from __future__ import annotations

import asyncio
import re
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from deploy.local.roster import Roster

SAMPLE_SECONDS = 0.5
_MIB = 1024 * 1024
_PEAK = re.compile(r"VmHWM:\s+(\d+) kB")


@dataclass(frozen=True, slots=True)
class Usage:
    """`memory_mib` is the largest resident size that one process of the service ever had."""

    memory_mib: float
    cpu_seconds: float


@dataclass(slots=True)
class Meter:
    """Samples all processes of a roster. What a process uses after its last sample is not counted."""

    roster: Roster
    _memory: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    _cpu: dict[str, dict[tuple[int, float], float]] = field(default_factory=lambda: defaultdict(dict))

    async def run(self) -> None:
        """Samples until cancelled."""
        while True:
            self.sample()
            await asyncio.sleep(SAMPLE_SECONDS)

    def sample(self) -> None:
        """Takes one sample of every living process and of its children."""
        for name, supervised in self.roster.supervised.items():
            if supervised.pid is None:
                continue
            try:
                main = psutil.Process(supervised.pid)
                family = [main, *main.children()]
            except psutil.Error:
                continue
            for member in family:
                self._sample_one(name, member)

    def usage(self) -> dict[str, Usage]:
        """The figures so far, by name of the process."""
        self.sample()
        return {
            name: Usage(round(self._memory[name], 1), round(sum(self._cpu[name].values()), 2)) for name in self._cpu
        }

    def _sample_one(self, name: str, member: psutil.Process) -> None:
        try:
            with member.oneshot():
                times = member.cpu_times()
                self._cpu[name][member.pid, member.create_time()] = times.user + times.system
                peak = _peak_mib(member)
        except psutil.Error:
            return
        self._memory[name] = max(self._memory[name], peak)


def _peak_mib(member: psutil.Process) -> float:
    try:
        found = _PEAK.search(Path(f"/proc/{member.pid}/status").read_text())
    except OSError:
        found = None
    return int(found[1]) / 1024 if found else member.memory_info().rss / _MIB
