"""The table that a proof leaves behind."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from deploy.local.state import ROOT


def machine() -> str:
    """Processors, memory and versions of this machine."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} processors, {memory:.0f} GiB, {platform.system()}, Python {platform.python_version()}"


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Numbers are aligned to the right."""
    numeric = [all(isinstance(row[column], int | float) for row in rows) for column in range(len(head))]
    lines = ["| " + " | ".join(head) + " |", "|" + "|".join("--:" if right else "---" for right in numeric) + "|"]
    lines += ["| " + " | ".join(_cell(value) for value in row) + " |" for row in rows]
    return "\n".join(lines)


def _cell(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def write_report(name: str, title: str, command: str, text: str) -> Path:
    """Writes docs/proofs/NAME.md with the command, the date and the machine."""
    path = ROOT / "docs" / "proofs" / f"{name}.md"
    path.parent.mkdir(exist_ok=True)
    day = datetime.now(UTC).strftime("%Y-%m-%d")
    path.write_text(f"# {title}\n\n{text.strip()}\n\n`{command}`, {day}, on {machine()}.\n")
    return path
