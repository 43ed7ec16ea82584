"""Signing in with an identity provider: to it, and back."""

from __future__ import annotations

import hmac
from dataclasses import asdict
from urllib.parse import urlencode

import msgspec
from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse

from contracts.http.endpoints import BASE
from services.gateway.domain.oidc import Beginning
from services.gateway.domain.paths import HOME, local_path
from services.gateway.domain.sessions import SignedIn
from services.gateway.handlers.oidc import CALLBACK_PATH, NOT_BELIEVED, Oidc
from services.gateway.routes.cookies import cookie_name, drop_cookie, put_cookie
from services.gateway.routes.entrance import Entrance
from shared.http import Problem
from shared.security import Seal, SealBroken

SIGN_IN_PATH = f"{HOME}/sign-in"
AWAY_SECONDS = 600
"""How long somebody may take at the identity provider."""

CODE_CHARACTERS_MAX = 4096
TEMPORARY = (429, 503)


def oidc_routes(entrance: Entrance, oidc: Oidc, seal: Seal) -> APIRouter:
    """Two redirects; what goes wrong is told by the sign-in page."""
    router = APIRouter(include_in_schema=False)
    settings = entrance.settings

    @router.get(f"{BASE}/oidc/begin")
    async def begin(request: Request, next: str = HOME) -> RedirectResponse:
        if not oidc.is_set_up:
            raise Problem(404, "No such page", "no identity provider is set up (GATEWAY_OIDC_ISSUER)")
        try:
            await entrance.limit(request, f"oidc {entrance.source_of(request)}", settings.sign_ins_per_minute)
            begun, url = await oidc.begin(local_path(next))
        except Problem as problem:
            return _try_later(problem)
        response = RedirectResponse(url, 303)
        sealed = seal.close(asdict(begun)).decode()
        put_cookie(response, settings, sealed, "oidc", AWAY_SECONDS)
        return response

    @router.get(CALLBACK_PATH)
    async def finish(request: Request, code: str = "", state: str = "", error: str = "") -> RedirectResponse:
        begun = _begun(request, seal, cookie_name(settings, "oidc"))
        if begun is None or not hmac.compare_digest(begun.state.encode(), state.encode()):
            return _back(NOT_BELIEVED)
        if error or not 0 < len(code) <= CODE_CHARACTERS_MAX:
            return _back("the identity provider signed nobody in")
        try:
            found = await entrance.attempt_sign_in(request, lambda: oidc.finish(entrance.database, begun, code))
        except Problem as problem:
            return _try_later(problem)
        if not isinstance(found, SignedIn):
            return _back(found.reason)
        response = RedirectResponse(begun.next, 303)
        put_cookie(response, settings, found.cookie)
        drop_cookie(response, settings, "oidc")
        return response

    return router


def _begun(request: Request, seal: Seal, name: str) -> Beginning | None:
    """What this browser began, if it is not too long ago."""
    try:
        opened = seal.open(request.cookies.get(name, "").encode(), AWAY_SECONDS)
        return msgspec.convert(opened, Beginning)
    except (SealBroken, msgspec.ValidationError):
        return None


def _try_later(problem: Problem) -> RedirectResponse:
    """A browser is here, and a person in front of it: where passwords work, they read what is the matter."""
    if problem.status not in TEMPORARY:
        raise problem
    return _back(problem.detail or problem.title)


def _back(reason: str) -> RedirectResponse:
    return RedirectResponse(f"{SIGN_IN_PATH}?{urlencode({'problem': reason})}", 303)
