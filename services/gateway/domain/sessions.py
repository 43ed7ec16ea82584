"""Sessions: what the browser holds, what is stored, and what a form must send back."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import blake2b, sha256

from services.gateway.domain.access import Caller, Person, caller_of_person

TOKEN_BYTES = 32
TOKEN_CHARACTERS_MAX = 100


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """A session ends when it was not used for `idle`, and after `absolute` in any case."""

    idle: timedelta
    absolute: timedelta


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody who is signed in."""

    id_hash: bytes = field(repr=False)
    person: Person
    csrf_token: str = field(repr=False)

    @property
    def caller(self) -> Caller:
        """The person as whoever makes a request."""
        return caller_of_person(self.person, self.csrf_token)


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A new session; `cookie` is shown to the browser alone."""

    cookie: str = field(repr=False)
    session: Session


@dataclass(frozen=True, slots=True)
class SignInProblem:
    """Why nobody was signed in, in words that do not tell whether the account exists."""

    reason: str
    retry_after_seconds: int = 0
    email: str = field(default="", repr=False)
    """Whose account was tried, where that was looked at; there may be none."""

    locks: bool = False
    """Whether further attempts have to wait because of this one."""


def make_token() -> str:
    """A secret for a cookie or a link."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def hash_token(token: str) -> bytes:
    """What is stored of it: it is random and long, so a plain hash keeps it."""
    return sha256(token.encode()).digest()


def csrf_token_of(cookie: str) -> str:
    """What a form must send back: only a page that we made for the holder of the cookie knows it."""
    return blake2b(cookie.encode(), person=b"csrf", digest_size=24).hexdigest()


def is_csrf_token(cookie: str, given: str) -> bool:
    """Whether the form was made for the holder of the cookie."""
    return hmac.compare_digest(csrf_token_of(cookie).encode(), given.encode())
