"""For admins: the people of a tenant, its API keys, its settings, and who changed what."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Response

from contracts.http.access import ROLES
from contracts.http.endpoints import KEY_SCOPES
from services.gateway.routes.pages.api import Json, path_of
from services.gateway.routes.pages.desks import AtDesk, Desk, Sent, field_errors
from services.gateway.routes.pages.words import ROLE_WORDS, SCOPE_WORDS
from shared.http import Problem

LIST_LIMIT = 100
DIGITS_MAX = 9
PEOPLE, KEYS = "/notification/users", "/notification/api-keys"
FORM_PROBLEMS = (409, 422)
router = APIRouter(prefix="/notification")


async def _people_page(desk: Desk, problem: Problem | None = None, **values: Any) -> Response:
    found = await desk.get("/users", limit=LIST_LIMIT)
    return desk.show(
        "team/people.html",
        status=200 if problem is None else problem.status,
        people=found.data,
        roles=[(role, ROLE_WORDS[role]) for role in ROLES],
        errors={} if problem is None else field_errors(problem),
        **{"values": {}, "invitation": None, **values},
    )


@router.get("/users")
async def list_people(desk: AtDesk) -> Response:
    """Everybody who can sign in."""
    return await _people_page(desk)


@router.post("/users")
async def invite(desk: AtDesk, sent: Sent) -> Response:
    """A new person; the link by which they set a password is shown this once."""
    try:
        made = (await desk.do("POST", "/users", sent.filled("email", "name", "role"))).data
    except Problem as problem:
        if problem.status not in FORM_PROBLEMS:
            raise
        return await _people_page(desk, problem, values=sent.values)
    return await _people_page(desk, invitation=made["invitation"] | {"name": made["name"]})


@router.post("/users/{person_id}")
async def change_person(desk: AtDesk, sent: Sent, person_id: UUID) -> Response:
    """Another role, a new link, or an end to signing in."""
    at, intent = path_of("users", person_id), sent["intent"]
    try:
        if intent == "invite":
            invitation = (await desk.do("POST", f"{at}/invitation")).data
            return await _people_page(desk, invitation=invitation | {"name": sent["name"]})
        if intent in ("activate", "deactivate"):
            await desk.do("PATCH", at, {"isActive": intent == "activate"})
        else:
            await desk.do("PATCH", at, sent.filled("role"))
    except Problem as problem:
        if problem.status not in FORM_PROBLEMS:
            raise
        return await _people_page(desk, problem)
    return desk.go(PEOPLE, "Saved. It holds from the next page on that this person opens.")


async def _keys_page(desk: Desk, problem: Problem | None = None, shown_once: Json | None = None) -> Response:
    found = await desk.get("/api-keys", limit=LIST_LIMIT)
    return desk.show(
        "team/keys.html",
        status=200 if problem is None else problem.status,
        keys=found.data,
        scopes=[(scope, SCOPE_WORDS[scope]) for scope in KEY_SCOPES],
        shown_once=shown_once,
        errors={} if problem is None else field_errors(problem),
    )


@router.get("/api-keys")
async def list_keys(desk: AtDesk) -> Response:
    """Keys by which programs ask, without their secrets."""
    return await _keys_page(desk)


@router.post("/api-keys")
async def add_key(desk: AtDesk, sent: Sent) -> Response:
    """A new key, shown this once."""
    try:
        made = (await desk.do("POST", "/api-keys", sent.filled("name") | {"scopes": sent.all("scopes")})).data
    except Problem as problem:
        if problem.status != 422:
            raise
        return await _keys_page(desk, problem)
    return await _keys_page(desk, shown_once=made)


@router.post("/api-keys/{key_id}")
async def change_key(desk: AtDesk, sent: Sent, key_id: UUID) -> Response:
    """A new secret, or an end to the key."""
    if sent["intent"] == "revoke":
        await desk.do("DELETE", path_of("api-keys", key_id))
        return desk.go(KEYS, "The key is revoked. It stops working within seconds.")
    return await _keys_page(desk, shown_once=(await desk.do("POST", path_of("api-keys", key_id, "rotate"), {})).data)


@router.get("/settings")
async def show_settings(desk: AtDesk) -> Response:
    """What holds for everybody of the tenant."""
    return desk.show("team/settings.html", values=(await desk.get("/settings")).data, errors={})


@router.post("/settings")
async def change_settings(desk: AtDesk, sent: Sent) -> Response:
    """From now on."""
    above = sent["approvalAbove"]
    is_number = above.isdecimal() and len(above) <= DIGITS_MAX
    try:
        await desk.do("PATCH", "/settings", {"approvalAbove": int(above) if is_number else above or None})
    except Problem as problem:
        if problem.status != 422:
            raise
        return desk.show("team/settings.html", 422, values=sent.values, errors=field_errors(problem))
    return desk.go("/notification/settings", "Saved.")


@router.get("/audit")
async def show_audit(
    desk: AtDesk, action: str = "", resourceType: str = "", resourceId: str = "", cursor: str = ""
) -> Response:
    """Who changed what, newest first."""
    query = {"action": action, "resourceType": resourceType, "resourceId": resourceId}
    found = await desk.get("/audit", **query, cursor=cursor, limit=LIST_LIMIT)
    return desk.show(
        "team/audit.html", deeds=found.data, query=query, cursor=cursor, next_cursor=found.body["nextCursor"]
    )
