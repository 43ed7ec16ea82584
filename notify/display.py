"""What people see: tables and progress; machines get JSON."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from notify.checking import Verified
from notify.verification import Check

console = Console()

_TERMS = ("audience", "excluded", "skipped", "refused", "accepted", "unknown", "expired", "cancelled", "waiting",
          "inFlight")  # fmt: skip

RATE_FROM_SECONDS = 0.5
"""A rate over less time says nothing."""

LINE_SECONDS = 10.0
"""How often progress is told where nobody watches a bar."""


def print_json(value: Any) -> None:
    """One line."""
    print(json.dumps(value), flush=True)


def accounting_table(channel: str, accounting: dict[str, Any]) -> Table:
    """Each term of the identity, with its parts."""
    table = Table(title=f"Accounting of the {channel} campaign", title_justify="left")
    table.add_column("term")
    table.add_column("recipients", justify="right")
    for name in _TERMS:
        value = accounting[name]
        if not isinstance(value, dict):
            table.add_row(name, "not known yet" if value is None else f"{value:,}")
            continue
        table.add_row(name, f"{value.get('total', sum(value.values())):,}")
        for part, count in value.items():
            if part != "total":
                table.add_row(f"  {part}", f"{count:,}", style="dim")
    return table


def checks_table(checks: Sequence[Check]) -> Table:
    """Each comparison with both of its sides."""
    table = Table(title="Checks", title_justify="left")
    table.add_column("compared")
    table.add_column("left", justify="right")
    table.add_column("right", justify="right")
    table.add_column("")
    for check in checks:
        table.add_row(check.name, _shown(check.left), _shown(check.right), _state_of(check))
    return table


def _state_of(check: Check) -> Text:
    if check.ok:
        return Text("holds", style="green")
    return Text("still moving", style="yellow") if check.moves else Text("differs", style="bold red")


def shown_checks(checks: Sequence[Check]) -> list[dict[str, Any]]:
    """The same for machines."""
    return [
        {"name": one.name, "left": one.left, "right": one.right, "ok": one.ok, "moves": one.moves} for one in checks
    ]


def _shown(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def verdict(verified: Verified) -> Text:
    """The verification in one line."""
    held = sum(check.ok for check in verified.checks)
    text = f"{held} of {len(verified.checks)} checks hold" + ("; the others still move" if verified.moves else "")
    if verified.double_sends is not None:
        text += f"; sent twice: {verified.double_sends}; sent to opted-out people: {verified.opted_out_sends}"
    return Text(text, style="green" if verified.balanced else "yellow" if verified.moves else "bold red")


class RateColumn(ProgressColumn):
    """How many a second, once enough time has passed to say so."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        known = speed is not None and (task.elapsed or 0.0) >= RATE_FROM_SECONDS
        return Text(f"{speed:,.0f}/s" if known else "")


def print_entries(columns: Mapping[str, str], entries: Sequence[dict[str, Any]]) -> None:
    """A list by `{heading: field}`: a table whose ids are always whole, and lines with tabs where nobody watches."""
    rows = [[_shown(entry[name]) for name in columns.values()] for entry in entries]
    if not console.is_terminal:
        for row in ([*columns], *rows):
            print("\t".join(" ".join(cell.split()) for cell in row), flush=True)
        return
    table = Table()
    for number, heading in enumerate(columns):
        width = max((len(row[number]) for row in rows), default=0) if heading == "id" else None
        table.add_column(heading, no_wrap=heading == "id", min_width=width)
    for row in rows:
        table.add_row(*map(Text, row))
    console.print(table)


class Lines(Progress):
    """Progress for logs and pipes: a line for each task every `LINE_SECONDS` at most, and one at the end."""

    def __init__(self, unit: str) -> None:
        super().__init__(disable=True)
        self._unit = unit
        self._told_at = time.monotonic()

    def advance(self, task_id: TaskID, advance: float = 1) -> None:
        super().advance(task_id, advance)
        self._tell_at_times()

    def update(self, task_id: TaskID, **changes: Any) -> None:
        super().update(task_id, **changes)
        self._tell_at_times()

    def stop(self) -> None:
        self._tell()

    def _tell_at_times(self) -> None:
        if time.monotonic() - self._told_at >= LINE_SECONDS:
            self._tell()

    def _tell(self) -> None:
        self._told_at = time.monotonic()
        for task in self.tasks:
            total = "" if task.total is None else f" of {task.total:,.0f}"
            seconds = task.elapsed or 0.0
            rate = f", {task.completed / seconds:,.0f}/s" if seconds >= RATE_FROM_SECONDS else ""
            note = f" ({task.fields['note']})" if task.fields["note"] else ""
            done = f"{task.completed:,.0f}{total} {self._unit}"
            print(f"{task.description}: {done} in {seconds:.0f} s{rate}{note}", flush=True)


def progress_bar(unit: str, quiet: bool = False) -> Progress:
    """Done, total, rate, time so far and to go; nothing when `quiet`. Tasks carry a `note`."""
    if not quiet and not console.is_terminal:
        return Lines(unit)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        RateColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=console,
        disable=quiet,
    )
