"""Settings of a tenant."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request

from contracts.http.access import SettingsChange
from contracts.http.endpoints import BASE
from services.gateway.domain.tenants import TenantSettings
from services.gateway.routes.entrance import Entrance
from services.gateway.routes.repeating import repeating_router
from shared.http import Problem


def tenant_routes(entrance: Entrance) -> APIRouter:
    """Read by everybody, changed by admins."""
    router = repeating_router(entrance, BASE, "settings")
    most = entrance.settings.requests_per_minute

    @router.get("/settings", summary="The tenant's settings")
    async def read(request: Request) -> dict[str, Any]:
        caller = await entrance.enter(request, "read")
        return {"data": show_settings(await entrance.tenants.read(caller.user_id), most)}

    @router.patch("/settings", summary="Change the tenant's settings; null is the default")
    async def change(body: SettingsChange, request: Request) -> dict[str, Any]:
        caller = await entrance.enter(request, "admin")
        if body.requests_per_minute is not None and body.requests_per_minute > most:
            errors = [{"field": "requestsPerMinute", "message": f"the operator allows at most {most}"}]
            raise Problem(422, "Invalid input", errors=errors)
        return {"data": show_settings(await entrance.tenants.change(caller.user_id, body.given()), most)}

    return router


def show_settings(settings: TenantSettings, requests_per_minute: int) -> dict[str, Any]:
    """Settings as the API shows them, with what holds where nothing is set."""
    return {
        "approvalAbove": settings.approval_above,
        "requestsPerMinute": settings.requests_per_minute or requests_per_minute,
        "businessName": settings.business_name,
    }
