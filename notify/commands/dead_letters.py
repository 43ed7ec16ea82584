"""`notify dead-letters`: records that a consumer could not take."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from notify.display import console, print_entries, print_json
from notify.running import FELL_SHORT, run
from notify.settings import find_settings
from shared.dead_letters import DeadLetter, find_dead_letters, redrive

app = typer.Typer(no_args_is_help=True, help="Records that a consumer could not take.")

LISTED_MAX = 100
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("list")
def list_letters(as_json: AsJson = False) -> None:
    """What waits, with the reason; the newest hundred."""
    letters = run(find_dead_letters(find_settings().kafka)).letters
    if as_json:
        print_json([_described(one) for one in letters])
        return
    if letters:
        columns = {name: name for name in ("id", "at", "topic", "service", "reason")}
        print_entries(columns, [_described(one) for one in letters[-LISTED_MAX:]])
    else:
        console.print("no dead letters")


@app.command()
def show(letter_id: Annotated[str, typer.Argument(metavar="ID")], as_json: AsJson = False) -> None:
    """One record with its original bytes, which may hold personal data."""
    (letter,) = _chosen(run(find_dead_letters(find_settings().kafka)).letters, [letter_id])
    described = _described(letter) | {"key": _text(letter.key), "value": _text(letter.value)}
    if as_json:
        print_json(described)
        return
    for name, value in described.items():
        console.print(f"{name}: {value}", markup=False, highlight=False)


@app.command("redrive")
def redrive_letters(
    letter_ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]...")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All that wait.")] = False,
    topic: Annotated[str | None, typer.Option(help="With --all: only those of this topic.")] = None,
) -> None:
    """Put records back where they came from, after the cause is mended."""
    if bool(letter_ids) == everything:
        raise typer.BadParameter("give ids, or --all")
    kafka = find_settings().kafka
    letters = run(find_dead_letters(kafka)).letters
    chosen = (
        [one for one in letters if topic in (None, one.topic)] if everything else _chosen(letters, letter_ids or [])
    )
    console.print(f"put back {run(redrive(kafka, chosen))}")


def _chosen(letters: list[DeadLetter], ids: list[str]) -> list[DeadLetter]:
    by_id = {one.id: one for one in letters}
    if missing := [one for one in ids if one not in by_id]:
        console.print(f"no dead letter waits under {', '.join(missing)}: see `notify dead-letters list`")
        raise typer.Exit(FELL_SHORT)
    return [by_id[one] for one in ids]


def _described(letter: DeadLetter) -> dict[str, Any]:
    return {
        "id": letter.id,
        "at": letter.at.isoformat(),
        "topic": letter.topic,
        "place": letter.place,
        "service": letter.service,
        "reason": letter.reason,
        "bytes": len(letter.value),
    }


def _text(value: bytes) -> str:
    return value.decode("utf-8", "backslashreplace")
