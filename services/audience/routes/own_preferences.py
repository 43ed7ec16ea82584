"""A person's own preferences, for the page that the link in a message opens; only the gateway may ask."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from contracts.http.own_preferences import OwnPreferencesAsked
from services.audience.handlers.own_preferences import OwnPreferences, Person, choose_own, find_own
from services.audience.routes.preferences import FIELDS
from services.audience.store.preferences import FLAGS
from services.audience.tables import REACHES
from shared.database import TenantDatabase
from shared.http import CurrentUser


def make_router(database: TenantDatabase) -> APIRouter:
    """Reads and changes by whom a message was for. The address is in the body: it must not be in a URL."""
    router = APIRouter()

    @router.post("/internal/own-preferences")
    async def own_preferences(asked: OwnPreferencesAsked, user_id: CurrentUser) -> dict[str, Any]:
        person = Person(asked.channel, asked.address, asked.customer_id)
        choices: dict[str, Any] = {FIELDS[name]: value for name, value in asked.flags.items()}
        choices |= {REACHES[channel].categories: ticked for channel, ticked in asked.topics.items()}
        if choices:
            before, own = await choose_own(database, user_id, person, choices)
        else:
            before, own = None, await find_own(database, user_id, person)
        data = _choices(own) | {"offered": own.offered, "phoneNumber": own.phone_number}
        return {"data": data | {"before": None if before is None else _choices(before)}}

    return router


def _choices(own: OwnPreferences) -> dict[str, Any]:
    flags = {name: own.choices[column] for name, column in FIELDS.items() if column in own.choices and column in FLAGS}
    lists = {channel: own.choices.get(reach.categories) for channel, reach in REACHES.items()}
    return {"flags": flags, "topics": {channel: ticked for channel, ticked in lists.items() if ticked is not None}}
