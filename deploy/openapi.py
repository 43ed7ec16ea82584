"""`python -m deploy.openapi [--check]`: writes contracts/openapi.json from the gateway's routes. Needs no server."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, cast

from pydantic import SecretStr

from contracts.generate import FOLDER
from services.gateway.app import make_app
from services.gateway.routes.describing import describe
from services.gateway.routes.entrance import Entrance
from services.gateway.settings import GatewaySettings

PATH = FOLDER / "openapi.json"


def document() -> str:
    """The description as it is checked in."""
    nowhere = "http://localhost"
    settings = GatewaySettings(
        http_port=0,
        database_url=SecretStr(""),
        kafka_bootstrap_servers="",
        secrets_key=SecretStr(""),
        internal_token=SecretStr(""),
        link_base_url=nowhere,
        campaign_url=nowhere,
        audience_url=nowhere,
        dispatcher_url=nowhere,
        delivery_receipt_url=nowhere,
        analytics_url=nowhere,
    )
    unused = cast("Any", None)
    described = describe(make_app(Entrance(unused, unused, unused, unused, settings), unused, unused))
    return json.dumps(described, indent=2, ensure_ascii=False, sort_keys=True) + "\n"


def main(arguments: list[str], path: Path = PATH) -> int:
    """The exit code of the command."""
    if arguments not in ([], ["--check"]):
        print("usage: python -m deploy.openapi [--check]", file=sys.stderr)
        return 2
    if not arguments:
        path.write_text(document())
        return 0
    if path.exists() and path.read_text() == document():
        return 0
    print(f"{path.name} is out of date: run make contracts", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
