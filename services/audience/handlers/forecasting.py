"""A forecast renders everybody whom a campaign would reach, page by page, and sends nothing."""

from __future__ import annotations

import asyncio
import time
from typing import Any
from uuid import NAMESPACE_OID, UUID, uuid5

import msgspec

from contracts.channels import CHANNELS, Channel
from contracts.events import Content
from services.audience.domain.forecasts import COUNTRY, Texts, count_lacking, count_units
from services.audience.handlers.walking import take_page
from services.audience.store import additions, forecasts
from services.audience.store.forecasts import Forecast
from services.audience.store.walking import FINISHED
from shared.codec import now
from shared.database import Database, Transactions

POLL_SECONDS = 0.1


async def forecast_campaign(
    database: Transactions,
    campaign_id: UUID,
    user_id: str,
    channel: Channel,
    category: str,
    content: Content,
    audience_filter: dict[str, Any] | None,
    fresh_seconds: float,
) -> None:
    """Makes sure that there is a forecast of this question which runs, or has ended less than so long ago."""
    async with database.transaction() as connection:
        await forecasts.lock_campaign(connection, campaign_id)
        added = await additions.count_added(connection, campaign_id, user_id, channel.name)
        question = (channel.name, category, content, audience_filter, added)
        asked_for = uuid5(NAMESPACE_OID, msgspec.json.encode(question).decode())
        newest = await forecasts.find_newest(connection, campaign_id, user_id)
        if newest is not None and newest.asked_for == asked_for and _is_fresh(newest, fresh_seconds):
            return
        await forecasts.insert_forecast(
            connection, campaign_id, user_id, channel.name, category, content, audience_filter, asked_for
        )


def _is_fresh(forecast: Forecast, fresh_seconds: float) -> bool:
    return forecast.finished_at is None or (now() - forecast.finished_at).total_seconds() < fresh_seconds


async def wait_for_forecast(
    database: Transactions, campaign_id: UUID, user_id: str, wait_seconds: float
) -> Forecast | None:
    """The campaign's newest forecast once it is done, or as far as it is after so long; None where it was cancelled."""
    give_up = time.monotonic() + wait_seconds
    while True:
        async with database.transaction() as connection:
            forecast = await forecasts.find_newest(connection, campaign_id, user_id)
        if forecast is None or forecast.finished_at is not None or time.monotonic() > give_up:
            return forecast
        await asyncio.sleep(POLL_SECONDS)


async def forecast_next(database: Database, page_customers: int) -> bool:
    """One page of the forecast that has waited longest; False when there is none that nobody else works on."""
    async with database.transaction() as connection:
        forecast = await forecasts.claim_forecast(connection)
        if forecast is None:
            return False
        page = await take_page(connection, forecast, page_customers, (COUNTRY,))
        if page is not None:
            texts = Texts.of(CHANNELS[forecast.channel], forecast.content)
            count_units(forecast.tally, texts, page.units)
            count_lacking(forecast.tally, texts, page.lacking)
        await forecasts.mark_progress(connection, forecast, is_done=forecast.phase == FINISHED)
    return True
