"""Tests keep their names, whenever they are collected: two workers that share them must agree on them."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from deploy.local.state import ROOT

COLLECT_SECONDS = 120


def test_names_depend_neither_on_time_nor_on_chance(request: pytest.FixtureRequest) -> None:
    collected = {item.nodeid for item in request.session.items}
    again = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "tests"],
        cwd=ROOT,
        env=os.environ | {"PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
        timeout=COLLECT_SECONDS,
    )
    assert collected - set(again.stdout.splitlines()) == set(), again.stdout[-2000:]
