"""The people of a tenant; only its admins manage them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response

from contracts.http.access import UserChange, UserWrite
from contracts.http.endpoints import BASE
from services.gateway.handlers.people import (
    Invitation,
    change_person,
    create_person,
    find_person,
    invite,
    remove_person,
)
from services.gateway.routes.entrance import Entrance
from services.gateway.routes.repeating import repeating_router
from services.gateway.routes.visits import visit_of
from services.gateway.settings import GatewaySettings
from services.gateway.store.people import Account, find_accounts
from shared.database import TenantDatabase
from shared.http import Limit, page_by_id, read_cursor

INVITATION_PATH = "/notification/invitations"


def people_routes(database: TenantDatabase, entrance: Entrance) -> APIRouter:
    """Create, read, change, invite, remove."""
    router = repeating_router(entrance, f"{BASE}/users", "users")
    settings = entrance.settings

    @router.post("", status_code=201, summary="Add a person, by password or by invitation")
    async def add(body: UserWrite, request: Request) -> dict[str, Any]:
        caller = await entrance.enter(request, "admin")
        visit = visit_of(request)
        account, invitation = await create_person(
            database, visit.effect_id, caller.user_id, body, settings.invitation_hours
        )
        visit.made_id = str(account.id)
        shown = show_account(account)
        return {"data": shown | ({"invitation": show_invitation(settings, invitation)} if invitation else {})}

    @router.get("", summary="People")
    async def read_all(request: Request, limit: Limit = 100, cursor: str | None = None) -> dict[str, Any]:
        caller = await entrance.enter(request, "admin")
        async with database.transaction() as connection:
            found = await find_accounts(connection, caller.user_id, read_cursor(cursor), limit + 1)
        return page_by_id(found, limit, show_account)

    @router.get("/{id}", summary="One person")
    async def read(id: UUID, request: Request) -> dict[str, Any]:
        caller = await entrance.enter(request, "admin")
        return {"data": show_account(await find_person(database, caller.user_id, id))}

    @router.patch("/{id}", summary="Change a person's name or role, or deactivate the account")
    async def change(id: UUID, body: UserChange, request: Request) -> dict[str, Any]:
        caller = await entrance.enter(request, "admin")
        return {"data": show_account(await change_person(database, caller.user_id, id, body.given()))}

    @router.delete("/{id}", status_code=204, summary="Remove a person")
    async def remove(id: UUID, request: Request) -> Response:
        caller = await entrance.enter(request, "admin")
        await remove_person(database, caller.user_id, id)
        return Response(status_code=204)

    @router.post("/{id}/invitation", status_code=201, summary="A new link by which a person sets a password")
    async def invite_again(id: UUID, request: Request) -> dict[str, Any]:
        caller = await entrance.enter(request, "admin")
        invitation = await invite(database, caller.user_id, id, settings.invitation_hours)
        return {"data": show_invitation(settings, invitation)}

    return router


def show_account(account: Account) -> dict[str, Any]:
    """An account as the API shows it."""
    return {
        "id": str(account.id),
        "userId": account.user_id,
        "email": account.email,
        "name": account.name,
        "role": account.role,
        "isActive": account.is_active,
        "hasPassword": account.password_hash is not None,
        "createdAt": account.created_at,
        "updatedAt": account.updated_at,
        "lastSignInAt": account.last_sign_in_at,
    }


def show_invitation(settings: GatewaySettings, invitation: Invitation) -> dict[str, Any]:
    """The link, which is shown once."""
    return {"url": f"{settings.public_url}{INVITATION_PATH}/{invitation.token}", "expiresAt": invitation.expires_at}
