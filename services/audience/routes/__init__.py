"""The public answers about customers, preferences and added recipients; the gateway asks on behalf of a tenant."""

from __future__ import annotations

import asyncio

from contracts.channels import CHANNELS
from services.audience.routes import customers, explaining, forecasts, own_preferences, preferences, recipients, testing
from services.audience.settings import AudienceSettings
from shared.database import TenantDatabase
from shared.http import internal_app
from shared.probes import AsgiApp

BASE = "/api/notification"


def make_routes(database: TenantDatabase, settings: AudienceSettings, work: asyncio.Event) -> AsgiApp:
    """The app, without its guard; `work` is set when there may be something to forecast."""
    app = internal_app("audience")
    app.include_router(customers.make_router(database, settings), prefix=BASE)
    app.include_router(preferences.make_router(database), prefix=BASE)
    app.include_router(own_preferences.make_router(database))
    for channel in CHANNELS.values():
        app.include_router(recipients.make_router(database, settings, channel), prefix=BASE)
        app.include_router(forecasts.make_router(database, settings, channel, work))
        app.include_router(testing.make_router(database, channel, settings.link_base_url))
        app.include_router(explaining.make_router(database, channel))
    return app
