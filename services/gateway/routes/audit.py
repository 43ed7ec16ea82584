"""Who changed what."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import AwareDatetime

from contracts.http.endpoints import BASE
from services.gateway.routes.entrance import Entrance
from services.gateway.store.audit import find_deeds
from shared.database import TenantDatabase
from shared.http import Limit, page_by_id, read_cursor

Text = Annotated[str | None, Query(max_length=300)]


def audit_routes(database: TenantDatabase, entrance: Entrance) -> APIRouter:
    """The audit log of a tenant, for its admins."""
    router = APIRouter(prefix=BASE, tags=["audit"])

    @router.get("/audit", summary="Who changed what, newest first")
    async def read_all(
        request: Request,
        limit: Limit = 100,
        cursor: str | None = None,
        actor_id: Annotated[Text, Query(alias="actorId")] = None,
        action: Text = None,
        resource_type: Annotated[Text, Query(alias="resourceType")] = None,
        resource_id: Annotated[Text, Query(alias="resourceId")] = None,
        since: Annotated[AwareDatetime | None, Query(alias="from")] = None,
        until: Annotated[AwareDatetime | None, Query(alias="to")] = None,
    ) -> dict[str, Any]:
        caller = await entrance.enter(request, "admin")
        filters = {
            "actor_id": actor_id,
            "action": action,
            "resource_type": resource_type,
            "resource_id": resource_id,
            "from": since,
            "to": until,
        }
        given = {name: value for name, value in filters.items() if value is not None}
        async with database.transaction() as connection:
            found = await find_deeds(connection, caller.user_id, given, read_cursor(cursor), limit + 1)
        return page_by_id(found, limit, show_deed)

    return router


def show_deed(entry: dict[str, Any]) -> dict[str, Any]:
    """An entry as the API shows it. Without a status the outcome is unknown: it goes on, or a crash cut it off."""
    return {
        "id": str(entry["id"]),
        "at": entry["at"],
        "actor": {"kind": entry["actor_kind"], "id": entry["actor_id"], "name": entry["actor_name"]},
        "action": entry["action"],
        "resourceType": entry["resource_type"],
        "resourceId": entry["resource_id"],
        "source": entry["source"],
        "requestId": entry["request_id"],
        "status": entry["status"],
    }
