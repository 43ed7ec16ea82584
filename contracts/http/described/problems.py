"""Answers that are no success (RFC 9457)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from contracts.http.described.words import Shown


class FieldProblem(Shown):
    """What is wrong with one field, and what to change."""

    field: str
    message: str


class Problem(Shown):
    """Why a request was not done, and what to change. `errors` has an entry for each wrong field."""

    type: str
    title: str
    status: int
    detail: str | None = None
    errors: list[FieldProblem] | None = None


PROBLEMS: Mapping[int, str] = MappingProxyType(
    {
        400: "The body is not JSON, or is not encoded as it says.",
        401: "Nobody is signed in: no key or session, or one that is over.",
        403: "The key or the person may not do this.",
        404: "There is no such thing; whoever asks for another tenant's is told the same.",
        409: "Not possible in this state, or the same Idempotency-Key is still being worked on.",
        412: "The campaign is not what it was when this was asked for.",
        413: "The body is too large.",
        415: "The body is not said to be JSON (`Content-Type: application/json`).",
        422: "Something in the request is wrong; `errors` names the fields.",
        429: "Too many requests; `Retry-After` says when to come again.",
        503: "Temporarily unavailable; `Retry-After` says when to come again.",
    }
)
