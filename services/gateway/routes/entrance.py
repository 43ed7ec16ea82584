"""Who makes a request, and whether they may."""

from __future__ import annotations

import hmac
from dataclasses import dataclass

from fastapi import Request

from contracts.http.endpoints import SCOPES
from services.gateway.domain.access import Caller
from services.gateway.domain.addresses import source_of
from services.gateway.domain.sessions import Session
from services.gateway.handlers.keys import Keys
from services.gateway.handlers.sessions import find_session
from services.gateway.routes.cookies import check_token, cookie_name
from services.gateway.routes.messages import WRITES
from services.gateway.settings import GatewaySettings
from shared.database import Database
from shared.http import Problem

OPERATOR_SCOPES = frozenset(SCOPES)


@dataclass(frozen=True, slots=True)
class Entrance:
    """The one way in, for the API and for pages."""

    database: Database
    keys: Keys
    settings: GatewaySettings

    async def enter(self, request: Request, scope: str) -> Caller:
        """The caller, if they may; a 401 or 403 problem else. The tenant that a query names must be their own."""
        caller = await self.caller_of(request)
        if not caller.allows(scope):
            raise Problem(403, "Not allowed", f"{caller.title} has no scope {scope}")
        named = request.query_params.get("userId")
        if named is not None and named != caller.user_id:
            raise Problem(403, "Not allowed", "userId must be your own, or be left out")
        return caller

    async def caller_of(self, request: Request) -> Caller:
        """Who sends a key, else who is signed in; a 401 problem for anybody else, 403 for a form that is not ours."""
        authorization = request.headers.get("authorization")
        if authorization is None and (session := await self.session_of(request)):
            if request.method in WRITES:
                await check_token(request, self.settings, request.cookies[cookie_name(self.settings)])
            return session.caller
        tenant = request.headers.get("x-user-id")
        if tenant is not None and self.is_fleet(request):
            return Caller(tenant, OPERATOR_SCOPES)
        found = await self.keys.find(authorization)
        return Caller(found.user_id, found.scopes, key_prefix=found.prefix)

    async def session_of(self, request: Request) -> Session | None:
        """Who is signed in in this browser; says nothing about whether a form of theirs was sent."""
        cookie = request.cookies.get(cookie_name(self.settings), "")
        return await find_session(self.database, cookie) if cookie else None

    def is_fleet(self, request: Request) -> bool:
        """Whether an operator of the fleet asks, with the fleet's own token."""
        expected = f"Bearer {self.settings.internal_token.get_secret_value()}".encode()
        return hmac.compare_digest(request.headers.get("authorization", "").encode(), expected)

    def source_of(self, request: Request) -> str:
        """The network that the request comes from."""
        peer = request.client.host if request.client else ""
        return source_of(peer, request.headers.get("x-forwarded-for", ""), self.settings.proxies)
