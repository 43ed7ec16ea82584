"""`notify import`: bring people in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any

import typer

from notify.client import open_api
from notify.display import console, print_json, progress_bar
from notify.running import FELL_SHORT, run
from notify.settings import find_settings

app = typer.Typer(no_args_is_help=True, help="Bring people in.")

PIECE_BYTES = 64 * 1024
ERRORS_SHOWN_MAX = 10
CONTENT_TYPES = {".csv": "text/csv", ".jsonl": "application/x-ndjson"}


@app.callback()
def _group() -> None:
    """Bring people in."""


@app.command("customers")
def import_customers(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True, help="A .csv or .jsonl file.")],
    errors: Annotated[
        Path | None, typer.Option(help="Where to write the rows that were not imported; none without it.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Add or change customers by file; exits 1 when rows were rejected."""
    content_type = CONTENT_TYPES.get(file.suffix.lower())
    if content_type is None:
        raise typer.BadParameter(f"must end in {' or '.join(CONTENT_TYPES)}", param_hint="FILE")
    answer, rejected_rows = run(_import(file, file.stat().st_size, content_type, as_json))
    if rejected_rows and errors is not None:
        errors.write_bytes(rejected_rows)
    if as_json:
        print_json(answer)
    else:
        console.print(f"imported {answer['imported']:,}, rejected {answer['rejected']:,}")
        for error in answer["errors"][:ERRORS_SHOWN_MAX]:
            console.print(f"  row {error['row']}: {error['field']}: {error['message']}", markup=False)
        if answer["rejected"] and errors is None:
            console.print("all of them: the same with --errors FILE", style="dim")
    if answer["rejected"]:
        raise typer.Exit(FELL_SHORT)


async def _import(file: Path, size: int, content_type: str, quiet: bool) -> tuple[dict[str, Any], bytes]:
    """The answer, and the file of rows that were not imported."""
    settings = find_settings()
    async with open_api(settings.url, settings.api_key) as api:
        with progress_bar("bytes", quiet) as progress, file.open("rb") as opened:
            task = progress.add_task(file.name, total=size, note="")

            async def pieces() -> AsyncIterator[bytes]:
                while piece := opened.read(PIECE_BYTES):
                    yield piece
                    progress.advance(task, len(piece))

            answer: dict[str, Any] = await api.upload("/customers/import", content_type, pieces())
        rejected_rows = await api.download(answer["errorFile"]) if answer["rejected"] else b""
    return answer, rejected_rows
