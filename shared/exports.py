"""Tables of any length as files: read from one snapshot, in constant memory, with a last line that says it is whole."""

from __future__ import annotations

import asyncio
import csv
import math
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from io import StringIO
from typing import Any
from uuid import uuid4

import msgspec
from fastapi.responses import StreamingResponse

from shared.bounded_http import UNREAD_SECONDS
from shared.database import Connection, Transactions
from shared.http import Problem

ROWS_AT_ONCE = 1_000
EXPORTS_AT_ONCE_MAX = 3
"""In one process, and of a tenant only one; each holds a connection for as long as its reader takes."""

TURN_SECONDS = 10.0
"""How long somebody waits for their turn before they are told to come again."""

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
    """The exports of one process, by tenant."""

    database: Transactions
    _reading: set[str] = field(default_factory=set)
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def answer(
        self, user_id: str, name: str, file_format: str, ask: Callable[[Connection], Awaitable[Query]]
    ) -> StreamingResponse:
        """The file as an answer. `ask` makes the query in the snapshot that the rows are read from.

        A file whose last line does not say `complete` was cut off.
        """
        chosen = FORMATS.get(file_format)
        if chosen is None:
            errors = [{"field": "format", "message": f"must be one of {', '.join(FORMATS)}"}]
            raise Problem(422, "Invalid input", errors=errors)
        async with AsyncExitStack() as opening:
            await opening.enter_async_context(self._turn_of(user_id))
            connection = await opening.enter_async_context(self.database.transaction())
            await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            await connection.execute(f"SET LOCAL idle_in_transaction_session_timeout = '{UNREAD_SECONDS}s'")
            query = await ask(connection)
            held = opening.pop_all()
        headers = {"Content-Disposition": f'attachment; filename="{name}.{file_format}"'}
        return StreamingResponse(
            _pieces(connection, query, chosen, held), media_type=chosen.content_type, headers=headers
        )

    @asynccontextmanager
    async def _turn_of(self, user_id: str) -> AsyncIterator[None]:
        """A 429 problem for a tenant who reads an export already, 503 where too many others do."""

        def is_free() -> bool:
            return user_id not in self._reading and len(self._reading) < EXPORTS_AT_ONCE_MAX

        async with self._changed:
            try:
                async with asyncio.timeout(TURN_SECONDS):
                    await self._changed.wait_for(is_free)
            except TimeoutError:
                raise _busy(is_own=user_id in self._reading) from None
            self._reading.add(user_id)
        try:
            yield
        finally:
            async with self._changed:
                self._reading.remove(user_id)
                self._changed.notify_all()


def _busy(is_own: bool) -> Problem:
    later = {"Retry-After": str(math.ceil(TURN_SECONDS))}
    if is_own:
        return Problem(429, "Too many exports", "one is read at a time; try again when yours is done", headers=later)
    return Problem(503, "Temporarily unavailable", "others read their exports; try again shortly", headers=later)


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
