"""`notify keys`: API keys, made by those who run the fleet."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from contracts.http.endpoints import SCOPES
from notify.client import open_api
from notify.display import console, print_json
from notify.running import run
from notify.settings import find_settings, remember_key

app = typer.Typer(no_args_is_help=True, help="API keys.")


@app.callback()
def _group() -> None:
    """API keys."""


@app.command()
def create(
    user: Annotated[str, typer.Option(help="The user (tenant) that the key belongs to.")],
    name: Annotated[str, typer.Option(help="What the key is for.")] = "key",
    scope: Annotated[list[str] | None, typer.Option(help=f"Of {', '.join(SCOPES)}; all without it.")] = None,
    remember: Annotated[bool, typer.Option(help="Use it in further commands on this machine.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Make a key. It is shown once and stored nowhere in clear text."""

    async def ask() -> dict[str, Any]:
        settings = find_settings()
        async with open_api(settings.url, settings.internal_token) as api:
            body = {"userId": user, "name": name, "scopes": scope or list(SCOPES)}
            made: dict[str, Any] = await api.data("POST", "//internal/keys", body)
            return made

    made = run(ask())
    if remember:
        remember_key(made["apiKey"])
    if as_json:
        print_json(made)
    else:
        console.print(made["apiKey"], markup=False, highlight=False)
