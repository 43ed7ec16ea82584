"""Requests to send to single people."""

from __future__ import annotations

from uuid import UUID

import msgspec

from contracts import topics
from contracts.events import Content, SendRequested
from contracts.http.sending import SendMessage, SendWrite
from shared.codec import now
from shared.database import Connection
from shared.http import Problem
from shared.ids import new_id
from shared.outbox import Outgoing, put


async def request_sends(
    connection: Connection, user_id: str, body: SendWrite, test_of: UUID | None = None
) -> list[dict[str, str]]:
    """Publishes one `SendRequested` per message, each of which has its request id, of a test where it is one; returns
    the ids in order.

    A 422 problem for different messages by one request id, of which only the first would be sent.
    """
    _refuse_shared_ids(body)
    records, shown = [], []
    for message in body.messages:
        assert message.request_id is not None
        content = None
        if message.content is not None:
            content = msgspec.convert(message.content.model_dump(by_alias=True), Content)
        event = SendRequested(
            event_id=new_id(),
            occurred_at=now(),
            user_id=user_id,
            request_id=message.request_id,
            channel=message.channel,
            customer_id=message.customer_id,
            address=message.address,
            template_id=message.template_id,
            content=content,
            variables=message.variables,
            category=message.category,
            provider_id=message.provider_id,
            expires_at=message.expires_at,
            test_of=test_of,
        )
        records.append(Outgoing(topics.SEND_REQUESTS, user_id, event))
        shown.append({"requestId": message.request_id, "status": "accepted"})
    await put(connection, records)
    return shown


def _refuse_shared_ids(body: SendWrite) -> None:
    first: dict[str, tuple[int, SendMessage]] = {}
    errors = []
    for number, message in enumerate(body.messages):
        if message.request_id is None:
            continue
        place, same = first.setdefault(message.request_id, (number, message))
        if same != message:
            told = f"is that of messages.{place}, which is another message: give each its own"
            errors.append({"field": f"messages.{number}.requestId", "message": told})
    if errors:
        raise Problem(422, "Invalid input", errors=errors)
