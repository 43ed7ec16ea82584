"""Composes the gateway."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import aiohttp
from fastapi import FastAPI
from fastapi.responses import HTMLResponse

from services.gateway.handlers.keys import Keys
from services.gateway.handlers.limits import Limits
from services.gateway.handlers.owners import Owners
from services.gateway.handlers.tenants import Tenants
from services.gateway.jobs import forget, mark_used_keys
from services.gateway.routes.audit import audit_routes
from services.gateway.routes.describing import describe, docs_page
from services.gateway.routes.entrance import Entrance
from services.gateway.routes.forwarding import forwarding_routes
from services.gateway.routes.front import Front
from services.gateway.routes.keys import key_routes
from services.gateway.routes.outside import outside_routes
from services.gateway.routes.own import own_routes
from services.gateway.routes.people import people_routes
from services.gateway.routes.sessions import session_routes
from services.gateway.routes.tenants import tenant_routes
from services.gateway.settings import GatewaySettings
from shared.database import Database, TenantDatabase, open_database
from shared.http import answer_problems
from shared.runtime import Job, Service

NAME = "gateway"
TITLE = "Omni-Sales Notifications"
VERSION = "1"
OWNER_CONNECTIONS_MAX = 200


@asynccontextmanager
async def build(settings: GatewaySettings) -> AsyncIterator[Service]:
    """The service with everything it needs, until the end of the block."""
    connector = aiohttp.TCPConnector(limit=OWNER_CONNECTIONS_MAX, keepalive_timeout=60)
    async with (
        open_database(settings.database_url, settings.database_connections_max, NAME) as database,
        aiohttp.ClientSession(connector=connector, auto_decompress=False) as client,
    ):
        keys = Keys(database)
        app = make_app(database, keys, Owners(client, settings), settings)
        yield Service(
            name=NAME,
            routes=Front(app, database, settings),
            database=database,
            jobs=[
                Job("forgetting", partial(forget, database, settings.idempotency_hours)),
                Job("used keys", partial(mark_used_keys, keys)),
            ],
        )


def make_app(database: Database, keys: Keys, owners: Owners, settings: GatewaySettings) -> FastAPI:
    """The public API with its description."""
    app = FastAPI(title=TITLE, version=VERSION, openapi_url=None, docs_url=None, redoc_url=None)
    answer_problems(app)
    entrance = Entrance(database, keys, Tenants(database), Limits(database), settings)
    seen = TenantDatabase(database)
    app.include_router(outside_routes(entrance, owners))
    app.include_router(session_routes(database, entrance))
    app.include_router(people_routes(seen, entrance))
    app.include_router(key_routes(seen, entrance))
    app.include_router(tenant_routes(entrance))
    app.include_router(audit_routes(seen, entrance))
    app.include_router(own_routes(seen, entrance, owners))
    app.include_router(forwarding_routes(seen, entrance, owners, settings))
    document = describe(app)

    @app.get("/openapi.json", include_in_schema=False)
    async def openapi() -> dict[str, Any]:
        return document

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return docs_page(document)

    return app
