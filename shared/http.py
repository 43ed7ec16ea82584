"""HTTP inside the fleet: who is asking, and answers that say what to change (RFC 9457)."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, TypeVar
from uuid import UUID

from fastapi import Depends, FastAPI, Header, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException

from contracts.http.described.words import EXAMPLE_TIME
from contracts.http.model import is_storable
from contracts.http.patterns import PATTERN_WORDS
from shared.database import ask_for
from shared.errors import is_transient
from shared.ids import new_id
from shared.logs import begin_request, current_request_id, logger
from shared.probes import AsgiApp, Receive, Scope, Send

RETRY_AFTER_SECONDS = 2

EFFECT_ID = "X-Effect-Id"
"""How the gateway tells a service by which id it is to make something, so that it is made once."""

REQUEST_ID = b"x-request-id"
"""How the gateway tells a service, and whoever asked, what the log calls the request."""

Row = TypeVar("Row")
Shape = TypeVar("Shape", bound=BaseModel)


class Problem(Exception):
    """An answer that is not a success. `errors` names fields: `[{"field": "title", "message": "…"}]`."""

    def __init__(
        self,
        status: int,
        title: str,
        detail: str | None = None,
        errors: Sequence[Mapping[str, str]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(title)
        self.status = status
        self.title = title
        self.detail = detail
        self.errors = list(errors)
        self.headers = dict(headers or {})


def problem_response(problem: Problem) -> Response:
    """The problem as `application/problem+json`. What UTF-8 cannot hold of what it quotes is shown as `?`."""
    body: dict[str, Any] = {"type": "about:blank", "title": problem.title, "status": problem.status}
    if problem.detail:
        body["detail"] = problem.detail
    if problem.errors:
        body["errors"] = [dict(error) for error in problem.errors]
    content = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
    return Response(content, problem.status, problem.headers, media_type="application/problem+json")


def not_json(where: str) -> Problem:
    """The answer to a body that cannot be read at all; one that can be, but is wrong, gets 422."""
    return Problem(400, "The body is not JSON", where)


def fault() -> Problem:
    """The answer to a bug; its detail is what our log can be searched for."""
    request_id = current_request_id()
    named = f" as request {request_id}" if request_id else ""
    return Problem(500, "Internal error", f"this is a fault of ours and is in our log{named}")


def not_json_type() -> Problem:
    """The answer to a body that does not say that it is JSON."""
    return Problem(415, "Unsupported media type", "send the body with Content-Type: application/json")


def invalid(error: RequestValidationError | ValidationError) -> Problem:
    """The answer to what was sent."""
    for entry in error.errors():
        if entry["loc"] == ("body",) and isinstance(entry["input"], bytes):
            return not_json_type()
        if entry["loc"] == ("body",) and entry["type"] == "missing":
            return not_json("there is no body")
        if entry["type"] == "json_invalid":
            place = f", at character {entry['loc'][-1]}" if entry["loc"] else ""
            return not_json(f"{entry['ctx']['error']}{place}")
    return Problem(422, "Invalid input", errors=field_errors(error))


def field_errors(error: RequestValidationError | ValidationError) -> list[dict[str, str]]:
    """The fields that are wrong, by path, without the values that were sent."""
    found = []
    for entry in error.errors():
        path = [str(part) for part in entry["loc"] if part not in ("body", "query", "path")]
        found.append({"field": ".".join(path), "message": _said(entry)})
    return found


_TIME = f"must be a time such as {EXAMPLE_TIME}"
_WORDS = {
    "missing": "is required",
    "extra_forbidden": "is not known here",
    "datetime_from_date_parsing": _TIME,
    "datetime_object_invalid": _TIME,
    "datetime_parsing": _TIME,
    "datetime_type": _TIME,
    "timezone_aware": f"must name its time zone: {EXAMPLE_TIME} is in UTC",
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "dict_type": "must be an object",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "int_from_float": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
    "enum": "must be {expected}",
    "finite_number": "must be a finite number",
    "float_parsing_size": "must not be so large",
    "int_parsing_size": "must not be so large",
    "list_type": "must be a list",
    "model_attributes_type": "must be an object",
    "model_type": "must be an object",
    "string_type": "must be text",
    "uuid_parsing": "must be an id, such as a list shows it",
    "uuid_type": "must be an id, such as a list shows it",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "literal_error": "must be {expected}",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
    "too_short": "must have at least {min_length} {things}",
    "too_long": "must have at most {max_length} {things}",
}
"""What people are told, by pydantic's type of error; its own message for the others."""


def _said(entry: Mapping[str, Any]) -> str:
    limits = entry.get("ctx", {})
    words = PATTERN_WORDS.get(limits.get("pattern", "")) or _WORDS.get(entry["type"])
    if words is None:
        return str(entry["msg"]).removeprefix("Value error, ")
    things = "characters" if limits.get("field_type") == "Value" else "entries"
    return words.format(**limits, things=things).replace("at least 1 characters", "at least 1 character")


def read_shape(shape: type[Shape], body: bytes) -> Shape:
    """The body as what it is to be; a 400 problem for what is no JSON, 422 for what is wrong in it."""
    try:
        return shape.model_validate_json(body)
    except ValidationError as error:
        raise invalid(error) from None


