"""Passwords, as they are kept and judged."""

from __future__ import annotations

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
"""Argon2id with OWASP's first choice of parameters; memory in KiB. A hash made with others is renewed at sign-in."""

_NOBODYS = HASHER.hash("nobody has this password")

DIFFERENT_CHARACTERS_MIN = 5


def hash_password(password: str) -> str:
    """What is stored. It takes tens of milliseconds of a processor, so call it in a thread."""
    return HASHER.hash(password)


def opens(password_hash: str | None, password: str) -> bool:
    """Whether it is this password. It takes as long for an account without a password or without existence."""
    try:
        return HASHER.verify(password_hash or _NOBODYS, password) and password_hash is not None
    except (VerificationError, InvalidHashError):
        return False


def is_outdated(password_hash: str) -> bool:
    """Whether it was made with other parameters than today's."""
    return HASHER.check_needs_rehash(password_hash)


def password_problem(password: str, email: str) -> str | None:
    """Why a password of allowed length cannot be taken, in words for the person."""
    if len(set(password)) < DIFFERENT_CHARACTERS_MIN:
        return f"must have at least {DIFFERENT_CHARACTERS_MIN} different characters"
    if email.partition("@")[0] in password.lower():
        return "must not contain your e-mail address"
    return None
