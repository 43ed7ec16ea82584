"""A person's own preferences: the link says who it is, the audience service what they have chosen."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from contracts.http.own_preferences import OwnPreferences
from services.gateway.handlers.owners import Owners
from services.gateway.store.answers import Answer
from shared.http import Problem
from shared.links import Named

TRANSACTIONAL = "transactional"


@dataclass(frozen=True, slots=True)
class Visitor:
    """Whom the message was for in which the link stood."""

    user_id: str
    channel: str
    address: str = field(repr=False)
    customer_id: str | None
    category: str

    @property
    def unsubscribing(self) -> dict[str, bool]:
        """What ends the kind of messages that the link stood in."""
        is_transactional = self.category == TRANSACTIONAL
        return {"transactionalOptedIn" if is_transactional else "marketingOptedIn": False}


async def find_visitor(owners: Owners, named: Named) -> Visitor | None:
    """Who holds the link; None where its message is not known any more."""
    target = f"/internal/addressees/{named.channel}/{named.recipient_id}"
    answer = await owners.ask("dispatcher", "GET", target, "fleet", {}, b"")
    if answer.status == 404:
        return None
    found = _data(answer)
    return Visitor(found["userId"], named.channel, found["address"], found["customerId"], found["category"])


async def ask_preferences(
    owners: Owners,
    visitor: Visitor,
    flags: Mapping[str, bool] | None = None,
    topics: Mapping[str, Sequence[str]] | None = None,
) -> OwnPreferences:
    """What the visitor has chosen, after the change if there is one."""
    whom = {"channel": visitor.channel, "address": visitor.address, "customerId": visitor.customer_id}
    body = json.dumps(whom | {"flags": flags or {}, "topics": topics or {}}).encode()
    headers = {"content-type": "application/json"}
    answer = await owners.ask("audience", "POST", "/internal/own-preferences", visitor.user_id, headers, body)
    return OwnPreferences.model_validate(_data(answer))


def _data(answer: Answer) -> Any:
    if answer.status == 422:
        raise Problem(422, "Invalid input", "what was sent is not what the page sends; open it again")
    if answer.status != 200:
        raise Problem(503, "Temporarily unavailable", "try again shortly", headers={"Retry-After": "2"})
    return json.loads(answer.body)["data"]
