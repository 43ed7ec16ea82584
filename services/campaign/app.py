"""Composes the campaign service."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from services.campaign.consumers import subscriptions
from services.campaign.images import open_images
from services.campaign.jobs import run_schedule
from services.campaign.routes import make_routes
from services.campaign.settings import CampaignSettings
from shared.database import TenantDatabase, open_database
from shared.http import only_with_token
from shared.runtime import Job, Service

NAME = "campaign"


@asynccontextmanager
async def build(settings: CampaignSettings) -> AsyncIterator[Service]:
    """The service with everything it needs, until the end of the block."""
    async with (
        open_database(settings.database_url, settings.database_connections_max, NAME) as database,
        open_images(settings.image_hosts) as images,
    ):
        yield Service(
            name=NAME,
            routes=only_with_token(
                make_routes(TenantDatabase(database), images, settings.link_base_url),
                settings.internal_token.get_secret_value(),
            ),
            database=database,
            subscriptions=subscriptions(database),
            jobs=[Job("schedule", partial(run_schedule, database, settings.schedule_seconds))],
        )
