"""People, sessions and keys as the API shows them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from contracts.http.access import KeyScope, Role
from contracts.http.described.words import CampaignType, Id, Shown, Time

EXAMPLE_EMAIL = "ada@example.com"
EXAMPLE_PASSWORD = "correct horse battery staple"  # noqa: S105
USER = {"email": EXAMPLE_EMAIL, "name": "Ada", "role": "marketer"}


class Invitation(Shown):
    """A link by which a person sets a password; it is shown once and works once."""

    url: str
    expires_at: Time


class User(Shown):
    """A person of the tenant."""

    id: Id
    user_id: Annotated[str, Field(description="The tenant.")]
    email: str
    name: str
    role: Role
    is_active: bool
    has_password: bool
    created_at: Time
    updated_at: Time
    last_sign_in_at: Time | None


class NewUser(User):
    """A person who was just added, with an invitation where no password was given."""

    invitation: Invitation | None = None


class Session(Shown):
    """Who is asking, and what they may do."""

    user_id: str
    scopes: list[str]
    person: dict[str, Any] | None
    key_prefix: str | None
    csrf_token: Annotated[str | None, Field(description="For the browser that holds the session.")]


class ApiKey(Shown):
    """A key, without its secret."""

    id: Id
    user_id: str
    name: str
    prefix: Annotated[str, Field(description="How the key begins.")]
    scopes: list[KeyScope]
    created_at: Time
    expires_at: Time | None
    revoked_at: Time | None
    last_used_at: Time | None
    previous_until: Annotated[Time | None, Field(description="Until then the secret of before works too.")]


class NewApiKey(ApiKey):
    """A key with its secret, which is shown this once."""

    api_key: str


class Settings(Shown):
    """What holds for the tenant."""

    approval_above: Annotated[int | None, Field(description="Campaigns to more recipients need a second person.")]
    requests_per_minute: Annotated[int, Field(description="Of each key and each session.")]
    business_name: Annotated[str | None, Field(description="As customers read it on their own page.")]


AUDIT_STATUS = """Of the answer; null while it goes on, or after a crash. 208: nothing was done, because an earlier
answer was repeated."""


class AuditEntry(Shown):
    """Who did what. Without a status it still goes on, or a crash cut it off."""

    id: Id
    at: Time
    actor: dict[str, Any]
    action: str
    resource_type: str | None
    resource_id: str | None
    source: str
    request_id: Annotated[str, Field(description="`X-Request-Id` of the answer.")]
    status: Annotated[int | None, Field(description=AUDIT_STATUS)]


class RevealedPhoneNumber(Shown):
    """A phone number in full."""

    customer_id: str | None
    phone_number: str | None


class RevealedDeviceToken(Shown):
    """A device in full."""

    customer_id: str | None
    device_token: str | None


REVEALED: dict[str, type[Shown]] = {"sms": RevealedPhoneNumber, "push": RevealedDeviceToken}


class DeadLetter(Shown):
    """A request of yours on Kafka that could not be processed. `place` is where it stood in the topic."""

    id: str
    at: Time
    topic: str
    place: str
    service: Annotated[str, Field(description="Who could not process it.")]
    reason: str


class DeadLetterRead(DeadLetter):
    """The same, with what to do about it, and what it holds: no addresses, no texts."""

    bytes: int
    contents: Annotated[dict[str, str] | None, Field(description="Null for what is no JSON object, or too long.")]
    advice: str


class Approval(Shown):
    """A command that needs, or needed, a second person. `size` is how many people it reached at most when asked for."""

    id: Id
    channel: CampaignType
    campaign_id: Id
    action: Literal["send", "schedule"]
    scheduled_send_time: Time | None
    size: int
    state: str
    requested_at: Time
    requested_by: dict[str, Any]
    decided_at: Time | None
    decided_by: dict[str, Any] | None
    ended_at: Time | None
    reason: str | None


class Waiting(Shown):
    """What was not done, because somebody else has to agree."""

    approval: Approval
