"""What messages have cost, from the ledger."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from contracts.channels import CHANNELS
from services.dispatcher.store.costs import sum_costs
from shared.database import TenantDatabase
from shared.http import CurrentUser


def cost_routes(database: TenantDatabase) -> APIRouter:
    """The sums of a whole tenant."""
    router = APIRouter()

    @router.get("/api/notification/costs")
    async def read_costs(user_id: CurrentUser) -> dict[str, Any]:
        async with database.transaction() as connection:
            found = {channel.name: await sum_costs(connection, channel, user_id) for channel in CHANNELS.values()}
        return {"data": found}

    return router
