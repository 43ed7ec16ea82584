"""What people see when a page cannot be shown: what happened, and what to do next."""

from __future__ import annotations

from urllib.parse import quote

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from starlette.exceptions import HTTPException

from services.gateway.routes.pages.desks import Pages
from shared.errors import is_transient
from shared.http import Problem, fault, field_errors
from shared.logs import logger

SIGN_IN = "/notification/sign-in"
SAFE_METHODS = ("GET", "HEAD")

_TITLES = {
    403: "You may not see this",
    404: "This page does not exist",
    405: "This cannot be done here",
    409: "Not possible now",
    413: "Too large",
    422: "Something in the address or form is wrong",
    429: "Too many requests",
    500: "Something went wrong on our side",
    503: "Temporarily unavailable",
}
_ADVICE = {
    403: "Your role does not include it. An administrator can change that.",
    404: "It may have been deleted, or the address is mistyped.",
    405: "Go back and try again from the page that you came from.",
    429: "Wait a moment, then load the page again.",
    500: "Load the page again; nothing that you sent was lost unless a page said so.",
    503: "A part of the system is not answering. Campaigns that are under way go on. Load the page again shortly.",
}


def answer_with_pages(app: FastAPI) -> None:
    """Makes every failure of the app a page in the look of all others."""

    def page(request: Request, problem: Problem) -> Response:
        if problem.status == 401:
            return RedirectResponse(f"{SIGN_IN}?next={quote(_back(request))}", 303)
        pages: Pages = request.app.state.pages
        title = _TITLES.get(problem.status, problem.title)
        values = {"title": title, "advice": _ADVICE.get(problem.status), "problem": problem}
        response = pages.show(request, "problem.html", values, problem.status)
        response.headers.update(problem.headers)
        return response

    @app.exception_handler(Problem)
    async def on_problem(request: Request, problem: Problem) -> Response:
        return page(request, problem)

    @app.exception_handler(RequestValidationError)
    async def on_invalid(request: Request, error: RequestValidationError) -> Response:
        in_path = any(entry["loc"][0] == "path" for entry in error.errors())
        return page(request, Problem(404 if in_path else 422, "Invalid input", errors=field_errors(error)))

    @app.exception_handler(HTTPException)
    async def on_http(request: Request, error: HTTPException) -> Response:
        return page(request, Problem(error.status_code, str(error.detail), headers=error.headers))

    @app.exception_handler(Exception)
    async def on_failure(request: Request, error: Exception) -> Response:
        if is_transient(error):
            logger().warning("page_unavailable", error=type(error).__name__)
            return page(request, Problem(503, "Temporarily unavailable"))
        return page(request, fault())


def _back(request: Request) -> str:
    """Where to go after signing in: back, unless that would repeat what a form did."""
    if request.method not in SAFE_METHODS:
        return "/notification"
    query = request.url.query
    return request.url.path + (f"?{query}" if query else "")
