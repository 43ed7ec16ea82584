"""What the audit log says of a request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from contracts.http.endpoints import BASE
from services.gateway.domain.access import Caller, Person

ActorKind = Literal["person", "key", "operator", "unknown"]
"""`unknown` is somebody who claims to be the person that is named."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who did it. The name is kept, so that it can be read when the account is gone."""

    user_id: str
    kind: ActorKind
    id: str | None = None
    name: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Deed:
    """What was done to what."""

    action: str
    resource_type: str | None = None
    resource_id: str | None = None


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the request came from: a shortened address, and the id that its answer carries."""

    source: str
    request_id: str


def actor_of(caller: Caller) -> Actor:
    """The caller as the log names them."""
    if caller.person is not None:
        return actor_of_person(caller.person)
    if caller.key_prefix is not None:
        return Actor(caller.user_id, "key", caller.key_prefix, caller.key_name)
    return Actor(caller.user_id, "operator")


def actor_of_person(person: Person) -> Actor:
    """The person as the log names them."""
    return Actor(person.user_id, "person", str(person.id), person.email)


def deed_of(method: str, template: str, parameters: Mapping[str, Any]) -> Deed:
    """A request by the template of its path: what stands before the first parameter is the type of the resource."""
    path = template.removeprefix(BASE)
    kind, _, rest = path.partition("{")
    first = parameters.get(rest.partition("}")[0]) if rest else None
    return Deed(f"{method} {path}", kind.strip("/"), None if first is None else str(first))
