"""Where a signed-in person works: what they may, what they ask the API, what they sent, and what they get to see."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any
from urllib.parse import quote, unquote
from zoneinfo import ZoneInfo

from fastapi import Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import Environment

from services.gateway.domain.access import Caller, Person
from services.gateway.routes.entrance import Entrance
from services.gateway.routes.pages.api import Api, Json, Reply
from services.gateway.routes.pages.rendering import moment, tick
from shared.http import Problem

FORM_BYTES_MAX = 256 * 1024
ZONE_COOKIE = "zone"
ZONE_MAX = 64
SAID_COOKIE = "said"
SAID_MAX = 500
SAID_SECONDS = 60

REFUSED = (403, 409, 422)
"""After these a form is shown again with what was typed, and why it was not taken."""

_PASSED_ON = ("cookie", "user-agent", "x-forwarded-for")


@dataclass(frozen=True, slots=True)
class Pages:
    """What all pages stand on."""

    api: Api
    entrance: Entrance
    environment: Environment

    def render(self, request: Request, template: str, values: Mapping[str, Any]) -> str:
        """The template as the viewer of this request is to see it."""
        zone = zone_of(request)
        desk = getattr(request.state, "desk", None)
        viewers = {"moment": moment(zone), "tick": tick(zone), "zone": str(zone)}
        return self.environment.get_template(template).render(
            {"desk": desk, "path": request.url.path, **viewers, **values}
        )

    def show(self, request: Request, template: str, values: Mapping[str, Any], status: int = 200) -> HTMLResponse:
        """A page for anybody, with what was said by the last action, once."""
        said = request.cookies.get(SAID_COOKIE)
        response = HTMLResponse(self.render(request, template, {"said": said and unquote(said), **values}), status)
        if said:
            response.delete_cookie(SAID_COOKIE, path="/notification")
        return response

    def go(self, path: str, said: str | None = None) -> Response:
        """The next page for anybody, which says what was done."""
        response = RedirectResponse(path, 303)
        if said:
            response.set_cookie(
                SAID_COOKIE,
                quote(said[:SAID_MAX]),
                max_age=SAID_SECONDS,
                path="/notification",
                httponly=True,
                samesite="lax",
                secure=self.entrance.settings.is_https,
            )
        return response


def zone_of(request: Request) -> ZoneInfo:
    """The viewer's zone, which the browser tells by a cookie; UTC for one that is none."""
    name = unquote(request.cookies.get(ZONE_COOKIE, ""))[:ZONE_MAX]
    try:
        return ZoneInfo(name) if name else ZoneInfo("UTC")
    except (KeyError, ValueError, OSError):  # no such zone, or a name that cannot be one's
        return ZoneInfo("UTC")


@dataclass(frozen=True, slots=True)
class Desk:
    """A signed-in person on a page."""

    request: Request
    pages: Pages
    headers: Mapping[str, str] = field(repr=False)
    caller: Caller
    person: Person
    csrf_token: str = field(repr=False)

    def allows(self, scope: str) -> bool:
        """Whether the person may do this kind of thing."""
        return self.caller.allows(scope)

    def require(self, scope: str) -> None:
        """A 403 problem in place of a form that would be refused when it is filled in."""
        if not self.allows(scope):
            raise Problem(403, "Not allowed")

    async def get(self, path: str, **query: object) -> Reply:
        """What the API answers; a `Problem` for a refusal."""
        return await self.pages.api.ask(self.request.client, self.headers, "GET", path, query)

    async def unless_missing(self, path: str, **query: object) -> Any:
        """What is there; None where nothing is."""
        try:
            return (await self.get(path, **query)).data
        except Problem as problem:
            if problem.status == 404:
                return None
            raise

    async def do(self, method: str, path: str, body: Json | None = None) -> Reply:
        """An unsafe request to the API, with the visitor's token."""
        headers = {**self.headers, "x-csrf-token": self.csrf_token}
        return await self.pages.api.ask(self.request.client, headers, method, path, body=body)

    async def upload(self, path: str, content_type: str, pieces: AsyncIterator[bytes]) -> Reply:
        """A file of any length to the API."""
        headers = {**self.headers, "x-csrf-token": self.csrf_token}
        return await self.pages.api.send(self.request.client, headers, "POST", path, content_type, pieces)

    def render(self, page: str, /, **values: Any) -> str:
        """A part of a page."""
        return self.pages.render(self.request, page, values)

    def show(self, page: str, /, status: int = 200, **values: Any) -> HTMLResponse:
        """A page."""
        return self.pages.show(self.request, page, values, status)

    def go(self, path: str, said: str | None = None) -> Response:
        """The next page, which says what was done."""
        return self.pages.go(path, said)


async def _visit(request: Request) -> Desk:
    pages: Pages = request.app.state.pages
    session = await pages.entrance.session_for_page(request)
    passed = {name: request.headers[name] for name in _PASSED_ON if name in request.headers}
    request.state.desk = desk = Desk(request, pages, passed, session.caller, session.person, session.csrf_token)
    return desk


AtDesk = Annotated[Desk, Depends(_visit)]
"""The person who looks; somebody who is not signed in is sent to do so first, and a form that was not made for them is
refused."""


@dataclass(frozen=True, slots=True)
class Form:
    """What a form sent, without files."""

    pairs: tuple[tuple[str, str], ...] = ()

    def __getitem__(self, name: str) -> str:
        return self.values.get(name, "").strip()

    @property
    def values(self) -> dict[str, str]:
        """The last one of each name."""
        return dict(self.pairs)

    def all(self, name: str) -> list[str]:
        """In their order on the page."""
        return [value.strip() for given, value in self.pairs if given == name]

    def filled(self, *names: str) -> Json:
        """Those that are not empty, as a body for the API."""
        return {name: self[name] for name in names if self[name]}


async def read_form(request: Request) -> Form:
    """The form of a request; its token is checked by the entrance."""
    items = (await request.form()).multi_items()
    return Form(tuple((name, value) for name, value in items if isinstance(value, str)))


Sent = Annotated[Form, Depends(read_form)]


def field_errors(problem: Problem) -> dict[str, str]:
    """Messages by the field that they name; those that name none are under the empty name."""
    found: dict[str, str] = {}
    for error in problem.errors:
        name = error.get("field", "")
        found[name] = f"{found[name]}; {error['message']}" if name in found else error["message"]
    if not found:
        found[""] = problem.detail or problem.title
    return found
