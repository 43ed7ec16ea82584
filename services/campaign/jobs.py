"""The loops of the campaign service."""

from __future__ import annotations

from services.campaign.handlers.lifecycle import send_due
from shared.database import Database
from shared.runtime import JobContext


async def run_schedule(database: Database, seconds: float, context: JobContext) -> None:
    """Starts campaigns when their time has come."""
    while not await context.sleep(seconds):
        context.heartbeat.begin()
        await send_due(database)
        context.heartbeat.end()