def answer_problems(app: FastAPI) -> None:
    """Makes every failure of the app a problem document; none shows a stack trace or what was sent."""

    @app.exception_handler(Problem)
    async def on_problem(_request: Request, problem: Problem) -> Response:
        return problem_response(problem)

    @app.exception_handler(RequestValidationError)
    async def on_invalid(_request: Request, error: RequestValidationError) -> Response:
        return problem_response(invalid(error))

    @app.exception_handler(HTTPException)
    async def on_http(_request: Request, error: HTTPException) -> Response:
        if isinstance(error.__cause__, Problem):
            return problem_response(error.__cause__)
        if error.status_code == 400 and error.__cause__ is not None:
            return problem_response(not_json(str(error.__cause__)))
        return problem_response(Problem(error.status_code, str(error.detail), headers=error.headers))

    @app.exception_handler(Exception)
    async def on_failure(request: Request, error: Exception) -> Response:
        if is_transient(error):
            logger().warning("request_unavailable", path=request.scope["route"].path, error=type(error).__name__)
            retry = {"Retry-After": str(RETRY_AFTER_SECONDS)}
            return problem_response(Problem(503, "Temporarily unavailable", "try again shortly", headers=retry))
        return problem_response(fault())


def internal_app(service: str) -> FastAPI:
    """An app for routes that only the fleet may call; guard it with `only_with_token`."""
    app = FastAPI(title=service, openapi_url=None, docs_url=None, redoc_url=None)
    answer_problems(app)
    return app


def only_with_token(app: AsgiApp, token: str) -> AsgiApp:
    """The app behind `Authorization: Bearer <INTERNAL_TOKEN>`."""
    expected = f"Bearer {token}".encode()

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"]) if scope["type"] == "http" else {}
        if hmac.compare_digest(headers.get(b"authorization", b""), expected):
            if request_id := headers.get(REQUEST_ID):
                begin_request(request_id.decode("latin-1"))
            await app(scope, receive, send)
            return
        body = json.dumps({"type": "about:blank", "title": "Not for you", "status": 401}).encode()
        start = [(b"content-type", b"application/problem+json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 401, "headers": start})
        await send({"type": "http.response.body", "body": body})

    return guarded


async def _current_user(x_user_id: Annotated[str, Header(min_length=1, max_length=100)]) -> str:
    ask_for(x_user_id)
    return x_user_id


CurrentUser = Annotated[str, Depends(_current_user)]
"""The tenant on whose behalf the gateway asks; a route that does not take it sees no rows."""


def _effect_id(effect_id: Annotated[UUID | None, Header(alias=EFFECT_ID, include_in_schema=False)] = None) -> UUID:
    return effect_id or new_id()


EffectId = Annotated[UUID, Depends(_effect_id)]
"""The id of what a route makes. Where it is there already, a request is repeated of which nobody knows the outcome."""

NAMED_MAX = 10
"""Of ids in the text of a problem."""


def name_some(ids: Sequence[UUID]) -> str:
    """The ids as words, of which one more than `NAMED_MAX` was looked for."""
    named = ", ".join(map(str, ids[:NAMED_MAX]))
    return f"{named} and others" if len(ids) > NAMED_MAX else named


LIMIT_MAX = 1_000
"""Of entries on a page of lists that are in order of their ids."""

Limit = Annotated[int, Query(ge=1, le=LIMIT_MAX)]


def page(data: Sequence[Any], next_cursor: str | None) -> dict[str, Any]:
    """The envelope of a list."""
    return {"data": list(data), "nextCursor": next_cursor}


def page_by_id(found: Sequence[Row], limit: int, show: Callable[[Row], dict[str, Any]]) -> dict[str, Any]:
    """A page of what was found, where one more than the limit was looked for; each is shown with its `id`."""
    shown = [show(one) for one in found[:limit]]
    return page(shown, cursor_of(UUID(str(shown[-1]["id"]))) if len(found) > limit else None)


def cursor_of(after: UUID) -> str:
    """The cursor of a list whose last shown id is `after`."""
    return base64.urlsafe_b64encode(after.bytes).decode().rstrip("=")


def read_cursor(cursor: str | None) -> UUID | None:
    """The id that a cursor stands for; a 422 problem for anything that is not one of ours."""
    if cursor is None:
        return None
    try:
        return UUID(bytes=base64.urlsafe_b64decode(cursor + "=="))
    except ValueError:
        raise Problem(422, "Invalid input", errors=[{"field": "cursor", "message": "is not one of ours"}]) from None


def keyset_cursor(*keys: str) -> str:
    """The cursor of a list whose last shown row has these sort keys."""
    return base64.urlsafe_b64encode(json.dumps(keys).encode()).decode().rstrip("=")


def read_keyset(cursor: str, *readers: Callable[[str], Any]) -> tuple[Any, ...]:
    """The sort keys in a cursor, each as its reader makes it; a 422 problem for anything that is not one of ours."""
    try:
        keys = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if not all(is_storable(key) for key in keys):
            raise ValueError
        return tuple(read(key) for read, key in zip(readers, keys, strict=True))
    except (ValueError, TypeError, AttributeError, RecursionError):
        raise Problem(422, "Invalid input", errors=[{"field": "cursor", "message": "is not one of ours"}]) from None
