"""Signing in and out for scripts of our pages and for other clients with a browser."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from contracts.http.access import InvitationAnswer, PasswordChange, SignIn
from contracts.http.endpoints import BASE
from services.gateway.domain.access import Caller
from services.gateway.domain.sessions import SignInProblem
from services.gateway.handlers.people import require_good_password
from services.gateway.handlers.sessions import accept_invitation, change_password, sign_out
from services.gateway.routes.cookies import check_origin, drop_cookie, put_cookie
from services.gateway.routes.entrance import Entrance
from shared.database import Database
from shared.http import Problem

BAD_LINK = "this link was used already or is too old: ask an admin for a new one"


def session_routes(database: Database, entrance: Entrance) -> APIRouter:
    """One's own session and password."""
    router = APIRouter(prefix=BASE, tags=["session"])
    settings = entrance.settings

    @router.post("/session", status_code=201, summary="Sign in; the session is a cookie")
    async def begin(body: SignIn, request: Request, response: Response) -> dict[str, Any]:
        check_origin(request, settings)
        found = await entrance.sign_in(request, body.email, body.password.get_secret_value())
        if isinstance(found, SignInProblem):
            raise problem_of(found)
        put_cookie(response, settings, found.cookie)
        return {"data": show_caller(found.session.caller)}

    @router.get("/session", summary="Who is asking, and what they may do")
    async def read(request: Request) -> dict[str, Any]:
        return {"data": show_caller(await entrance.caller_of(request))}

    @router.delete("/session", status_code=204, summary="Sign out")
    async def end(request: Request) -> Response:
        await entrance.enter(request, "read")
        response = Response(status_code=204)
        if session := await entrance.session_of(request):
            await sign_out(database, session)
            drop_cookie(response, settings)
        return response

    @router.post("/session/password", status_code=204, summary="Change one's password")
    async def change(body: PasswordChange, request: Request) -> Response:
        await entrance.enter(request, "read")
        session = await entrance.session_of(request)
        if session is None:
            raise Problem(403, "Not allowed", "only a person who is signed in has a password")
        await entrance.limit_passwords(request)
        new = body.new_password.get_secret_value()
        require_good_password("newPassword", new, session.person.email)
        if not await change_password(database, session, body.current_password.get_secret_value(), new):
            raise Problem(422, "Invalid input", errors=[{"field": "currentPassword", "message": "is wrong"}])
        return Response(status_code=204)

    @router.post("/invitations", status_code=204, summary="Set a password by an invitation's link")
    async def accept(body: InvitationAnswer, request: Request) -> Response:
        check_origin(request, settings)
        await entrance.limit_passwords(request)
        if not await accept_invitation(database, body.token, body.password.get_secret_value()):
            raise Problem(422, "Invalid input", errors=[{"field": "token", "message": BAD_LINK}])
        return Response(status_code=204)

    return router


def problem_of(refused: SignInProblem) -> Problem:
    """Why nobody was signed in, as an answer."""
    if refused.retry_after_seconds:
        headers = {"Retry-After": str(refused.retry_after_seconds)}
        return Problem(429, "Too many attempts", refused.reason, headers=headers)
    return Problem(401, "Not signed in", refused.reason)


def show_caller(caller: Caller) -> dict[str, Any]:
    """The caller as the API shows them; `csrfToken` is for the browser that holds the session alone."""
    person = caller.person
    return {
        "userId": caller.user_id,
        "scopes": sorted(caller.scopes),
        "person": person and {"id": str(person.id), "email": person.email, "name": person.name, "role": person.role},
        "keyPrefix": caller.key_prefix,
        "csrfToken": caller.csrf_token,
    }
