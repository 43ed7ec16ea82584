"""Composes the gateway."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import aiohttp
from fastapi import FastAPI
from fastapi.responses import RedirectResponse
from starlette.routing import Route

from services.gateway.handlers.approvals import Approvals
from services.gateway.handlers.dead_letters import DeadLetterOffice
from services.gateway.handlers.keys import Keys
from services.gateway.handlers.limits import Limits
from services.gateway.handlers.oidc import Oidc
from services.gateway.handlers.owners import Owners
from services.gateway.handlers.tenants import Tenants
from services.gateway.jobs import forget, mark_used_keys, perform_approved
from services.gateway.routes.approvals import approval_routes
from services.gateway.routes.audit import audit_routes
from services.gateway.routes.dead_letters import dead_letter_routes
from services.gateway.routes.describing import describe
from services.gateway.routes.docs import docs_routes
from services.gateway.routes.entrance import Entrance
from services.gateway.routes.forwarding import forwarding_routes
from services.gateway.routes.front import Front
from services.gateway.routes.keys import key_routes
from services.gateway.routes.oidc import oidc_routes
from services.gateway.routes.outside import outside_routes
from services.gateway.routes.own import own_routes
from services.gateway.routes.pages import PATH, PageApp
from services.gateway.routes.pages.statics import read_statics
from services.gateway.routes.people import people_routes
from services.gateway.routes.preference_page import preference_page_routes
from services.gateway.routes.reveals import reveal_routes
from services.gateway.routes.sessions import session_routes
from services.gateway.routes.tenants import tenant_routes
from services.gateway.settings import GatewaySettings
from shared.database import TenantDatabase, open_database
from shared.http import answer_problems
from shared.links import link_codes
from shared.runtime import Job, Service
from shared.security import seal

NAME = "gateway"
TITLE = "Omni-Sales Notifications"
VERSION = "1"
OWNER_CONNECTIONS_MAX = 200

STRANGERS_BYTES_MAX = 64 * 1024
"""Of a body that is taken up before it is known who sends it: a password, a person, a key, a setting."""


@asynccontextmanager
async def build(settings: GatewaySettings) -> AsyncIterator[Service]:
    """The service with everything it needs, until the end of the block."""
    connector = aiohttp.TCPConnector(limit=OWNER_CONNECTIONS_MAX, keepalive_timeout=60)
    async with (
        open_database(settings.database_url, settings.database_connections_max, NAME) as database,
        aiohttp.ClientSession(connector=connector, auto_decompress=False) as client,
    ):
        owners = Owners(client, settings)
        entrance = Entrance(database, Keys(database), Tenants(database), Limits(database), settings)
        approvals = Approvals(TenantDatabase(database), owners, entrance.tenants)
        app = make_app(entrance, owners, approvals)
        app.include_router(oidc_routes(entrance, Oidc(client, settings), seal(settings.secrets_key.get_secret_value())))
        yield Service(
            name=NAME,
            routes=Front(app, database, settings),
            database=database,
            jobs=[
                Job("forgetting", partial(forget, database, settings.idempotency_hours)),
                Job("used keys", partial(mark_used_keys, entrance.keys)),
                Job("approvals", partial(perform_approved, approvals)),
            ],
        )


def make_app(entrance: Entrance, owners: Owners, approvals: Approvals) -> FastAPI:
    """The public API with its description."""
    bytes_max = entrance.settings.body_bytes_max
    app = FastAPI(
        title=TITLE, version=VERSION, openapi_url=None, docs_url=None, redoc_url=None, max_body_size=bytes_max
    )
    answer_problems(app)
    database = entrance.database
    seen = TenantDatabase(database)
    app.include_router(outside_routes(entrance, owners))
    codes = link_codes(entrance.settings.secrets_key.get_secret_value())
    app.include_router(preference_page_routes(owners, entrance, codes))
    for router in (
        session_routes(database, entrance),
        people_routes(seen, entrance),
        key_routes(seen, entrance),
        tenant_routes(entrance),
        audit_routes(seen, entrance),
        approval_routes(seen, entrance, approvals),
        dead_letter_routes(entrance, DeadLetterOffice(entrance.settings.kafka_bootstrap_servers)),
    ):
        app.include_router(router, max_body_size=STRANGERS_BYTES_MAX)
    app.include_router(forwarding_routes(seen, entrance, owners, approvals))
    app.include_router(own_routes(seen, entrance, owners))
    app.include_router(reveal_routes(entrance, owners))
    document = describe(app)

    @app.get("/openapi.json", include_in_schema=False)
    async def openapi() -> dict[str, Any]:
        return document

    @app.get("/", include_in_schema=False)
    async def begin() -> RedirectResponse:
        return RedirectResponse(PATH)

    statics = read_statics()
    app.include_router(docs_routes(document, statics))
    shown = PageApp(Front(app, database, entrance.settings), entrance, statics)
    for path in (PATH, f"{PATH}/{{rest:path}}"):
        app.router.routes.append(Route(path, shown, include_in_schema=False))
    return app
