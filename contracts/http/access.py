"""People of a tenant, and what they may do."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr, StringConstraints

from contracts.http.model import NAME_MAX, Model

Role = Literal["viewer", "marketer", "approver", "admin"]
ROLES: tuple[Role, ...] = ("viewer", "marketer", "approver", "admin")
"""viewer: look. marketer: change and send too. approver: also approve what others want to send. admin: everything."""

PASSWORD_CHARACTERS_MIN = 12
PASSWORD_CHARACTERS_MAX = 200


def _lower(email: str) -> str:
    return email.lower()


EmailAddress = Annotated[
    str,
    StringConstraints(strip_whitespace=True, max_length=254, pattern=r"^[^\s@]{1,64}@[^\s@]+\.[^\s@.]+$"),
    AfterValidator(_lower),
]
"""Compared without regard to case, so kept in lower case."""

PersonName = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=NAME_MAX)]
NewPassword = Annotated[SecretStr, Field(min_length=PASSWORD_CHARACTERS_MIN, max_length=PASSWORD_CHARACTERS_MAX)]
GivenPassword = Annotated[SecretStr, Field(min_length=1, max_length=PASSWORD_CHARACTERS_MAX)]


class UserWrite(Model):
    """A new person. Without a password the answer holds a link by which the person sets one."""

    email: EmailAddress
    name: PersonName
    role: Role
    password: NewPassword | None = None


class UserChange(Model):
    """What is to change in a person's account; it holds from the next request on."""

    name: PersonName | None = None
    role: Role | None = None
    is_active: bool | None = None


class SignIn(Model):
    """Who wants to sign in."""

    email: EmailAddress
    password: GivenPassword


class PasswordChange(Model):
    """A person's new password. It ends all other sessions of that person."""

    current_password: GivenPassword
    new_password: NewPassword


class InvitationAnswer(Model):
    """The password that somebody sets who was invited; the token is the last part of the link and works once."""

    token: Annotated[str, StringConstraints(min_length=20, max_length=100)]
    password: NewPassword
