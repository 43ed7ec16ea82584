"""One visit of a page: who looks, what they may, what they sent, and what they get to see."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import parse_qsl, quote, unquote
from zoneinfo import ZoneInfo

from fastapi import Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import Environment

from services.gateway.pages.api import Api, Json, Reply
from services.gateway.pages.rendering import moment
from shared.http import Problem

FORM_BYTES_MAX = 256 * 1024
FIELDS_MAX = 1_000
ZONE_COOKIE = "zone"
ZONE_MAX = 64
SAID_COOKIE = "said"
SAID_MAX = 500
SAID_SECONDS = 60
PROBLEM_STATUS = 422
CSRF_FIELD = "csrfToken"


@dataclass(frozen=True, slots=True)
class Pages:
    """What all pages stand on."""

    api: Api
    environment: Environment

    def render(self, request: Request, template: str, values: Mapping[str, Any]) -> str:
        """The template as the viewer of this request is to see it."""
        zone = zone_of(request)
        return self.environment.get_template(template).render(
            {"path": request.url.path, "moment": moment(zone), "zone": str(zone), "visit": None, **values}
        )

    def show(self, request: Request, template: str, values: Mapping[str, Any], status: int = 200) -> HTMLResponse:
        """A page for anybody, with what was said by the last action, once."""
        said = request.cookies.get(SAID_COOKIE)
        response = HTMLResponse(self.render(request, template, {"said": said and unquote(said), **values}), status)
        if said:
            response.delete_cookie(SAID_COOKIE, path="/notification")
        return response


def zone_of(request: Request) -> ZoneInfo:
    """The viewer's zone, which the browser tells by a cookie; UTC for one that is none."""
    name = unquote(request.cookies.get(ZONE_COOKIE, ""))[:ZONE_MAX]
    try:
        return ZoneInfo(name) if name else ZoneInfo("UTC")
    except (ValueError, OSError):  # no such zone, or a name that is no zone's
        return ZoneInfo("UTC")


@dataclass(frozen=True, slots=True)
class Visit:
    """A signed-in person on a page."""

    request: Request
    pages: Pages
    headers: Mapping[str, str]
    user_id: str
    name: str
    csrf_token: str

    def allows(self, scope: str) -> bool:
        """Whether the person may do this kind of thing."""
        return True

    async def get(self, path: str, **query: object) -> Reply:
        """What the API answers; a `Problem` for a refusal."""
        return await self.pages.api.ask(self.headers, "GET", path, query)

    async def do(self, method: str, path: str, body: Json | None = None) -> Reply:
        """An unsafe request to the API, with the visitor's token."""
        headers = {**self.headers, "x-csrf-token": self.csrf_token}
        return await self.pages.api.ask(headers, method, path, body=body)

    def render(self, template: str, **values: Any) -> str:
        """A part of a page."""
        return self.pages.render(self.request, template, {"visit": self, **values})

    def show(self, template: str, status: int = 200, **values: Any) -> HTMLResponse:
        """A page."""
        return self.pages.show(self.request, template, {"visit": self, **values}, status)

    def go(self, path: str, said: str | None = None) -> Response:
        """The next page, which says what was done."""
        response = RedirectResponse(path, 303)
        if said:
            response.set_cookie(
                SAID_COOKIE,
                quote(said[:SAID_MAX]),
                max_age=SAID_SECONDS,
                path="/notification",
                httponly=True,
                samesite="lax",
                secure=self.request.url.scheme == "https",
            )
        return response


async def _visit(request: Request) -> Visit:
    pages: Pages = request.app.state.pages
    headers = {name: request.headers[name] for name in ("authorization", "cookie") if name in request.headers}
    return Visit(request, pages, headers, "acme", "Ada", "token")


Visitor = Annotated[Visit, Depends(_visit)]
"""The person who looks; somebody who is not signed in is sent to do so first."""


@dataclass(frozen=True, slots=True)
class Form:
    """What a form sent: the last value of each name, and all of them where a name comes several times."""

    pairs: tuple[tuple[str, str], ...]

    @property
    def values(self) -> dict[str, str]:
        """By name."""
        return dict(self.pairs)

    def __getitem__(self, name: str) -> str:
        return self.values.get(name, "").strip()

    def all(self, name: str) -> list[str]:
        """In their order on the page."""
        return [value for given, value in self.pairs if given == name]

    def filled(self, *names: str) -> Json:
        """Those that are not empty, as a body for the API."""
        return {name: self[name] for name in names if self[name]}


async def read_form(request: Request) -> Form:
    """The form of a request, within its bounds."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > FORM_BYTES_MAX:
            raise Problem(413, "Too large", f"a form may have up to {FORM_BYTES_MAX} bytes")
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=FIELDS_MAX)
    except ValueError:
        raise Problem(400, "The form cannot be read", f"it may have up to {FIELDS_MAX} fields in UTF-8") from None
    return Form(tuple(pairs))


async def _form(request: Request, visit: Visitor) -> Form:
    form = await read_form(request)
    given = form[CSRF_FIELD] or request.headers.get("x-csrf-token", "")
    if not hmac.compare_digest(given.encode(), visit.csrf_token.encode()):
        raise Problem(403, "This form is too old", "go back, load the page again and send it once more")
    return form


Sent = Annotated[Form, Depends(_form)]
"""The form that the visitor sent, after its token was found to be theirs."""


def field_errors(problem: Problem) -> dict[str, str]:
    """Messages by the field that they name; those that name none are under the empty name."""
    found: dict[str, str] = {}
    for error in problem.errors:
        name = error.get("field", "")
        found[name] = f"{found[name]}; {error['message']}" if name in found else error["message"]
    if not found:
        found[""] = problem.detail or problem.title
    return found
