"""`notify keys`: API keys, managed by those who run the fleet."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from contracts.http.endpoints import KEY_SCOPES
from notify.client import as_operator
from notify.display import console, print_entries, print_json
from notify.running import run
from notify.settings import find_settings, remember_key

app = typer.Typer(no_args_is_help=True, help="API keys.")

User = Annotated[str, typer.Option(help="The user (tenant) that the key belongs to.")]
Remember = Annotated[bool, typer.Option(help="Use it in further commands on this machine.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.callback()
def _group() -> None:
    """API keys."""


@app.command()
def create(
    user: User,
    name: Annotated[str, typer.Option(help="What the key is for.")] = "key",
    scope: Annotated[list[str] | None, typer.Option(help=f"Of {', '.join(KEY_SCOPES)}; all without it.")] = None,
    remember: Remember = False,
    as_json: AsJson = False,
) -> None:
    """Make a key. It is shown once and stored nowhere in clear text. A new user begins with it, with nothing yet."""
    body = {"name": name, "scopes": scope or list(KEY_SCOPES)}
    is_new, made = run(_create(user, body))
    _show_secret(made, remember, as_json)
    if is_new:
        print(
            f"{user} is a new user (tenant), with nothing in it yet; if you meant another, revoke it", file=sys.stderr
        )


@app.command("list")
def list_keys(user: User, as_json: AsJson = False) -> None:
    """The keys of a user, with their ids."""

    async def ask() -> list[dict[str, Any]]:
        async with as_operator(find_settings(), user) as api:
            return [key async for key in api.pages("/api-keys")]

    found = run(ask())
    columns = ("id", "prefix", "name", "scopes", "lastUsedAt", "expiresAt", "revokedAt")
    if as_json:
        print_json(found)
    else:
        print_entries({name: name for name in columns}, found)


@app.command()
def rotate(
    key_id: Annotated[str, typer.Argument(help="As `keys list` shows it.")],
    user: User,
    overlap_hours: Annotated[int, typer.Option(help="So long the old secret works, too.")] = 24,
    remember: Remember = False,
    as_json: AsJson = False,
) -> None:
    """Give a key a new secret, which is shown once."""
    body = {"overlapHours": overlap_hours}
    _show_secret(run(_ask(user, "POST", f"/api-keys/{key_id}/rotate", body)), remember, as_json)


@app.command()
def revoke(key_id: Annotated[str, typer.Argument(help="As `keys list` shows it.")], user: User) -> None:
    """Let a key open nothing any more."""
    run(_ask(user, "DELETE", f"/api-keys/{key_id}"))
    console.print("revoked", highlight=False)


async def _create(user: str, body: dict[str, Any]) -> tuple[bool, dict[str, Any]]:
    """Whether nobody and no key belonged to the user before, and the key."""
    async with as_operator(find_settings(), user) as api:
        known = [await api.data("GET", path, limit=1) for path in ("/users", "/api-keys")]
        return not any(known), await api.data("POST", "/api-keys", body)


async def _ask(user: str, method: str, path: str, body: Any = None) -> dict[str, Any]:
    async with as_operator(find_settings(), user) as api:
        found: dict[str, Any] = (await api.ask(method, path, body)).get("data", {})
        return found


def _show_secret(made: dict[str, Any], remember: bool, as_json: bool) -> None:
    if remember:
        remember_key(made["apiKey"])
    if as_json:
        print_json(made)
    else:
        console.print(made["apiKey"], markup=False, highlight=False)
