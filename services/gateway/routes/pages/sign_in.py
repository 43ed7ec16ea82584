"""Signing in and out, the link of an invitation, and one's own account."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from services.gateway.domain.paths import HOME, local_path
from services.gateway.domain.sessions import SignInProblem
from services.gateway.handlers.sessions import sign_out
from services.gateway.routes.cookies import begin_form, check_form, drop_cookie, put_cookie
from services.gateway.routes.pages.desks import AtDesk, Pages, Sent, field_errors, read_form
from shared.http import Problem

PROBLEM_MAX = 200
"""Characters of what an identity provider's visit came to."""

router = APIRouter(prefix=HOME)


def _ask(request: Request, template: str, status: int = 200, **values: object) -> Response:
    """A page with a form for somebody who is not signed in."""
    pages: Pages = request.app.state.pages
    cookies = Response()
    token = begin_form(request, cookies, pages.entrance.settings)
    page = pages.show(
        request,
        template,
        {"csrf_token": token, "provider": bool(pages.entrance.settings.oidc_issuer), **values},
        status,
    )
    page.raw_headers.extend(one for one in cookies.raw_headers if one[0] == b"set-cookie")
    return page


@router.get("/sign-in")
async def ask_for_password(request: Request, next: str = HOME, problem: str = "") -> Response:
    """The form; whoever is signed in goes on."""
    pages: Pages = request.app.state.pages
    if await pages.entrance.session_of(request):
        return _on(local_path(next))
    return _ask(request, "sign_in.html", next=local_path(next), email="", refused=_sentence(problem[:PROBLEM_MAX]))


@router.post("/sign-in")
async def begin(request: Request) -> Response:
    """A new session, or the form again with the reason."""
    pages: Pages = request.app.state.pages
    settings = pages.entrance.settings
    refused = ""
    try:
        await check_form(request, settings)
    except Problem as problem:
        if problem.status != 403:
            raise
        refused = "The form was too old, or your browser keeps no cookies. Please try again."
    form = await read_form(request)
    next_path = local_path(form["next"])
    if refused:
        return _ask(request, "sign_in.html", 403, next=next_path, email=form["email"], refused=refused)
    found = await pages.entrance.sign_in(request, form["email"], form.values.get("password", ""))
    if isinstance(found, SignInProblem):
        status = 429 if found.retry_after_seconds else 401
        refused = _sentence(found.reason)
        return _ask(request, "sign_in.html", status, next=next_path, email=form["email"], refused=refused)
    response = _on(next_path)
    put_cookie(response, settings, found.cookie)
    return response


@router.post("/sign-out")
async def end(desk: AtDesk) -> Response:
    """The session is over, here and on the server."""
    entrance = desk.pages.entrance
    if session := await entrance.session_of(desk.request):
        await sign_out(entrance.database, session)
    response = desk.go(f"{HOME}/sign-in", "You are signed out.")
    drop_cookie(response, entrance.settings)
    return response


@router.get("/invitations/{token}")
async def ask_for_new_password(request: Request, token: str) -> Response:
    """The form by which somebody who was invited sets a password."""
    return _ask(request, "invitation.html", errors={})


@router.post("/invitations/{token}")
async def accept(request: Request, token: str) -> Response:
    """Sets the password, once."""
    pages: Pages = request.app.state.pages
    await check_form(request, pages.entrance.settings)
    form = await read_form(request)
    try:
        body = {"token": token, "password": form.values.get("password", "")}
        await pages.api.ask(request.client, {}, "POST", "/invitations", body=body)
    except Problem as problem:
        return _ask(request, "invitation.html", problem.status, errors=field_errors(problem))
    return pages.go(f"{HOME}/sign-in", "Your password is saved. Sign in with it and your e-mail address.")


@router.get("/account")
async def show_account(desk: AtDesk) -> Response:
    """One's own account."""
    return desk.show("account.html", errors={})


@router.post("/account")
async def change_password(desk: AtDesk, sent: Sent) -> Response:
    """A new password; other browsers are signed out."""
    names = ("currentPassword", "newPassword")
    try:
        await desk.do("POST", "/session/password", {name: sent.values.get(name, "") for name in names})
    except Problem as problem:
        if problem.status != 422:
            raise
        return desk.show("account.html", 422, errors=field_errors(problem))
    return desk.go(f"{HOME}/account", "The password is changed. Other browsers are signed out.")


def _sentence(reason: str) -> str:
    return f"{reason[:1].upper()}{reason[1:]}." if reason else ""


def _on(path: str) -> Response:
    return Response(status_code=303, headers={"location": path})
