"""Bodies, lists and files of requests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from typing import Any
from uuid import UUID

import msgspec
from fastapi import Request
from fastapi.responses import JSONResponse
from starlette.requests import ClientDisconnect

from services.audience.domain.files import BadFile, Malformed, Row
from services.audience.handlers.importing import (
    FORMATS,
    AlreadyImported,
    AlreadyLaunched,
    Imported,
    Kind,
    TooManyRecipients,
    import_file,
)
from services.audience.settings import AudienceSettings
from services.audience.store.filters import Condition, FilterError, compile_filter
from services.audience.store.imports import RowError
from shared.database import TenantDatabase
from shared.http import Problem, not_json
from shared.ids import new_id

ROWS_MAX = 10_000
BODY_BYTES_MAX = 64 * 1024 * 1024
LIST_MAX = 500
CONSENTS = ("smsOptedIn", "pushOptedIn", "marketingOptedIn")
_CONTENT_TYPES = {"text/csv": "csv", "application/x-ndjson": "jsonl", "application/jsonl": "jsonl"}


async def read_json(request: Request) -> Any:
    """The body as JSON."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > BODY_BYTES_MAX:
            raise Problem(413, "The body is too large", f"at most {BODY_BYTES_MAX} bytes; use an import for more")
    try:
        return msgspec.json.decode(bytes(body))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise not_json(str(error)) from None


async def read_object(request: Request) -> dict[str, Any]:
    """The body as a JSON object."""
    body = await read_json(request)
    if not isinstance(body, dict):
        raise Problem(422, "Invalid input", errors=[{"field": "", "message": "must be an object"}])
    return body


def read_filter(value: Any) -> Condition | None:
    """The condition of a filter, None for one that finds nobody; a 422 problem that names what is wrong."""
    try:
        return compile_filter(value)
    except FilterError as error:
        field = ".".join(part for part in ("audienceFilter", error.path) if part)
        raise Problem(422, "Invalid input", errors=[{"field": field, "message": error.reason}]) from None


async def read_rows(request: Request, name: str) -> list[Row]:
    """The objects of a list, numbered from 0; the body is the list, an object with it under `name`, or one object."""
    body = await read_json(request)
    entries = body.get(name, [body]) if isinstance(body, dict) else body
    if not isinstance(entries, list) or not entries:
        raise Problem(422, "Invalid input", errors=[{"field": name, "message": "must be a list with an entry"}])
    if len(entries) > ROWS_MAX:
        message = f"at most {ROWS_MAX} a call; use an import for more"
        raise Problem(422, "Invalid input", errors=[{"field": name, "message": message}])
    return [
        (number, entry if isinstance(entry, dict) else Malformed("must be an object", ""))
        for number, entry in enumerate(entries)
    ]


def answer_list(result: Imported, name: str) -> JSONResponse:
    """Counts and errors; 422 when nothing at all could be saved."""
    errors = [{"index": row, "field": error.field, "message": error.reason} for row, error in result.errors]
    if not result.imported:
        named = [{"field": f"{name}.{e['index']}.{e['field']}", "message": str(e["message"])} for e in errors]
        raise Problem(422, "Invalid input", "no entry could be saved", named)
    warnings = consent_warnings(result.consent_assumed, result.consent_left_out)
    data = {"imported": result.imported, "rejected": result.rejected, "errors": errors, "warnings": warnings}
    return JSONResponse({"data": data}, 200)


async def answer_import(
    request: Request,
    database: TenantDatabase,
    settings: AudienceSettings,
    user_id: str,
    kind: Kind[Any],
    file_format: str | None,
    import_id: UUID | None,
) -> JSONResponse:
    """Imports the streamed body; what is wrong with single rows is in the answer and in the error file."""
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    import_id = import_id or new_id()
    chosen = file_format or _CONTENT_TYPES.get(content_type, "csv")
    if chosen not in FORMATS:
        message = f"must be one of {', '.join(FORMATS)}"
        raise Problem(422, "Invalid input", errors=[{"field": "format", "message": message}])
    try:
        result = await import_file(
            database,
            user_id,
            import_id,
            kind,
            chosen,
            _pieces_of(request),
            settings.import_batch_rows,
            settings.import_row_bytes_max,
        )
    except BadFile as error:
        detail = f"{error}; what was good before that is kept, as import {import_id} shows"
        raise Problem(422, "The file cannot be read", detail) from None
    except AlreadyImported:
        raise Problem(409, "There is an import of this id", "importId: choose another, or leave it out") from None
    except (AlreadyLaunched, TooManyRecipients) as error:
        raise cannot_be_added(error) from None
    data = {
        "importId": str(import_id),
        "imported": result.imported,
        "rejected": result.rejected,
        "errors": error_rows(result.errors),
        "errorFile": f"/api/notification/customers/imports/{import_id}/errors" if result.rejected else None,
        "warnings": consent_warnings(result.consent_assumed, result.consent_left_out),
    }
    return JSONResponse({"data": data}, 200)


def consent_warnings(rows: int, left_out: Collection[str]) -> list[dict[str, str]]:
    """What it means that so many rows of customers did not say what they agreed to."""
    if not rows:
        return []
    names = [name for name in CONSENTS if name in left_out] or CONSENTS
    message = (
        f"{rows:,} left out {' or '.join(names)}: there new customers count as having agreed, "
        "and those who were there stay as they were; say false for whoever has not agreed"
    )
    return [{"code": "consent_assumed", "field": names[0], "message": message}]


async def _pieces_of(request: Request) -> AsyncIterator[bytes]:
    try:
        async for piece in request.stream():
            yield piece
    except ClientDisconnect:
        raise BadFile("the file was not sent to its end") from None


def cannot_be_added(error: Exception) -> Problem:
    """What a late addition gets, and one too many."""
    if isinstance(error, TooManyRecipients):
        return Problem(422, "Invalid input", errors=[{"field": "recipients", "message": str(error)}])
    return Problem(409, "The campaign is launched", str(error))


def error_rows(errors: Sequence[RowError]) -> list[dict[str, Any]]:
    """Errors as JSON."""
    return [{"row": row, "field": error.field, "message": error.reason} for row, error in errors]
