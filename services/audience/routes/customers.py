"""Customers: lists, upserts, imports, erasing, devices, and the preview of a filter."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse

from contracts.http.filters import filter_warnings
from services.audience.domain.customers import InvalidRow, read_device
from services.audience.handlers.importing import add_device, customers_of, save_list
from services.audience.routes.bodies import (
    LIST_MAX,
    answer_import,
    answer_list,
    consent_warnings,
    read_filter,
    read_object,
    read_rows,
)
from services.audience.settings import AudienceSettings
from services.audience.store import customers, imports
from services.audience.store.exporting import ATTRIBUTES_EXPORTED_MAX, customers_query
from services.audience.store.searching import find_searched
from shared import exports as exporting
from shared.database import Connection, TenantDatabase
from shared.http import CurrentUser, Problem, keyset_cursor, page, read_keyset

SAMPLE_MAX = 10
SEARCH_MAX = 200
Limit = Annotated[int, Query(ge=1, le=LIST_MAX)]


def make_router(database: TenantDatabase, settings: AudienceSettings) -> APIRouter:
    """The routes under `/customers` and `/audience`."""
    router = APIRouter()
    exports = exporting.Exports(database)

    @router.get("/customers")
    async def list_customers(
        user_id: CurrentUser,
        limit: Limit = 50,
        cursor: str | None = None,
        search: Annotated[str | None, Query(min_length=1, max_length=SEARCH_MAX)] = None,
        whole_numbers: Annotated[bool, Query(alias="wholeNumbers")] = False,
    ) -> dict[str, Any]:
        after = "" if cursor is None else read_keyset(cursor, str)[0]
        if search is not None:
            # Behind the wall no index on an expression can be used (decision 7); the rows are read through it.
            async with database.whole_fleet.transaction() as found:
                ids = await find_searched(found, user_id, search.strip(), limit, whole_numbers)
        async with database.begin() as connection:
            rows = (
                await customers.find_customers(connection, user_id, after, limit + 1)
                if search is None
                else await customers.find_these(connection, user_id, ids)
            )
            shown = rows[:limit]
            devices = await customers.find_devices(connection, user_id, [row.customer_id for row in shown])
        more = keyset_cursor(shown[-1].customer_id) if len(rows) > limit else None
        return page(_as_json(shown, devices), more)

    @router.get("/customers/export")
    async def export_customers(user_id: CurrentUser, format: str = "csv") -> StreamingResponse:
        async def ask(connection: Connection) -> exporting.Query:
            query = await customers_query(connection, user_id, is_flat=format == "csv")
            if query is None:
                message = f"csv has room for {ATTRIBUTES_EXPORTED_MAX} attributes: use jsonl"
                raise Problem(422, "Invalid input", errors=[{"field": "format", "message": message}])
            return query

        return await exports.answer(user_id, "customers", format, ask)

    @router.post("/customers")
    async def save_customers(request: Request, user_id: CurrentUser) -> JSONResponse:
        rows = await read_rows(request, "customers")
        return answer_list(await save_list(database, customers_of(user_id), rows), "customers")

    @router.post("/customers/import")
    async def import_customers(
        request: Request,
        user_id: CurrentUser,
        format: str | None = None,
        import_id: Annotated[UUID | None, Query(alias="importId")] = None,
    ) -> JSONResponse:
        return await answer_import(request, database, settings, user_id, customers_of(user_id), format, import_id)

    @router.get("/customers/imports")
    async def list_imports(user_id: CurrentUser, limit: Limit = 50, cursor: str | None = None) -> dict[str, Any]:
        after = None if cursor is None else read_keyset(cursor, UUID)[0]
        async with database.begin() as connection:
            rows = await imports.find_imports(connection, user_id, after, limit + 1)
        more = keyset_cursor(str(rows[limit - 1].id)) if len(rows) > limit else None
        return page([_import_as_json(row) for row in rows[:limit]], more)

    @router.get("/customers/imports/{import_id}")
    async def get_import(import_id: UUID, user_id: CurrentUser) -> dict[str, Any]:
        async with database.begin() as connection:
            row = await imports.find_import(connection, user_id, import_id)
        if row is None:
            raise Problem(404, "There is no such import")
        return {"data": _import_as_json(row)}

    @router.get("/customers/imports/{import_id}/errors")
    async def get_import_errors(import_id: UUID, user_id: CurrentUser, format: str = "csv") -> StreamingResponse:
        async with database.begin() as connection:
            if await imports.find_import(connection, user_id, import_id) is None:
                raise Problem(404, "There is no such import")

        async def ask(_: Connection) -> exporting.Query:
            return imports.errors_query(import_id)

        return await exports.answer(user_id, "import-errors", format, ask)

    @router.get("/customers/{customer_id}")
    async def get_customer(customer_id: str, user_id: CurrentUser) -> dict[str, Any]:
        async with database.begin() as connection:
            row = await customers.find_customer(connection, user_id, customer_id)
            if row is None:
                raise Problem(404, "There is no such customer")
            devices = await customers.find_devices(connection, user_id, [customer_id])
        return {"data": _as_json([row], devices)[0]}

    @router.delete("/customers/{customer_id}", status_code=204)
    async def erase_customer(customer_id: str, user_id: CurrentUser) -> Response:
        async with database.transaction() as connection:
            if not await customers.delete_customer(connection, user_id, customer_id):
                raise Problem(404, "There is no such customer")
        return Response(status_code=204)

    @router.post("/customers/{customer_id}/devices", status_code=201)
    async def save_device(request: Request, customer_id: str, user_id: CurrentUser) -> dict[str, Any]:
        try:
            device = read_device(await read_object(request))
        except InvalidRow as row:
            errors = [{"field": error.field, "message": error.reason} for error in row.errors]
            raise Problem(422, "Invalid input", errors=errors) from None
        if not await add_device(database, user_id, customer_id, device):
            raise Problem(404, "There is no such customer")
        data = {"customerId": customer_id, "deviceToken": device.device_token, "deviceType": device.device_type}
        return {"data": data}

    @router.post("/audience/preview")
    async def preview(request: Request, user_id: CurrentUser) -> dict[str, Any]:
        body = await read_object(request)
        wanted = body.get("audienceFilter", body.get("filter"))
        condition = read_filter(wanted)
        if condition is None:
            return {"data": {"count": 0, "sample": [], "warnings": []}}
        async with database.transaction() as connection:
            count, ids = await customers.count_matching(connection, user_id, condition, SAMPLE_MAX)
        async with database.begin() as connection:
            rows = await customers.find_these(connection, user_id, ids)
            devices = await customers.find_devices(connection, user_id, ids)
        warnings = [
            {"code": "unlikely_value", "field": f"audienceFilter.{path}", "message": message}
            for path, message in filter_warnings(wanted)
        ]
        return {"data": {"count": count, "sample": _as_json(rows, devices), "warnings": warnings}}

    return router


def _as_json(rows: Sequence[Any], devices: Sequence[Any]) -> list[dict[str, Any]]:
    by_customer: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for device in devices:
        by_customer[device.customer_id].append(
            {
                "deviceToken": device.device_token,
                "deviceType": device.device_type,
                "installationId": device.installation_id,
                "lastSeenAt": device.last_seen_at,
            }
        )
    return [
        {
            "customerId": row.customer_id,
            "phoneNumber": row.phone_number,
            "email": row.email,
            "firstName": row.first_name,
            "lastName": row.last_name,
            "country": row.country,
            "locale": row.locale,
            "timeZone": row.time_zone,
            "attributes": row.attributes,
            "lastSeenAt": row.last_seen_at,
            "smsOptedIn": row.sms_opted_in,
            "pushOptedIn": row.push_opted_in,
            "marketingOptedIn": row.marketing_opted_in,
            "transactionalOptedIn": row.transactional_opted_in,
            "smsCategories": row.sms_categories,
            "pushCategories": row.push_categories,
            "devices": by_customer[row.customer_id],
            "createdAt": row.created_at,
            "updatedAt": row.updated_at,
        }
        for row in rows
    ]


def _import_as_json(row: Any) -> dict[str, Any]:
    rows = row.imported + row.rejected
    seconds = ((row.finished_at or row.touched_at) - row.started_at).total_seconds()
    return {
        "importId": str(row.id),
        "kind": row.kind,
        "campaignId": row.campaign_id,
        "state": row.state,
        "problem": row.problem,
        "rowsRead": rows,
        "imported": row.imported,
        "rejected": row.rejected,
        "bytesRead": row.bytes_read,
        "rowsPerSecond": round(rows / seconds) if seconds > 0 else None,
        "startedAt": row.started_at,
        "finishedAt": row.finished_at,
        "errorFile": f"/api/notification/customers/imports/{row.id}/errors" if row.rejected else None,
        "warnings": consent_warnings(row.consent_assumed, row.consent_left_out),
    }
