"""Pages for people: rendered here, working without scripts, asking the public API for everything they show."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from fastapi import FastAPI

from contracts.channels import CHANNELS
from services.gateway.routes.entrance import Entrance
from services.gateway.routes.pages import (
    accounts,
    approvals,
    audit,
    campaigns,
    customers,
    dashboard,
    dead_letters,
    drafts,
    events,
    recipients,
    review,
    sign_in,
    team,
    templates,
)
from services.gateway.routes.pages.api import Api
from services.gateway.routes.pages.desks import FORM_BYTES_MAX, Pages
from services.gateway.routes.pages.failing import answer_with_pages
from services.gateway.routes.pages.live import Watch
from services.gateway.routes.pages.rendering import make_environment
from services.gateway.routes.pages.statics import Statics, static_routes
from shared.probes import AsgiApp, Receive, Scope, Send

PATH = "/notification"

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
# Without any referrer browsers would not say either that a form comes from our own pages.
PAGE_HEADERS = {"content-security-policy": _POLICY, "referrer-policy": "same-origin"}
_HEADERS = {name.encode(): value.encode() for name, value in PAGE_HEADERS.items()}


_ROUTERS = (
    sign_in.router,
    dashboard.router,
    accounts.router,
    customers.router,
    approvals.router,
    team.router,
    audit.router,
    dead_letters.router,
)
_OF_A_CHANNEL = (
    templates.template_pages,
    drafts.draft_pages,
    review.review_pages,
    recipients.recipient_pages,
    events.event_pages,
    campaigns.campaign_pages,
    accounts.account_pages,
)


class PageApp:
    """Everything under `/notification`, with headers by which nothing comes from elsewhere or goes elsewhere."""

    def __init__(self, api: AsgiApp, entrance: Entrance, statics: Statics) -> None:
        app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, max_body_size=FORM_BYTES_MAX)
        app.state.pages = Pages(Api(api), entrance, make_environment(statics))
        app.state.watch = Watch()
        answer_with_pages(app)
        for router in (static_routes(statics), customers.import_pages(), *_ROUTERS):
            app.include_router(router)
        for channel in CHANNELS.values():
            for make in _OF_A_CHANNEL:
                app.include_router(make(channel))
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                headers = _HEADERS | dict(message["headers"])
                cookies = [one for one in message["headers"] if one[0] == b"set-cookie"]
                message["headers"] = [*(one for one in headers.items() if one[0] != b"set-cookie"), *cookies]
            await send(message)

        await self.app(scope, receive, send_with_headers)
