"""Nobody puts a masked address together by asking for people who have this part of it and that, unseen."""

from __future__ import annotations

from typing import Any

import msgspec
from fastapi import Request

from contracts.channels import CHANNELS
from contracts.http.endpoints import BASE
from services.gateway.domain.access import Caller
from services.gateway.domain.audit import Deed
from services.gateway.domain.guessing import tells_addresses
from services.gateway.routes.entrance import Entrance
from services.gateway.routes.messages import target_of
from shared.http import Problem

SEARCH = f"{BASE}/customers"
FILTERED = frozenset(
    (
        f"{BASE}/audience/preview",
        *(f"{BASE}/{name}/campaigns{part}" for name in CHANNELS for part in ("", "/{id}")),
    )
)
"""Where a filter is sent: its count tells something at once, that of a campaign by its forecast and by who is in."""

DEED = Deed("find by address", "customers")


def guarded_target(request: Request, caller: Caller) -> str:
    """Where the owner is asked. A search of customers by a person finds phone numbers that were typed as a whole."""
    target = target_of(request)
    if caller.person is None or request.method != "GET" or request.scope["route"].path != SEARCH:
        return target
    return f"{target}{'&' if '?' in target else '?'}wholeNumbers=true"


async def check_guess(entrance: Entrance, request: Request, caller: Caller, body: bytes) -> None:
    """A 403 problem for a person who sees addresses in part and asks for people by parts of one. Those who may see one
    in full may do that, and it is written down."""
    if caller.person is None or request.scope["route"].path not in FILTERED or not tells_addresses(_filter_in(body)):
        return
    if not caller.allows("write"):
        raise Problem(
            403,
            "Not allowed",
            "your role sees addresses in part only: a filter may name one whole phone number with eq, or use exists",
        )
    await entrance.note(request, caller, DEED)


def _filter_in(body: bytes) -> Any:
    """The filter that is asked about, as its reader finds it; None in what is none."""
    try:
        asked = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return None
    return asked.get("audienceFilter", asked.get("filter")) if isinstance(asked, dict) else None
