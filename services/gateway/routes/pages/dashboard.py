"""The dashboard: the specification's numbers, recent campaigns, and the way to everything else."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Response

from contracts.channels import CHANNELS
from services.gateway.routes.pages.desks import AtDesk
from services.gateway.routes.pages.live import Watch
from services.gateway.routes.pages.words import CHANNEL_WORDS

router = APIRouter(prefix="/notification")

LastEventId = Annotated[str | None, Header(max_length=64)]


@router.get("")
async def show_dashboard(desk: AtDesk) -> Response:
    """The page; `GET /api/notification/dashboard` has the same numbers."""
    return desk.show("dashboard.html", **_shown((await desk.get("/dashboard")).data))


@router.get("/live")
async def watch_dashboard(desk: AtDesk, last_event_id: LastEventId = None) -> Response:
    """The page's numbers whenever they change."""
    watch: Watch = desk.request.app.state.watch

    async def ask() -> Any:
        return (await desk.get("/dashboard")).data

    def render(data: Any) -> str:
        return desk.render("dashboard_live.html", **_shown(data))

    return watch.stream(desk.caller.user_id, "dashboard", ask, render, last_event_id)


def _shown(data: Any) -> dict[str, Any]:
    recent = {name: data[f"recent{CHANNEL_WORDS[name].title}Campaigns"] for name in CHANNELS}
    costs = data.get("smsSendCostByCurrency", {})
    return {"data": data, "recent": recent, "costs": costs, "cost_currency": next(iter(costs), None)}
