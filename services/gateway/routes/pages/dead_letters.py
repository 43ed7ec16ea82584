"""For admins: requests that could not be processed, why, what to do, and putting one back."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from fastapi import APIRouter, Response

from services.gateway.routes.pages.api import path_of
from services.gateway.routes.pages.desks import AtDesk, Desk, zone_of
from services.gateway.routes.pages.filters import FIELD_WORDS
from services.gateway.routes.pages.rendering import worded
from services.gateway.routes.pages.words import TOPIC_WORDS
from shared.http import Problem

LIST_LIMIT = 50
HOME = "/notification/dead-letters"
router = APIRouter(prefix=HOME)


@router.get("")
async def list_letters(
    desk: AtDesk, topic: str = "", reason: str = "", since: str = "", until: str = "", cursor: str = ""
) -> Response:
    """What waits, with the reasons."""
    query = {"topic": topic, "reason": reason, "since": since, "until": until}
    errors: dict[str, str] = {}
    zone = zone_of(desk.request)
    times = {"from": _midnight(since, 0, zone, "since", errors), "to": _midnight(until, 1, zone, "until", errors)}
    found = await desk.get("/dead-letters", topic=topic, reason=reason, **times, cursor=cursor, limit=LIST_LIMIT)
    return desk.show(
        "dead_letters/list.html",
        status=422 if errors else 200,
        letters=[one | {"reason": reason_said(one["reason"])} for one in found.data],
        topics=TOPIC_WORDS,
        query=query,
        errors=errors,
        cursor=cursor,
        next_cursor=found.body["nextCursor"],
        older_left_out=found.body["olderLeftOut"],
    )


@router.get("/{letter_id}")
async def show_letter(desk: AtDesk, letter_id: str) -> Response:
    """One letter: why it is here, and what to do."""
    return await _page(desk, "dead_letters/one.html", letter_id)


@router.get("/{letter_id}/redrive")
async def ask_before(desk: AtDesk, letter_id: str) -> Response:
    """What putting it back means."""
    return await _page(desk, "dead_letters/redrive.html", letter_id)


@router.post("/{letter_id}/redrive")
async def redrive(desk: AtDesk, letter_id: str) -> Response:
    """It is taken up again."""
    try:
        await desk.do("POST", path_of("dead-letters", letter_id, "redrive"))
    except Problem as problem:
        if problem.status != 404:
            raise
        return desk.go(HOME, "It was put back already, by somebody else or a moment ago.")
    return desk.go(HOME, "It is put back. If it cannot be processed again, it will be here again within moments.")


_FIELD = re.compile("[a-z]+(?:[A-Z][a-z]+)+")


def reason_said(reason: str) -> str:
    """The reason of a letter, with the fields that it names in words."""
    said = _FIELD.sub(lambda found: (FIELD_WORDS.get(found[0]) or worded(found[0])).lower(), reason)
    return f"{said[:1].upper()}{said[1:]}"


async def _page(desk: Desk, template: str, letter_id: str) -> Response:
    letter = (await desk.get(path_of("dead-letters", letter_id))).data
    return desk.show(template, letter=letter, reason=reason_said(letter["reason"]), topics=TOPIC_WORDS)


def _midnight(day: str, days_later: int, zone: tzinfo, name: str, errors: dict[str, str]) -> str:
    """When a day of the viewer begins, for the API; empty for no day, with an error for what is none."""
    if not day:
        return ""
    try:
        begins = datetime.combine(date.fromisoformat(day) + timedelta(days=days_later), time(), zone)
        return begins.astimezone(UTC).isoformat()
    except (ValueError, OverflowError):
        errors[name] = "choose a day, such as 2026-01-31"
        return ""
