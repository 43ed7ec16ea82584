"""The running gateway against its own description, by Schemathesis: no 5xx, no answer that is not described, and no way
round signing in, by examples, edge cases, random input, and sequences of requests.

SIZE= is the time in seconds for what is random (75), SEED= repeats a run.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from deploy.local.fleet import Fleet

SECONDS = int(os.environ.get("SIZE") or 75)
SEED = int(os.environ.get("SEED") or 1)
GRACE_SECONDS = 300
"""For the examples and edge cases, which are not cut short, and for the report, on a machine that does much else."""

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "use_after_free",
    "ignored_auth",
)


@pytest.mark.parametrize("phases", ["examples,coverage", "fuzzing,stateful"])
async def test_every_answer_is_described(fleet: Fleet, make, tmp_path: Path, phases: str) -> None:
    client = await make("admin")
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).parent / "st"),
        "run",
        f"{client.url}/openapi.json",
        f"--header=Authorization: Bearer {client.key}",
        f"--phases={phases}",
        f"--checks={','.join(CHECKS)}",
        f"--seed={SEED}",
        *([f"--max-time={SECONDS}"] if "fuzzing" in phases else []),
        "--generation-database=none",
        "--request-timeout=30",
        "--warnings=off",
        "--continue-on-failure",
        "--no-color",
        cwd=tmp_path,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(SECONDS + GRACE_SECONDS):
            said, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, said.decode()
