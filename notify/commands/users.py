"""`notify users`: people who sign in, so that a new installation can get its first one."""

from __future__ import annotations

import getpass
import sys
from typing import Annotated, Any

import typer

from contracts.http.access import ROLES
from notify.client import as_operator
from notify.display import console, print_json
from notify.running import run
from notify.settings import find_settings

app = typer.Typer(no_args_is_help=True, help="People who sign in.")


@app.callback()
def _group() -> None:
    """People who sign in."""


@app.command()
def create(
    user: Annotated[str, typer.Option(help="The user (tenant) that the person works for.")],
    email: Annotated[str, typer.Option(help="What the person signs in with.")],
    role: Annotated[str, typer.Option(help=f"One of {', '.join(ROLES)}.")],
    name: Annotated[str, typer.Option(help="What to call the person; the e-mail address without it.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Add a person. The password is asked for, or read from standard input; without one a link to set it is printed."""
    password = _read_password()

    async def ask() -> dict[str, Any]:
        body = {"email": email, "name": name or email, "role": role}
        async with as_operator(find_settings(), user) as api:
            made: dict[str, Any] = await api.data("POST", "/users", body | ({"password": password} if password else {}))
            return made

    made = run(ask())
    if as_json:
        print_json(made)
    elif invitation := made.get("invitation"):
        words = f"{made['email']} sets a password by this link, which works once:"
        console.print(words, markup=False, highlight=False, soft_wrap=True)
        console.print(invitation["url"], markup=False, highlight=False, soft_wrap=True)
    else:
        console.print(f"{made['email']} can sign in", markup=False, highlight=False)


def _read_password() -> str:
    if sys.stdin.isatty():
        return getpass.getpass("Password (empty for an invitation): ")
    return sys.stdin.readline().rstrip("\n")
