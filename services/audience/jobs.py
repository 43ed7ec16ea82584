"""Loops: expanding launched campaigns, forecasting others, and forgetting what finished ones no longer need."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

from services.audience.handlers.expanding import expand_next
from services.audience.handlers.forecasting import forecast_next
from services.audience.settings import AudienceSettings
from services.audience.store.expansions import delete_addresses
from services.audience.store.forecasts import delete_forecasts
from services.audience.store.imports import delete_errors, mark_cut_off
from shared.backoff import wait_for_any
from shared.database import Database
from shared.runtime import Job, JobContext

FORGET_EVERY_SECONDS = 60.0
FORGOTTEN_ROWS_MAX = 20_000


def jobs(database: Database, settings: AudienceSettings, work: asyncio.Event, forecasts: asyncio.Event) -> list[Job]:
    """All jobs; `work` is set when there may be something to expand, `forecasts` when there may be one to make."""
    expand = partial(expand_next, database, settings.page_customers, settings.lot_recipients_max)
    forecast = partial(forecast_next, database, settings.page_customers)
    return [
        Job("expansions", partial(_walk, expand, work, settings.idle_seconds)),
        Job("forecasts", partial(_walk, forecast, forecasts, settings.idle_seconds)),
        Job("addresses", partial(_forget_addresses, database, settings)),
    ]


async def _walk(
    take_step: Callable[[], Awaitable[bool]], work: asyncio.Event, idle_seconds: float, context: JobContext
) -> None:
    while not context.stopping.is_set():
        work.clear()
        context.heartbeat.begin()
        worked = await take_step()
        context.heartbeat.end()
        if not worked:
            await wait_for_any((work, context.stopping), idle_seconds)


async def _forget_addresses(database: Database, settings: AudienceSettings, context: JobContext) -> None:
    while not await context.sleep(FORGET_EVERY_SECONDS):
        context.heartbeat.begin()
        forgotten = FORGOTTEN_ROWS_MAX
        while forgotten == FORGOTTEN_ROWS_MAX and not context.stopping.is_set():
            async with database.transaction() as connection:
                forgotten = await delete_addresses(connection, settings.addresses_kept_seconds, FORGOTTEN_ROWS_MAX)
            context.heartbeat.beat()
        async with database.transaction() as connection:
            await delete_forecasts(connection, settings.forecasts_kept_seconds, FORGOTTEN_ROWS_MAX)
            await mark_cut_off(connection)
            await delete_errors(connection, settings.import_errors_kept_seconds, FORGOTTEN_ROWS_MAX)
        context.heartbeat.end()
