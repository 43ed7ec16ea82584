"""`python -m deploy.typescript [--check]`: writes contracts/typescript/notification.ts from contracts/openapi.json."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from contracts.generate import FOLDER
from deploy.node import installed, run_node
from deploy.openapi import PATH as DOCUMENT

HERE = FOLDER / "typescript"
PATH = HERE / "notification.ts"
COMMAND = (
    "node_modules/openapi-typescript/bin/cli.js",
    str(DOCUMENT),
    "--default-non-nullable=false",
)


def types() -> str:
    """The types as they are checked in: every operation, and every schema under its own name, which the tool's own
    option would spell differently."""
    names = json.loads(DOCUMENT.read_text())["components"]["schemas"]
    exported = "".join(f'export type {name} = components["schemas"]["{name}"];\n' for name in names)
    return f"{run_node(installed(HERE), COMMAND)}\n{exported}"


def main(arguments: list[str], path: Path = PATH) -> int:
    """The exit code of the command."""
    if arguments not in ([], ["--check"]):
        print("usage: python -m deploy.typescript [--check]", file=sys.stderr)
        return 2
    if not arguments:
        path.write_text(types())
        return 0
    if path.exists() and path.read_text() == types():
        return 0
    print(f"{path.name} is out of date: run make contracts", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
