"""The dashboard: the specification's numbers, recent campaigns, and the way to everything else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Header, Response

from contracts.channels import CHANNELS
from services.gateway.routes.pages.api import path_of
from services.gateway.routes.pages.desks import AtDesk, Desk
from services.gateway.routes.pages.live import Watch
from services.gateway.routes.pages.words import CHANNEL_WORDS

MOVING = frozenset({"sending", "paused"})
RECENT_MAX = 10
"""The newest campaigns, among whom those are that the dashboard lists."""

router = APIRouter(prefix="/notification")

LastEventId = Annotated[str | None, Header(max_length=64)]


@router.get("")
async def show_dashboard(desk: AtDesk) -> Response:
    """The page; `GET /api/notification/dashboard` has the same numbers."""
    return desk.show("dashboard.html", **_shown(await _look_up(desk)))


@router.get("/live")
async def watch_dashboard(desk: AtDesk, last_event_id: LastEventId = None) -> Response:
    """The page's numbers whenever they change."""
    watch: Watch = desk.request.app.state.watch

    async def ask() -> Any:
        return await _look_up(desk)

    def render(data: Any) -> str:
        return desk.render("dashboard_live.html", **_shown(data))

    return watch.stream(desk.caller.user_id, "dashboard", ask, render, last_event_id)


async def _look_up(desk: Desk) -> dict[str, Any]:
    """The specification's object, and how far those recent campaigns are that are being sent."""
    data = (await desk.get("/dashboard")).data
    progress: dict[str, float] = {}
    for name in CHANNELS:
        if any(one["status"] in MOVING for one in _recent(data, name)):
            found = (await desk.get(path_of(name, "campaigns"), limit=RECENT_MAX)).data
            progress |= {one["id"]: _done(one["progress"]["terms"]) for one in found if one["progress"]}
    return {"data": data, "progress": progress}


def _recent(data: Mapping[str, Any], channel_name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = data[f"recent{CHANNEL_WORDS[channel_name].title}Campaigns"]
    return found


def _done(terms: Mapping[str, int]) -> float:
    """Percent of the planned recipients who do not wait any more."""
    planned = sum(terms.values())
    return 100 * (planned - terms["waiting"] - terms["inFlight"]) / planned if planned else 0.0


def _shown(found: Mapping[str, Any]) -> dict[str, Any]:
    data = found["data"]
    recent = {name: _recent(data, name) for name in CHANNELS}
    return {**found, "recent": recent}
