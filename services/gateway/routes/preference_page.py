"""The page on which customers see and change what we may send them, opened by the link in a message.

Whoever has the link needs no other credential, so there is no session that a forged form could use. A GET changes
nothing, because scanners follow links; a POST to `…/unsubscribe` needs nothing else (RFC 8058).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, get_args
from urllib.parse import parse_qs

from fastapi import APIRouter, Request, Response
from jinja2 import Environment

from contracts.channels import CHANNELS
from contracts.http.own_preferences import FlagName, OwnChoices, OwnPreferences
from contracts.links import PREFERENCES_PATH, UNSUBSCRIBE_PATH
from services.gateway.handlers.owners import Owners
from services.gateway.handlers.preference_page import Visitor, ask_preferences, find_visitor
from services.gateway.routes.entrance import Entrance
from services.gateway.routes.messages import read_body
from services.gateway.routes.pages.rendering import strict_environment
from shared.codec import now
from shared.http import Problem
from shared.links import PREFERENCES, LinkCodes

_FOLDER = Path(__file__).resolve().parents[1]
_STYLE = (_FOLDER / "static" / "preferences.css").read_bytes()
STYLE_PATH = f"{PREFERENCES_PATH}style-{sha256(_STYLE).hexdigest()[:16]}.css"
STYLE_SECONDS = 31_536_000

FORM_BYTES_MAX = 16_384
FIELDS_MAX = 200
VISITS_PER_MINUTE = 60
"""By one link; and by one source of requests with links that are not ours. Many customers may share a source."""

_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
    "x-robots-tag": "noindex",
}

FLAG_WORDS = {
    "smsOptedIn": ("Text messages (SMS)", "Without it nothing comes by SMS."),
    "pushOptedIn": ("App notifications", "Without it nothing comes to your app or browser."),
    "marketingOptedIn": ("Offers and news", "Sales, new products, newsletters."),
    "transactionalOptedIn": ("Orders and account", "Deliveries, receipts, appointments, security codes."),
}
TOPIC_WORDS = {"sms": "by text message", "push": "in the app"}

_PROBLEMS = {
    404: ("This link does not work", "Perhaps a part of it is missing. Please open it from the message once more."),
    413: ("That was too much", "Nothing was changed. Please open the link from the message once more."),
    422: ("We did not understand that", "Nothing was changed. Please open the link from the message once more."),
    429: ("Too many visits", "Nothing was changed. Please wait a minute and try again."),
    503: ("We cannot do this right now", "Nothing was changed. Please try again in a minute."),
}


@dataclass(frozen=True, slots=True)
class Notice:
    """What was changed, when, and what to choose to undo it."""

    title: str
    changes: list[str]
    at: datetime
    before: OwnChoices


def preference_page_routes(owners: Owners, entrance: Entrance, codes: LinkCodes) -> APIRouter:
    """The page, and unsubscribing with one click."""
    router = APIRouter(include_in_schema=False)
    templates = _environment()

    @router.get(STYLE_PATH)
    async def style() -> Response:
        cached = {"cache-control": f"public, max-age={STYLE_SECONDS}, immutable"}
        return Response(_STYLE, headers=_HEADERS | cached, media_type="text/css")

    def answered(work: Callable[[Request, str, Visitor], Awaitable[Response]]) -> Callable[..., Awaitable[Response]]:
        async def answer(request: Request, token: str) -> Response:
            try:
                named = codes.read(PREFERENCES, token)
                who = f"from {entrance.source_of(request)}" if named is None else f"of {named.recipient_id}"
                await entrance.limit(request, f"preferences {who}", VISITS_PER_MINUTE)
                visitor = None if named is None else await find_visitor(owners, named)
                if visitor is None:
                    raise Problem(404, "No such link")
                return await work(request, token, visitor)
            except Problem as problem:
                title, text = _PROBLEMS.get(problem.status, _PROBLEMS[503])
                page = templates.get_template("message.html").render(title=title, text=text)
                return _html(page, problem.status, problem.headers)

        return answer

    async def render(name: str, token: str, visitor: Visitor, **values: Any) -> Response:
        business = (await entrance.tenants.recent(visitor.user_id)).business_name or visitor.user_id
        return _html(templates.get_template(name).render(token=token, business=business, **values))

    async def page(token: str, visitor: Visitor, own: OwnPreferences, title: str = "") -> Response:
        notice = None
        if own.before is not None:
            changes = _changes(own.before, own.now)
            title = title or ("Saved" if changes else "All as you wanted it")
            notice = Notice(title, changes, now(), own.before)
        return await render("page.html", token, visitor, own=own, notice=notice)

    async def show(_request: Request, token: str, visitor: Visitor) -> Response:
        return await page(token, visitor, await ask_preferences(owners, visitor))

    async def confirm(_request: Request, token: str, visitor: Visitor) -> Response:
        (kind,) = visitor.unsubscribing
        return await render("unsubscribe.html", token, visitor, kind=FLAG_WORDS[kind][0])

    async def unsubscribe(_request: Request, token: str, visitor: Visitor) -> Response:
        own = await ask_preferences(owners, visitor, visitor.unsubscribing)
        return await page(token, visitor, own, "You are unsubscribed")

    async def save(request: Request, token: str, visitor: Visitor) -> Response:
        form = _form(await read_body(request, FORM_BYTES_MAX))
        if "List-Unsubscribe" in form:
            return await unsubscribe(request, token, visitor)
        if "save" not in form:
            raise Problem(422, "Not a form of ours")
        flags = {name: name in form for name in get_args(FlagName)}
        topics = {channel: form.get(f"{channel}Topics", []) for channel in CHANNELS}
        return await page(token, visitor, await ask_preferences(owners, visitor, flags, topics))

    for path, method, work in (
        (f"{PREFERENCES_PATH}{{token}}", "GET", show),
        (f"{PREFERENCES_PATH}{{token}}", "POST", save),
        (f"{PREFERENCES_PATH}{{token}}/unsubscribe", "GET", confirm),
        (f"{PREFERENCES_PATH}{{token}}/unsubscribe", "POST", unsubscribe),
        (f"{UNSUBSCRIBE_PATH}{{token}}", "GET", confirm),
        (f"{UNSUBSCRIBE_PATH}{{token}}", "POST", unsubscribe),
    ):
        router.add_api_route(path, answered(work), methods=[method], response_class=Response)
    return router


def _environment() -> Environment:
    environment = strict_environment(_FOLDER / "templates" / "preferences")
    environment.globals |= {
        "style_path": STYLE_PATH,
        "preferences_path": PREFERENCES_PATH,
        "flag_words": FLAG_WORDS,
        "topic_words": TOPIC_WORDS,
    }
    environment.filters["topic"] = _topic
    return environment


def _html(page: str, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(page, status, _HEADERS | (headers or {}), media_type="text/html")


def _form(body: bytes) -> dict[str, list[str]]:
    try:
        return parse_qs(body.decode(), keep_blank_values=True, max_num_fields=FIELDS_MAX)
    except ValueError:
        raise Problem(422, "Not a form") from None


def _changes(before: OwnChoices, after: OwnChoices) -> list[str]:
    """What is different now, in words."""
    words = [
        f"{FLAG_WORDS[name][0]}: {_on(value)}" for name, value in after.flags.items() if before.flags.get(name) != value
    ]
    for channel, ticked in after.topics.items():
        for topic in sorted(set(ticked) ^ set(before.topics.get(channel, ()))):
            words.append(f"{_topic(topic)} {TOPIC_WORDS[channel]}: {_on(topic in ticked)}")
    return words


def _on(value: Any) -> str:
    return "on" if value else "off"


def _topic(category: str) -> str:
    """A category as people read it."""
    return category.replace("_", " ").replace("-", " ").capitalize()
