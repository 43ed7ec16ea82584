"""People and API keys of a tenant, and what they may do."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, Field, SecretStr, StringConstraints

from contracts.http.endpoints import KEY_SCOPES
from contracts.http.model import NAME_MAX, Model
from contracts.http.patterns import EMAIL_ADDRESS

Role = Literal["viewer", "marketer", "approver", "admin"]
ROLES: tuple[Role, ...] = ("viewer", "marketer", "approver", "admin")
"""viewer: look. marketer: change and send too. approver: also approve what others want to send. admin: everything."""

KeyScope = Literal["read", "write", "send", "admin"]
"""`contracts.http.endpoints.KEY_SCOPES`, as a type."""

PASSWORD_CHARACTERS_MIN = 12
PASSWORD_CHARACTERS_MAX = 200


def _lower(email: str) -> str:
    return email.lower()


EmailAddress = Annotated[
    str,
    StringConstraints(strip_whitespace=True, max_length=254, pattern=EMAIL_ADDRESS),
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


OVERLAP_HOURS = 24
OVERLAP_HOURS_MAX = 168


class KeyWrite(Model):
    """A new API key; without `scopes` it may do everything that a key can."""

    name: Annotated[str, Field(min_length=1, max_length=NAME_MAX)] = "key"
    scopes: Annotated[list[KeyScope], Field(min_length=1, default_factory=lambda: list(KEY_SCOPES))]
    expires_at: AwareDatetime | None = None


class KeyRotation(Model):
    """How long the old secret works beside the new one; 0 ends it at once."""

    overlap_hours: Annotated[int, Field(ge=0, le=OVERLAP_HOURS_MAX)] = OVERLAP_HOURS


class SettingsChange(Model):
    """What is to change in the tenant's settings; null is the default.

    `approvalAbove`: a campaign to more recipients than that is only sent when a second person approves; by default no
    campaign needs it. `requestsPerMinute`: of each key and each session; by default as many as the operator allows.
    `businessName`: as customers read it on the page with their own preferences; by default the user id.
    """

    approval_above: Annotated[int, Field(ge=0, le=1_000_000)] | None = None
    requests_per_minute: Annotated[int, Field(ge=1)] | None = None
    business_name: Annotated[str, StringConstraints(min_length=1, max_length=100, strip_whitespace=True)] | None = None
