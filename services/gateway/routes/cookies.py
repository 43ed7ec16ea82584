"""The cookies of sessions and forms, and the tokens that a form must send back."""

from __future__ import annotations

from urllib.parse import urlsplit

from fastapi import Request, Response

from services.gateway.domain.sessions import csrf_token_of, is_csrf_token, make_token
from services.gateway.settings import GatewaySettings
from shared.http import Problem

CSRF_HEADER = "x-csrf-token"
CSRF_FIELD = "csrfToken"
FORM_TYPES = ("application/x-www-form-urlencoded", "multipart/form-data")


def cookie_name(settings: GatewaySettings, what: str = "session") -> str:
    """The name under which browsers refuse the cookie from another host or without encryption, where that is there."""
    return f"__Host-{what}" if settings.is_https else what


def put_cookie(
    response: Response, settings: GatewaySettings, value: str, what: str = "session", seconds: int | None = None
) -> None:
    """Gives the browser the cookie for so long, or until it is closed; no script can read it."""
    name = cookie_name(settings, what)
    response.set_cookie(name, value, seconds, path="/", secure=settings.is_https, httponly=True, samesite="lax")


def drop_cookie(response: Response, settings: GatewaySettings, what: str = "session") -> None:
    """Takes the cookie back."""
    name = cookie_name(settings, what)
    response.delete_cookie(name, path="/", secure=settings.is_https, httponly=True, samesite="lax")


def begin_form(request: Request, response: Response, settings: GatewaySettings) -> str:
    """The token for a form of somebody who is not signed in; the browser keeps a cookie that goes with it."""
    cookie = request.cookies.get(cookie_name(settings, "form"), "")
    if not cookie:
        cookie = make_token()
        put_cookie(response, settings, cookie, "form")
    return csrf_token_of(cookie)


async def check_form(request: Request, settings: GatewaySettings) -> None:
    """A 403 problem unless the form is one that `begin_form` made for this browser; 415 for one with files."""
    if request.headers.get("content-type", "").startswith(FORM_TYPES[1]):
        raise Problem(415, "Unsupported media type", f"send the form as {FORM_TYPES[0]}")
    await check_token(request, settings, request.cookies.get(cookie_name(settings, "form"), ""))


async def check_token(request: Request, settings: GatewaySettings, cookie: str) -> None:
    """A 403 problem unless the request comes from one of our pages, made for the holder of the cookie."""
    check_origin(request, settings)
    given = request.headers.get(CSRF_HEADER, "")
    if not given and request.headers.get("content-type", "").startswith(FORM_TYPES):
        await request.body()  # kept, so that whoever comes next can read it again
        given = str((await request.form()).get(CSRF_FIELD, ""))
    if not cookie or not is_csrf_token(cookie, given):
        detail = (
            f"send the session's token as {CSRF_HEADER} or form field {CSRF_FIELD}; a page that is old has an old one"
        )
        raise Problem(403, "Not from our pages", detail)


def check_origin(request: Request, settings: GatewaySettings) -> None:
    """A 403 problem when the browser says that the request comes from another site's page."""
    site = request.headers.get("sec-fetch-site", "none")
    origin = request.headers.get("origin")
    ours = {request.headers.get("host", ""), urlsplit(settings.public_url).netloc}
    if site not in ("same-origin", "none") or (origin is not None and urlsplit(origin).netloc not in ours):
        raise Problem(403, "Not from our pages", "requests with a cookie are only taken from our own pages")
