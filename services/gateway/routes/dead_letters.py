"""A tenant's records that could not be processed."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import AwareDatetime

from contracts.http.endpoints import BASE
from services.gateway.domain.dead_letters import advice_for, contents_of
from services.gateway.handlers.dead_letters import DeadLetterOffice, LetterFilter
from services.gateway.routes.entrance import Entrance
from services.gateway.routes.repeating import repeating_router
from shared.dead_letters import DeadLetter
from shared.http import Limit, keyset_cursor, page, read_keyset

Text = Annotated[str | None, Query(max_length=300)]


def dead_letter_routes(entrance: Entrance, office: DeadLetterOffice) -> APIRouter:
    """What waits, for the tenant's admins, who can put it back."""
    router = repeating_router(entrance, f"{BASE}/dead-letters", "dead-letters")

    @router.get("", summary="Requests that could not be processed, newest first")
    async def read_all(
        request: Request,
        limit: Limit = 100,
        cursor: str | None = None,
        topic: Text = None,
        service: Text = None,
        reason: Text = None,
        since: Annotated[AwareDatetime | None, Query(alias="from")] = None,
        until: Annotated[AwareDatetime | None, Query(alias="to")] = None,
    ) -> dict[str, Any]:
        caller = await entrance.enter(request, "admin")
        before = read_keyset(cursor, int, str) if cursor else None
        found = await office.find(caller.user_id, LetterFilter(topic, service, reason, since, until))
        rest = [
            one for one in sorted(found.letters, key=_place, reverse=True) if before is None or _place(one) < before
        ]
        shown = [show_letter(one) for one in rest[:limit]]
        next_cursor = keyset_cursor(*map(str, _place(rest[limit - 1]))) if len(rest) > limit else None
        return page(shown, next_cursor) | {"olderLeftOut": found.is_cut}

    @router.get("/{id}", summary="One of them, and what to do about it")
    async def read(id: str, request: Request) -> dict[str, Any]:
        caller = await entrance.enter(request, "admin")
        letter = await office.read(caller.user_id, id)
        shown = {"bytes": len(letter.value), "contents": contents_of(letter.value), "advice": advice_for(letter.reason)}
        return {"data": show_letter(letter) | shown}

    @router.post("/{id}/redrive", summary="Put it back where it came from")
    async def redrive(id: str, request: Request) -> dict[str, Any]:
        caller = await entrance.enter(request, "admin")
        return {"data": show_letter(await office.redrive(caller.user_id, id))}

    return router


def show_letter(letter: DeadLetter) -> dict[str, Any]:
    """A letter as the API shows it."""
    return {
        "id": letter.id,
        "at": letter.at,
        "topic": letter.topic,
        "place": letter.place,
        "service": letter.service,
        "reason": letter.reason,
    }


def _place(letter: DeadLetter) -> tuple[int, str]:
    """Where a letter stands in the list: its time in microseconds, and its id among those of the same time."""
    return round(letter.at.timestamp() * 1_000_000), letter.id
