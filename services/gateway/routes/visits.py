"""What is known of a request on its way through the gateway."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from uuid import UUID

from fastapi import Request

from services.gateway.domain.access import Caller
from services.gateway.domain.limits import Standing
from shared.ids import new_id
from shared.probes import Scope


@dataclass(slots=True)
class Visit:
    """One request. `request_id` is also told in the answer."""

    request_id: str = field(default_factory=lambda: secrets.token_hex(8))
    caller: Caller | None = None
    """Who asks, once that is known."""

    entry_id: UUID | None = None
    """The entry in the audit log that waits for the outcome."""

    effect_id: UUID = field(default_factory=new_id)
    """By what the effect of the request is known."""

    made_id: str | None = None
    """What the request made."""

    is_repeated: bool = False
    """Whether it has the answer of an earlier one, and nothing was done."""

    standing: Standing | None = None
    """What the caller has left of the limit."""


def begin_visit(scope: Scope) -> Visit:
    """A request comes in."""
    visit: Visit = scope.setdefault("state", {}).setdefault("visit", Visit())
    return visit


def visit_of(request: Request) -> Visit:
    """What is known of this request."""
    return begin_visit(request.scope)
