"""What customers agreed to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request

from contracts.channels import PUSH, SMS
from services.audience.domain.customers import InvalidRow, read_customer
from services.audience.handlers.consent import set_preferences
from services.audience.routes.bodies import LIST_MAX, read_object
from services.audience.store.preferences import FIELDS, FLAGS, LISTS, find_customer_of, find_owners, find_preferences
from shared.database import TenantDatabase
from shared.http import CurrentUser, Problem, keyset_cursor, page, read_keyset

_ADDRESSES = ("phoneNumber", "deviceToken", "deviceType")
Address = Annotated[str | None, Query(max_length=4_096)]
Limit = Annotated[int, Query(ge=1, le=LIST_MAX)]


def make_router(database: TenantDatabase) -> APIRouter:
    """The routes under `/preferences`."""
    router = APIRouter(prefix="/preferences")

    @router.get("")
    async def list_preferences(
        user_id: CurrentUser,
        customerId: str | None = None,
        phoneNumber: Address = None,
        deviceToken: Address = None,
        limit: Limit = 50,
        cursor: str | None = None,
    ) -> dict[str, Any]:
        after = "" if cursor is None else read_keyset(cursor, str)[0]
        asked = {SMS.name: phoneNumber, PUSH.name: deviceToken}
        addresses = {channel: address for channel, address in asked.items() if address is not None}
        ids = None if customerId is None else [customerId]
        if addresses:
            async with database.transaction() as found:
                owners = await find_owners(found, user_id, addresses)
            ids = owners if ids is None else [one for one in ids if one in owners]
        async with database.begin() as connection:
            rows = await find_preferences(connection, user_id, ids, after, limit + 1)
        more = keyset_cursor(rows[limit - 1].customer_id) if len(rows) > limit else None
        return page([_as_json(row) for row in rows[:limit]], more)

    async def customer_of(user_id: str, given: str) -> str:
        """The customer whose id, or whose preferences' id, this is."""
        try:
            preferences_id = UUID(given)
        except ValueError:
            return given
        async with database.begin() as connection:
            if await find_preferences(connection, user_id, [given], "", 1):
                return given
            return await find_customer_of(connection, user_id, preferences_id) or given

    @router.put("/{given_id}")
    async def put_preferences(request: Request, given_id: str, user_id: CurrentUser) -> dict[str, Any]:
        body = await read_object(request)
        customer_id = await customer_of(user_id, given_id)
        if body.pop("userId", user_id) != user_id:
            raise Problem(403, "Not allowed", "userId must be your own, or be left out")
        if body.pop("customerId", customer_id) != customer_id:
            raise Problem(422, "Invalid input", errors=[{"field": "customerId", "message": "is another one"}])
        if unknown := sorted(body.keys() - FIELDS.keys() - set(_ADDRESSES)):
            raise Problem(422, "Invalid input", errors=[{"field": n, "message": "unknown field"} for n in unknown])
        try:
            customer = read_customer({**body, "customerId": customer_id})
        except InvalidRow as row:
            errors = [{"field": error.field, "message": error.reason} for error in row.errors]
            raise Problem(422, "Invalid input", errors=errors) from None
        await set_preferences(database, user_id, customer, _choices(body, customer))
        async with database.begin() as connection:
            rows = await find_preferences(connection, user_id, [customer_id], "", 1)
        return {"data": _as_json(rows[0])}

    return router


def _choices(body: Mapping[str, Any], customer: Any) -> dict[str, Any]:
    given = {column: getattr(customer, column) for column in FLAGS if getattr(customer, column) is not None}
    return given | {
        column: getattr(customer, column) for name, column in FIELDS.items() if column in LISTS and name in body
    }


def _as_json(row: Any) -> dict[str, Any]:
    return {
        "id": str(row.id),
        "userId": row.user_id,
        "customerId": row.customer_id,
        "phoneNumber": row.phone_number,
        "deviceToken": row.device_token,
        **{name: getattr(row, column) for name, column in FIELDS.items()},
        "updatedAt": row.updated_at,
    }
