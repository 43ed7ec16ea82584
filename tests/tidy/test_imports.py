"""The rules for imports (pyproject.toml) can fail: each contract is broken once, in a copy of the tree."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.local.state import ROOT

BROKEN = {
    "Deploy stands on services": ("shared/codec.py", "import services.audience"),
    "Services never import each other": ("services/audience/settings.py", "import services.dispatcher.domain"),
    "Within a service, imports point down": ("services/audience/tables.py", "import services.audience.handlers"),
    "Contracts and domains do no input": ("services/dispatcher/domain.py", "import socket"),
    "Only store, tables and the database": ("services/dispatcher/handlers.py", "import psycopg"),
    "FastStream stays in shared": ("services/dispatcher/handlers.py", "import faststream"),
}


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("copy")
    for name in ("contracts", "shared", "services", "deploy", "notify"):
        if (ROOT / name).exists():
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


@pytest.mark.parametrize("contract", BROKEN)
def test_a_forbidden_import_breaks_its_contract(contract: str, copy: Path) -> None:
    module = copy / BROKEN[contract][0]
    if not module.exists():
        module = module.with_suffix("") / "__init__.py"
    text = module.read_text()
    module.write_text(f"{text}\n{BROKEN[contract][1]}\n")
    try:
        lint = Path(sys.executable).with_name("lint-imports")
        done = subprocess.run([lint, "--no-logo", "--no-cache"], cwd=copy, capture_output=True, text=True, timeout=60)
    finally:
        module.write_text(text)
    assert done.returncode == 1
    broken = [line for line in done.stdout.splitlines() if line.endswith("BROKEN")]
    assert any(line.startswith(contract) for line in broken), done.stdout
