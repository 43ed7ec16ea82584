"""Pages for people: rendered here, working without scripts, asking the public API for everything they show."""

from __future__ import annotations

from fastapi import FastAPI

from contracts.channels import CHANNELS
from services.gateway.pages import campaigns, dashboard, recipients
from services.gateway.pages.api import Api
from services.gateway.pages.failing import answer_with_pages
from services.gateway.pages.live import Watch
from services.gateway.pages.rendering import make_environment
from services.gateway.pages.statics import read_statics, static_routes
from services.gateway.pages.visits import Pages
from shared.probes import AsgiApp, Receive, Scope, Send

PATH = "/notification"

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
_HEADERS = [
    (b"content-security-policy", _POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
]
_NOT_KEPT = (b"cache-control", b"no-store")


def make_pages(api: AsgiApp) -> AsgiApp:
    """Everything under `/notification`."""
    statics = read_statics()
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    app.state.pages = Pages(Api(api), make_environment(statics))
    app.state.watch = Watch()
    answer_with_pages(app)
    app.include_router(static_routes(statics))
    app.include_router(dashboard.router)
    for channel in CHANNELS.values():
        app.include_router(campaigns.campaign_pages(channel))
        app.include_router(recipients.recipient_pages(channel))
    return _guarded(app)


def _guarded(app: AsgiApp) -> AsgiApp:
    """Nothing comes from elsewhere or goes elsewhere, and nothing of a tenant stays in a cache."""

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Scope) -> None:
            if message["type"] == "http.response.start":
                given = {name for name, _ in message["headers"]}
                message["headers"] = [*message["headers"], *_HEADERS, *([] if _NOT_KEPT[0] in given else [_NOT_KEPT])]
            await send(message)

        await app(scope, receive, send_with_headers)

    return guarded
