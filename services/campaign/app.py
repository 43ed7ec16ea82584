"""Composes the campaign service."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from contracts.channels import CHANNELS
from services.campaign.consumers import subscriptions
from services.campaign.jobs import run_schedule
from services.campaign.routes.campaigns import campaign_routes
from services.campaign.routes.templates import template_routes
from services.campaign.settings import CampaignSettings
from shared.database import TenantDatabase, open_database
from shared.http import internal_app, only_with_token
from shared.runtime import Job, Service

NAME = "campaign"


@asynccontextmanager
async def build(settings: CampaignSettings) -> AsyncIterator[Service]:
    """The service with everything it needs, until the end of the block."""
    async with open_database(settings.database_url, settings.database_connections_max, NAME) as database:
        app, seen = internal_app(NAME), TenantDatabase(database)
        for channel in CHANNELS.values():
            app.include_router(template_routes(channel, seen, settings.link_base_url))
            app.include_router(campaign_routes(channel, seen))
        yield Service(
            name=NAME,
            routes=only_with_token(app, settings.internal_token.get_secret_value()),
            database=database,
            subscriptions=subscriptions(database),
            jobs=[Job("schedule", partial(run_schedule, database, settings.schedule_seconds))],
        )
