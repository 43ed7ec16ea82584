"""Tables of any length as files: read from one snapshot, in constant memory, with a last line that says it is whole."""

from __future__ import annotations

import asyncio
import csv
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from io import StringIO
from typing import Any
from uuid import uuid4

import msgspec
from fastapi.responses import StreamingResponse

from shared.database import Connection, Transactions
from shared.http import Problem

ROWS_AT_ONCE = 1_000
EXPORTS_AT_ONCE_MAX = 2
"""In one process; each holds a connection for as long as its reader takes."""

PATIENCE_SECONDS = 600
"""How long a reader may stand still before its snapshot is given up."""

_FORMULA = re.compile(r"[=+\-@\t\r\n]")
_NUMBER = re.compile(r"[+-]?[0-9.]+")

Row = Sequence[Any]


def safe_cell(value: Any) -> Any:
    """The value as no spreadsheet takes it for a formula: an apostrophe in front of what might be one, but a number."""
    if isinstance(value, str) and _FORMULA.match(value) and not _NUMBER.fullmatch(value):
        return "'" + value
    return value


def _csv(rows: Sequence[Row]) -> bytes:
    text = StringIO()
    csv.writer(text).writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue().encode()


def _cell(value: Any) -> Any:
    if isinstance(value, list | dict):
        value = msgspec.json.encode(value).decode()
    elif isinstance(value, bool):
        value = "true" if value else "false"
    elif hasattr(value, "isoformat"):
        value = value.isoformat()
    return safe_cell(value)


@dataclass(frozen=True, slots=True)
class FileFormat:
    """How rows become bytes. `end` takes their number."""

    content_type: str
    begin: Callable[[Sequence[str]], bytes]
    rows: Callable[[Sequence[str], Sequence[Row]], bytes]
    end: Callable[[int], bytes]


FORMATS: Mapping[str, FileFormat] = {
    "csv": FileFormat(
        content_type="text/csv",
        begin=lambda columns: _csv([columns]),
        rows=lambda _, rows: _csv(rows),
        end=lambda count: f"# complete: {count} rows\r\n".encode(),
    ),
    "jsonl": FileFormat(
        content_type="application/x-ndjson",
        begin=lambda _: b"",
        rows=lambda columns, rows: b"".join(
            msgspec.json.encode(dict(zip(columns, row, strict=True))) + b"\n" for row in rows
        ),
        end=lambda count: msgspec.json.encode({"complete": True, "rows": count}) + b"\n",
    ),
}


@dataclass(frozen=True, slots=True)
class Query:
    """What is exported; the columns of the statement under their names in the file."""

    statement: str
    parameters: Mapping[str, Any]
    columns: Sequence[str]


@dataclass(slots=True)
class Exports:
    """The exports of one process."""

    database: Transactions
    _turn: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(EXPORTS_AT_ONCE_MAX))

    async def answer(
        self, name: str, file_format: str, ask: Callable[[Connection], Awaitable[Query]]
    ) -> StreamingResponse:
        """The file as an answer. `ask` makes the query in the snapshot that the rows are read from.

        A file whose last line does not say `complete` was cut off.
        """
        chosen = FORMATS.get(file_format)
        if chosen is None:
            errors = [{"field": "format", "message": f"must be one of {', '.join(FORMATS)}"}]
            raise Problem(422, "Invalid input", errors=errors)
        if self._turn.locked():
            detail = f"{EXPORTS_AT_ONCE_MAX} exports are being read already; try again when one is done"
            raise Problem(503, "Temporarily unavailable", detail, headers={"Retry-After": "10"})
        async with AsyncExitStack() as opening:
            await opening.enter_async_context(self._turn)
            connection = await opening.enter_async_context(self.database.transaction())
            await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            await connection.execute(f"SET LOCAL idle_in_transaction_session_timeout = '{PATIENCE_SECONDS}s'")
            query = await ask(connection)
            held = opening.pop_all()
        headers = {"Content-Disposition": f'attachment; filename="{name}.{file_format}"'}
        return StreamingResponse(
            _pieces(connection, query, chosen, held), media_type=chosen.content_type, headers=headers
        )


async def _pieces(
    connection: Connection, query: Query, file_format: FileFormat, held: AsyncExitStack
) -> AsyncIterator[bytes]:
    async with held, connection.cursor(name=f"export_{uuid4().hex}") as cursor:
        yield file_format.begin(query.columns)
        await cursor.execute(query.statement, query.parameters)
        count = 0
        while rows := await cursor.fetchmany(ROWS_AT_ONCE):
            count += len(rows)
            yield file_format.rows(query.columns, rows)
        yield file_format.end(count)
