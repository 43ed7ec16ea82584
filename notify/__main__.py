"""`notify`, also as `python -m notify`."""

from __future__ import annotations

from typing import Any

import typer

from notify.client import open_api
from notify.commands import analytics, campaign, customers, dead_letters, fleet, keys, requests, users
from notify.display import console
from notify.running import run
from notify.settings import find_settings

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    help="SMS and push campaigns in which every recipient is accounted for.",
    epilog="Exit codes: 0 done, 1 not done or a difference found, 2 wrong use or settings, 3 nobody answers.",
)
app.add_typer(campaign.app, name="campaign")
app.add_typer(customers.app, name="import")
app.add_typer(dead_letters.app, name="dead-letters")
app.add_typer(analytics.app, name="analytics")
app.add_typer(keys.app, name="keys")
app.add_typer(users.app, name="users")
app.add_typer(fleet.app, name="fleet")
app.command("send-request")(requests.send_request)


@app.command()
def reconcile() -> None:
    """Ask the providers now about attempts whose outcome is unknown, and settle what they can tell."""

    async def ask() -> dict[str, Any]:
        settings = find_settings()
        async with open_api(settings.url, settings.internal_token) as api:
            answer: dict[str, Any] = await api.data("POST", "//internal/reconcile")
            return answer

    for channel, counts in run(ask()).items():
        console.print(f"{channel}: " + ", ".join(f"{name} {count}" for name, count in counts.items()))


def main() -> None:
    """Entry point of the command."""
    app()


if __name__ == "__main__":
    main()
