"""docs/adding-a-provider.md, tried: a ninth vendor is a short module, a folder and a line, and nothing else changes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
LINES_MAX = 150
PASSED_MIN = 24


def test_the_adapter_is_short():
    assert len((HERE / "ninth" / "plivo.py").read_text().splitlines()) <= LINES_MAX


def test_the_conformance_suite_takes_it_as_it_is():
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-p", "tests.providers.ninth.plugin", "-k", "plivo or every_vendor"),
            *("--no-header", "-p", "no:cacheprovider"),
            *(str(HERE / name) for name in ("test_conformance.py", "test_fixtures.py")),
        ],
        env=os.environ | {"MORE_FIXTURES": str(HERE / "ninth" / "fixtures")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None
    assert int(passed[1]) >= PASSED_MIN
