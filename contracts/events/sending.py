"""What internal services say to us: the public request to send."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from contracts.events.campaigns import Content
from contracts.events.event import Event


class SendRequested(Event, frozen=True, kw_only=True):
    """One message to one person. `request_id` is the idempotency key, unique per `user_id`.

    Either `customer_id` or `address` says to whom; either `template_id` or `content` says what. A code that is
    worthless later carries `expires_at`. `test_of` marks a test of a campaign, which is not counted in it.
    """

    user_id: str
    request_id: str
    channel: str
    customer_id: str | None = None
    address: str | None = None
    template_id: UUID | None = None
    content: Content | None = None
    variables: dict[str, str] | None = None
    category: str = "transactional"
    provider_id: UUID | None = None
    expires_at: datetime | None = None
    test_of: UUID | None = None
