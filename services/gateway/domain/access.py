"""Who asks, and what they may do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from contracts.http.access import Role
from contracts.http.endpoints import SCOPES

_LOOK = frozenset({"read"})
_WORK = _LOOK | {"write", "send"}

ROLE_SCOPES: Mapping[Role, frozenset[str]] = {
    "viewer": _LOOK,
    "marketer": _WORK,
    "approver": _WORK | {"approve"},
    "admin": frozenset(SCOPES),
}


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who works for a tenant."""

    id: UUID
    user_id: str
    """The tenant."""

    email: str = field(repr=False)
    name: str = field(repr=False)
    role: Role


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes a request: a person, an API key, or else an operator of the fleet."""

    user_id: str
    """The tenant."""

    scopes: frozenset[str]
    person: Person | None = None
    key_prefix: str | None = None
    key_name: str | None = field(default=None, repr=False)
    people: frozenset[UUID] = frozenset()
    """Those who can be behind the request: the person, or all who have seen the secret of the key."""

    csrf_token: str | None = field(default=None, repr=False)
    """What a form of the person's session must send back."""

    def allows(self, scope: str) -> bool:
        """Whether the caller has the scope; admin includes everything, write includes read."""
        return scope in self.scopes or "admin" in self.scopes or (scope == "read" and "write" in self.scopes)

    @property
    def title(self) -> str:
        """What to call the caller in an answer to them."""
        return "your role" if self.person else "this key"


def caller_of_person(person: Person, csrf_token: str) -> Caller:
    """A person with what the role allows."""
    return Caller(
        person.user_id, ROLE_SCOPES[person.role], person=person, people=frozenset({person.id}), csrf_token=csrf_token
    )
