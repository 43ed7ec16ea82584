"""Who makes a request, whether they may, how often, and what they are about to do."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from fastapi import Request

from contracts.http.endpoints import QUESTIONS, SCOPES
from services.gateway.domain.access import Caller
from services.gateway.domain.addresses import shown, source_of
from services.gateway.domain.audit import Deed, Origin, actor_of, actor_of_person, deed_of
from services.gateway.domain.limits import Rate
from services.gateway.domain.sessions import Session, SignedIn, SignInProblem
from services.gateway.handlers.audit import begin_deed, record_deed, record_refused_sign_in
from services.gateway.handlers.keys import Keys
from services.gateway.handlers.limits import Limits
from services.gateway.handlers.sessions import find_session, sign_in
from services.gateway.handlers.tenants import Tenants
from services.gateway.routes.cookies import check_token, cookie_name
from services.gateway.routes.messages import WRITES, refuse_nul, refuse_unknown_filters
from services.gateway.routes.visits import visit_of
from services.gateway.settings import GatewaySettings
from shared.database import Database, ask_for
from shared.http import Problem

OPERATOR_SCOPES = frozenset(SCOPES)


@dataclass(frozen=True, slots=True)
class Entrance:
    """The one way in, for the API and for pages."""

    database: Database
    keys: Keys
    tenants: Tenants
    limits: Limits
    settings: GatewaySettings

    async def enter(self, request: Request, scope: str) -> Caller:
        """The caller, if they may; a 401 or 403 problem else. The tenant that a query names must be their own.

        A 422 problem for a parameter that the list does not have.
        """
        caller = await self.caller_of(request)
        if not caller.allows(scope):
            raise Problem(403, "Not allowed", f"{caller.title} has no scope {scope}")
        named = request.query_params.get("userId")
        if named is not None and named != caller.user_id:
            raise Problem(403, "Not allowed", "userId must be your own, or be left out")
        refuse_unknown_filters(request)
        return caller

    async def caller_of(self, request: Request) -> Caller:
        """Who asks, counted against their limit and, for what may change something, written down in the audit log.

        A 401 problem for nobody, 403 for a form that is not ours, 429 beyond the limit.
        """
        visit = visit_of(request)
        if visit.caller is None:
            visit.caller = await self._admit(request)
        return visit.caller

    async def _admit(self, request: Request) -> Caller:
        refuse_nul(request)
        caller, subject = await self._identify(request)
        ask_for(caller.user_id)
        tenant = await self.tenants.recent(caller.user_id)
        await self._count(request, subject, tenant.requests_per_minute or self.settings.requests_per_minute)
        if request.method in WRITES:
            if caller.csrf_token is not None:
                await check_token(request, self.settings, request.cookies[cookie_name(self.settings)])
            path = request.scope["route"].path
            if path not in QUESTIONS:
                deed = deed_of(request.method, path, request.path_params)
                visit = visit_of(request)
                visit.entry_id = await begin_deed(self.database, actor_of(caller), deed, self.origin_of(request))
        return caller

    async def sign_in(self, request: Request, email: str, password: str) -> SignedIn | SignInProblem:
        """A new session for the right password; a 429 problem for an address from which too many try."""
        source, limits = self.source_of(request), self.settings.session_limits
        return await self.attempt_sign_in(request, lambda: sign_in(self.database, limits, email, password, source))

    async def limit_passwords(self, request: Request) -> None:
        """A 429 problem for an address that sends more passwords, right or wrong, than are looked at."""
        await self._count(request, f"sign-in {self.source_of(request)}", self.settings.sign_ins_per_minute)

    async def attempt_sign_in(
        self, request: Request, attempt: Callable[[], Awaitable[SignedIn | SignInProblem]]
    ) -> SignedIn | SignInProblem:
        """The same for another way to sign in. Whether or not it goes well, it is written down."""
        await self.limit_passwords(request)
        found = await attempt()
        if isinstance(found, SignedIn):
            actor = actor_of_person(found.session.person)
            await record_deed(self.database, actor, Deed("sign in", "session"), self.origin_of(request))
        else:
            await record_refused_sign_in(self.database, found, self.origin_of(request))
        return found

    async def limit(self, request: Request, subject: str, per_minute: int) -> None:
        """Counts a request that no caller makes; a 429 problem beyond the limit of its subject."""
        await self._count(request, subject, per_minute)

    async def note(self, request: Request, caller: Caller, deed: Deed) -> None:
        """Writes down what a caller did by only looking, such as `Deed("show address", "customers", id)`."""
        await record_deed(self.database, actor_of(caller), deed, self.origin_of(request))

    async def session_of(self, request: Request) -> Session | None:
        """Who is signed in in this browser; says nothing about whether a form of theirs was sent."""
        cookie = request.cookies.get(cookie_name(self.settings), "")
        return await find_session(self.database, cookie) if cookie else None

    async def session_for_page(self, request: Request) -> Session:
        """Who looks at a page or sent its form; a 401 problem for nobody, 403 for a form that is not ours.

        It is neither counted nor written down: what a page asks the API is.
        """
        session = await self.session_of(request)
        if session is None:
            raise Problem(401, "Not signed in")
        if request.method in WRITES:
            await check_token(request, self.settings, request.cookies[cookie_name(self.settings)])
        return session

    def is_fleet(self, request: Request) -> bool:
        """Whether an operator of the fleet asks, with the fleet's own token."""
        expected = f"Bearer {self.settings.internal_token.get_secret_value()}".encode()
        return hmac.compare_digest(request.headers.get("authorization", "").encode(), expected)

    def source_of(self, request: Request) -> str:
        """The network that the request comes from."""
        peer = request.client.host if request.client else ""
        return source_of(peer, request.headers.get("x-forwarded-for", ""), self.settings.proxies)

    def origin_of(self, request: Request) -> Origin:
        """The same as it is kept."""
        return Origin(shown(self.source_of(request)), visit_of(request).request_id)

    async def _identify(self, request: Request) -> tuple[Caller, str]:
        """The caller, and whose limit the request counts against."""
        authorization = request.headers.get("authorization")
        if authorization is None and (session := await self.session_of(request)):
            return session.caller, f"session {session.id_hash.hex()}"
        tenant = request.headers.get("x-user-id")
        if tenant is not None and self.is_fleet(request):
            return Caller(tenant, OPERATOR_SCOPES), f"operator {tenant}"
        nobody = f"nobody {self.source_of(request)}"
        if self.keys.is_recent(authorization) or not self.limits.is_empty(nobody):
            key = await self.keys.find(authorization)
            if key is not None:
                people = frozenset(key.holders)
                caller = Caller(key.user_id, frozenset(key.scopes), None, key.prefix, key.name, people)
                return caller, f"key {key.prefix}"
        await self._count(request, nobody, self.settings.refusals_per_minute)
        detail = "send Authorization: Bearer <api key>, with a key that is neither revoked nor expired"
        raise Problem(401, "Not signed in", detail, headers={"WWW-Authenticate": "Bearer"})

    async def _count(self, request: Request, subject: str, per_minute: int) -> None:
        standing = await self.limits.count(subject, Rate(per_minute))
        visit_of(request).standing = standing
        if standing.wait_seconds:
            detail = f"at most {per_minute} requests a minute; try again in {standing.wait_seconds} seconds"
            raise Problem(429, "Too many requests", detail, headers={"Retry-After": str(standing.wait_seconds)})
