"""The public answers about customers, preferences and added recipients; the gateway asks on behalf of a tenant."""

from __future__ import annotations

from contracts.channels import CHANNELS
from services.audience.routes import customers, own_preferences, preferences, recipients
from services.audience.settings import AudienceSettings
from shared.database import TenantDatabase
from shared.http import internal_app
from shared.probes import AsgiApp

BASE = "/api/notification"


def make_routes(database: TenantDatabase, settings: AudienceSettings) -> AsgiApp:
    """The app, without its guard."""
    app = internal_app("audience")
    app.include_router(customers.make_router(database, settings), prefix=BASE)
    app.include_router(preferences.make_router(database), prefix=BASE)
    app.include_router(own_preferences.make_router(database))
    for channel in CHANNELS.values():
        app.include_router(recipients.make_router(database, settings, channel), prefix=BASE)
    return app
