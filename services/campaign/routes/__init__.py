"""The campaign service's part of the API; only the gateway calls it."""

from __future__ import annotations

from contracts.channels import CHANNELS
from services.campaign.images import Images
from services.campaign.routes.campaigns import campaign_routes, internal_routes
from services.campaign.routes.templates import template_routes
from shared.database import TenantDatabase
from shared.http import internal_app
from shared.probes import AsgiApp


def make_routes(database: TenantDatabase, images: Images, link_base_url: str) -> AsgiApp:
    """The app, without its guard."""
    app = internal_app("campaign")
    for channel in CHANNELS.values():
        app.include_router(template_routes(channel, database, images, link_base_url))
        app.include_router(campaign_routes(channel, database, link_base_url))
        app.include_router(internal_routes(channel, database, link_base_url))
    return app
