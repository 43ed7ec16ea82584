"""Keeps this process's shares of the accounts of which only so many requests may be under way."""

from __future__ import annotations

import asyncio

from services.dispatcher.pacing import LOOK_SECONDS, Pace
from shared.runtime import JobContext


async def renew_shares(pace: Pace, context: JobContext) -> None:
    """Renews them until the service stops; then gives each back when its last request has ended."""
    while not await context.sleep(LOOK_SECONDS):
        context.heartbeat.begin()
        await pace.renew()
        context.heartbeat.end()
    while not await pace.renew(stopping=True):  # noqa: ASYNC110 - the database has to be asked again, too
        await asyncio.sleep(LOOK_SECONDS)
