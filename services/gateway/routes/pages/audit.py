"""For admins: who changed what, in words."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from fastapi import APIRouter, Response

from services.gateway.routes.pages.api import Json, path_of
from services.gateway.routes.pages.deeds import APPROVALS, KINDS, deed_words
from services.gateway.routes.pages.desks import AtDesk, Desk
from shared.http import Problem

LIST_LIMIT = 25
"""Each thing on a page is asked for its name, which counts against the limit of requests."""

REFUSED_FROM = 400
"""Statuses of what was not done."""

KEYS_LIMIT = 1000
KEYS = "api-keys"
router = APIRouter(prefix="/notification")


@router.get("/audit")
async def show_audit(
    desk: AtDesk, action: str = "", resourceType: str = "", resourceId: str = "", cursor: str = ""
) -> Response:
    """Who changed what, newest first."""
    query = {"action": action, "resourceType": resourceType, "resourceId": resourceId}
    found = await desk.get("/audit", **query, cursor=cursor, limit=LIST_LIMIT)
    keys = await _keys(desk, found.data)
    names = await _names(desk, found.data) | {(KEYS, one["id"]): one["name"] for one in keys}
    programs = {one["prefix"]: one["name"] for one in keys}
    return desk.show(
        "team/audit.html",
        deeds=[
            {
                **one,
                "words": deed_words(one["action"], _is_refused(one)),
                "subject": _subject(one, names),
                "who": _who(one, programs),
            }
            for one in found.data
        ],
        kinds=[(name, kind.words[:1].upper() + kind.words[1:]) for name, kind in KINDS.items() if kind.is_listed],
        query=query,
        cursor=cursor,
        next_cursor=found.body["nextCursor"],
    )


def _is_refused(deed: Json) -> bool:
    return deed["status"] is not None and deed["status"] >= REFUSED_FROM


Place = tuple[str, str]
"""Kind and id of a thing."""


async def _keys(desk: Desk, deeds: Sequence[Json]) -> list[Json]:
    """The tenant's keys, where one did something or was changed."""
    has_any = any(one["actor"]["kind"] == "key" or one["resourceType"] == KEYS for one in deeds)
    return list((await desk.get(f"/{KEYS}", limit=KEYS_LIMIT)).data) if has_any else []


async def _names(desk: Desk, deeds: Sequence[Json]) -> dict[Place, str]:
    """What the things of a page of deeds are called now; what is gone has no name."""
    found = {place for one in deeds if (place := _place(one)) and place[0] != KEYS and KINDS[place[0]].name_field}
    places = list(found)
    names = await asyncio.gather(*(_name(desk, *place) for place in places))
    return {place: name for place, name in zip(places, names, strict=True) if name}


async def _name(desk: Desk, kind: str, thing_id: str) -> str | None:
    """The name; None for what is gone, and the id where nobody can say now."""
    try:
        thing = await desk.unless_missing(f"/{kind}{path_of(thing_id)}")
        if thing is not None and kind == APPROVALS:
            thing = await desk.unless_missing(path_of(thing["channel"], "campaigns", thing["campaignId"]))
    except Problem:
        return thing_id
    return None if thing is None else str(thing[KINDS[kind].name_field])


def _place(deed: Json) -> Place | None:
    kind, thing_id = deed["resourceType"], deed["resourceId"]
    return (kind, thing_id) if kind in KINDS and thing_id else None


def _subject(deed: Json, names: Mapping[Place, str]) -> dict[str, str] | None:
    """What it was done to: by its name, with where it is to be seen; None where the words say it all."""
    place = _place(deed)
    if place is None:
        return None
    kind = KINDS[place[0]]
    name = names.get(place) if kind.name_field else place[1]
    if name is None:
        return {"name": "that is no longer there", "href": ""}
    return {"name": name, "href": kind.page + (path_of(place[1]) if kind.has_pages and kind.page else "")}


def _who(deed: Json, programs: Mapping[str, str]) -> str:
    """The person by their address, a program by the name of its key."""
    actor = deed["actor"]
    if actor["kind"] == "key":
        name = programs.get(actor["id"]) or actor["name"]
        return f"The program “{name}”" if name else "A program whose key is gone"
    if actor["kind"] == "operator":
        return "An operator of the system"
    if actor["kind"] == "unknown":
        return f"Somebody who said they were {actor['name']}"
    return str(actor["name"])
