"""For admins: the people of a tenant, its API keys, and its settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from fastapi import APIRouter, Response

from contracts.http.access import ROLES
from contracts.http.endpoints import KEY_SCOPES
from services.gateway.routes.pages.api import Json, path_of
from services.gateway.routes.pages.desks import AtDesk, Desk, Sent, field_errors
from services.gateway.routes.pages.words import ROLE_WORDS, SCOPE_WORDS
from shared.http import Problem

LIST_LIMIT = 100
KEYS_LIMIT = 1000
DIGITS_MAX = 9
PEOPLE, KEYS = "/notification/users", "/notification/api-keys"
FORM_PROBLEMS = (409, 422)
router = APIRouter(prefix="/notification")


@dataclass(frozen=True, slots=True)
class TenantSetting:
    """One setting, named as the API names it."""

    name: str
    label: str
    does: str
    is_number: bool = False

    def read(self, text: str) -> int | str | None:
        """The value for the API, which judges it; nothing is the default."""
        if self.is_number and text.isdecimal() and len(text) <= DIGITS_MAX:
            return int(text)
        return text or None


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


@router.get("/users/{person_id}/deactivate")
async def ask_before_deactivating(desk: AtDesk, person_id: UUID) -> Response:
    """What it means for the person."""
    desk.require("admin")
    return desk.show("team/person.html", person=(await desk.get(path_of("users", person_id))).data)


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


@router.get("/api-keys/{key_id}/{change}")
async def ask_before(desk: AtDesk, key_id: UUID, change: Literal["revoke", "rotate"]) -> Response:
    """What revoking it or a new secret means for the program that uses it."""
    keys = (await desk.get("/api-keys", limit=KEYS_LIMIT)).data
    found = next((one for one in keys if one["id"] == str(key_id) and not one["revokedAt"]), None)
    if found is None:
        raise Problem(404, "No such key")
    return desk.show("team/key.html", key=found, change=change)


@router.post("/api-keys/{key_id}/revoke")
async def revoke_key(desk: AtDesk, key_id: UUID) -> Response:
    """An end to the key."""
    await desk.do("DELETE", path_of("api-keys", key_id))
    return desk.go(KEYS, "The key is revoked. It stops working within seconds.")


@router.post("/api-keys/{key_id}/rotate")
async def rotate_key(desk: AtDesk, key_id: UUID) -> Response:
    """A new secret, shown this once."""
    return await _keys_page(desk, shown_once=(await desk.do("POST", path_of("api-keys", key_id, "rotate"), {})).data)


SETTINGS: tuple[TenantSetting, ...] = (
    TenantSetting(
        "businessName",
        "Name of your business",
        "Customers read it where they choose what they get, and when they unsubscribe. Empty: your user id.",
    ),
    TenantSetting(
        "approvalAbove",
        "A second person approves campaigns to more than",
        "People. Whoever sends or schedules a larger campaign waits until somebody else agrees, under Approvals. "
        "0: every campaign needs it. Empty: none does.",
        is_number=True,
    ),
    TenantSetting(
        "requestsPerMinute",
        "Requests a minute",
        "Of each API key, and of each person who is signed in. Beyond it they are told to wait, and nothing is lost. "
        "Empty: as many as your operator allows.",
        is_number=True,
    ),
)


def _settings_page(desk: Desk, values: Mapping[str, str], problem: Problem | None = None) -> Response:
    errors = {} if problem is None else field_errors(problem)
    status = 200 if problem is None else problem.status
    labels = {one.name: one.label for one in SETTINGS}
    return desk.show("team/settings.html", status, settings=SETTINGS, labels=labels, values=values, errors=errors)


async def _stored_settings(desk: Desk) -> dict[str, str]:
    stored = (await desk.get("/settings")).data
    return {one.name: "" if stored[one.name] is None else str(stored[one.name]) for one in SETTINGS}


@router.get("/settings")
async def show_settings(desk: AtDesk) -> Response:
    """What holds for everybody of the tenant."""
    return _settings_page(desk, await _stored_settings(desk))


@router.post("/settings")
async def change_settings(desk: AtDesk, sent: Sent) -> Response:
    """From now on. What was left as it was shown is not set: a default stays one."""
    stored = await _stored_settings(desk)
    given = {one.name: one.read(sent[one.name]) for one in SETTINGS if one.name in sent.values}
    changed = {name: value for name, value in given.items() if sent[name] != stored[name]}
    try:
        await desk.do("PATCH", "/settings", changed)
    except Problem as problem:
        if problem.status != 422:
            raise
        return _settings_page(desk, stored | sent.values, problem)
    return desk.go("/notification/settings", "Saved. It holds from now on.")
