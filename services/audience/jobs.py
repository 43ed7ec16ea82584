"""Loops: expanding launched campaigns, and forgetting what finished ones no longer need."""

from __future__ import annotations

import asyncio
from functools import partial

from services.audience.handlers.expanding import expand_next
from services.audience.settings import AudienceSettings
from services.audience.store.expansions import delete_addresses
from shared.backoff import wait_for_any
from shared.database import Database
from shared.runtime import Job, JobContext

FORGET_EVERY_SECONDS = 60.0
FORGOTTEN_ROWS_MAX = 20_000


def jobs(database: Database, settings: AudienceSettings, work: asyncio.Event) -> list[Job]:
    """All jobs; `work` is set when there may be something to expand."""
    return [
        Job("expansions", partial(_expand, database, settings, work)),
        Job("addresses", partial(_forget_addresses, database, settings)),
    ]


async def _expand(database: Database, settings: AudienceSettings, work: asyncio.Event, context: JobContext) -> None:
    while not context.stopping.is_set():
        work.clear()
        context.heartbeat.begin()
        worked = await expand_next(database, settings.page_customers, settings.lot_recipients_max)
        context.heartbeat.end()
        if not worked:
            await wait_for_any((work, context.stopping), settings.idle_seconds)


async def _forget_addresses(database: Database, settings: AudienceSettings, context: JobContext) -> None:
    while not await context.sleep(FORGET_EVERY_SECONDS):
        context.heartbeat.begin()
        forgotten = FORGOTTEN_ROWS_MAX
        while forgotten == FORGOTTEN_ROWS_MAX and not context.stopping.is_set():
            async with database.transaction() as connection:
                forgotten = await delete_addresses(connection, settings.addresses_kept_seconds, FORGOTTEN_ROWS_MAX)
            context.heartbeat.beat()
        context.heartbeat.end()
