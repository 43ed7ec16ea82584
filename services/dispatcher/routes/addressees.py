"""Whom a message was for: asked by the gateway for those who follow a link in one."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from fastapi import APIRouter

from contracts.channels import CHANNELS
from services.dispatcher.store.links import find_addressee
from shared.database import Database
from shared.http import Problem


def addressee_routes(database: Database) -> APIRouter:
    """For the fleet alone: the answer names tenant and address."""
    router = APIRouter()

    @router.get("/internal/addressees/{channel}/{recipient_id}")
    async def read_addressee(channel: str, recipient_id: UUID) -> dict[str, Any]:
        found = None
        if channel in CHANNELS:
            async with database.pool.connection() as connection:
                found = await find_addressee(connection, CHANNELS[channel], recipient_id)
        if found is None:
            raise Problem(404, "No such recipient")
        data = {"userId": found.user_id, "customerId": found.customer_id, "address": found.address}
        return {"data": data | {"category": found.category}}

    return router
