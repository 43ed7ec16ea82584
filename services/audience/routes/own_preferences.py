"""A person's own preferences, for the page that the link in a message opens; only the gateway may ask."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from contracts.http.own_preferences import OwnChoices, OwnPreferences, OwnPreferencesAsked
from services.audience.handlers.own_preferences import Own, Person, choose_own, find_own
from services.audience.store.preferences import FIELDS, FLAGS
from services.audience.tables import REACHES
from shared.database import TenantDatabase
from shared.http import CurrentUser


def make_router(database: TenantDatabase) -> APIRouter:
    """Reads and changes by whom a message was for. The address is in the body: it must not be in a URL."""
    router = APIRouter()

    @router.post("/internal/own-preferences")
    async def own_preferences(asked: OwnPreferencesAsked, user_id: CurrentUser) -> dict[str, OwnPreferences]:
        person = Person(asked.channel, asked.address, asked.customer_id)
        choices: dict[str, Any] = {FIELDS[name]: value for name, value in asked.flags.items()}
        choices |= {REACHES[channel].categories: ticked for channel, ticked in asked.topics.items()}
        before = None
        if choices:
            before, own = await choose_own(database, user_id, person, choices)
        else:
            own = await find_own(database, user_id, person)
        answer = OwnPreferences(
            now=_choices(own),
            before=None if before is None else _choices(before),
            offered=own.offered,
            phone_number=own.phone_number,
        )
        return {"data": answer}

    return router


def _choices(own: Own) -> OwnChoices:
    flags = {name: own.choices[column] for name, column in FIELDS.items() if column in own.choices and column in FLAGS}
    lists = {channel: own.choices.get(reach.categories) for channel, reach in REACHES.items()}
    topics = {channel: ticked for channel, ticked in lists.items() if ticked is not None}
    return OwnChoices.model_validate({"flags": flags, "topics": topics})
