"""The checked-in TypeScript types are current, and say what the specification says."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from deploy import typescript
from deploy.node import installed, run_node

SAMPLE = Path(__file__).parent / "sample.ts"


def compile_sample(folder: Path) -> None:
    """Raises `RuntimeError` unless the sample in the folder compiles with the types beside it."""
    options = ("--strict", "--noEmit", "--target", "es2022", "--lib", "es2022,dom", "--moduleResolution", "bundler")
    compiler = "node_modules/typescript/bin/tsc"
    files = [str(folder / SAMPLE.name), str(folder / typescript.PATH.name)]
    run_node(installed(typescript.HERE), [compiler, *options, "--module", "esnext", *files])


def test_they_are_current(tmp_path: Path) -> None:
    assert typescript.main(["--check"]) == 0, "run make contracts"
    changed = tmp_path / typescript.PATH.name
    assert typescript.main(["--check"], changed) == 1
    changed.write_text(typescript.PATH.read_text() + " ")
    assert typescript.main(["--check"], changed) == 1


def test_a_front_end_compiles_with_them(tmp_path: Path) -> None:
    for source in (SAMPLE, typescript.PATH):
        shutil.copy(source, tmp_path)
    compile_sample(tmp_path)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [('"nexmo"', '"vonage"'), ('"opted_out"', '"gone"'), ("topPerformingSMSCampaigns", "topPerformingSmsCampaigns")],
)
def test_one_that_differs_does_not_compile(tmp_path: Path, right: str, wrong: str) -> None:
    shutil.copy(SAMPLE, tmp_path)
    (tmp_path / typescript.PATH.name).write_text(typescript.PATH.read_text().replace(right, wrong))
    with pytest.raises(RuntimeError):
        compile_sample(tmp_path)
