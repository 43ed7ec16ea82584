"""Send requests become lots of the transactional lane, each request once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from contracts import topics
from contracts.channels import CHANNELS, Channel
from contracts.content import ContentError
from contracts.events import LotResolved, Recipient, SendRequested
from services.audience import metrics
from services.audience.domain.additions import read_address
from services.audience.domain.consent import ALL
from services.audience.domain.lots import variables_of
from services.audience.store import preferences, requests
from services.audience.tables import REACHES
from shared.codec import now
from shared.database import Connection, Database
from shared.errors import Rejected
from shared.ids import new_id, new_ids
from shared.outbox import Outgoing, put

LANE = "transactional"

NOWHERE: dict[str, str | None] = {"": None}
"""The address of somebody who has none."""


@dataclass(slots=True)
class Request:
    """A request, and what was found out about whom it means."""

    event: SendRequested
    campaign_id: UUID
    addresses: dict[str, str | None]
    """With the type of the device."""
    values: dict[str, str] = field(default_factory=dict)
    name: str | None = None
    excluded: str | None = None


async def on_send_requested(database: Database, events: Sequence[SendRequested]) -> None:
    """Resolves who is meant and whether they may be written to.

    Unusable requests (unknown channel or customer, invalid address, nothing to send) are rejected. A request that
    may not be sent becomes a lot that is skipped for the reason.
    """
    wanted = [read_request(event) for event in events]
    async with database.transaction() as connection:
        fresh_ids = await requests.insert_requests(
            connection, [(r.event.user_id, r.event.request_id, r.campaign_id, r.event.test_of) for r in wanted]
        )
        fresh = [request for request in wanted if request.campaign_id in fresh_ids]
        await judge_requests(connection, fresh)
        await put(connection, [_outgoing(request) for request in fresh])
        excluded = {r.campaign_id: r.excluded for r in fresh if r.excluded is not None}
        if excluded:
            await requests.mark_excluded(connection, excluded)
    for request in fresh:
        metrics.SEND_REQUESTS.labels(request.event.channel, request.excluded or "recipient").inc()
    for request in wanted:
        if request.campaign_id not in fresh_ids:
            metrics.SEND_REQUESTS.labels(request.event.channel, "repeated").inc()


async def judge_requests(connection: Connection, wanted: Sequence[Request]) -> None:
    """Finds out whom the requests mean, and whether they may be written to; raises `Rejected`."""
    await _find_people(connection, wanted)
    for (user_id, channel), group in _grouped(wanted):
        await _judge(connection, user_id, channel, group)


def read_request(event: SendRequested) -> Request:
    """The request in an event; raises `Rejected` naming what cannot be used."""
    channel = CHANNELS.get(event.channel)
    if channel is None:
        raise Rejected(f"unknown channel {event.channel!r}")
    if not event.user_id or not 0 < len(event.request_id) <= 200 or "\x00" in event.request_id + event.user_id:
        raise Rejected("requestId: must have 1 to 200 characters")
    if (event.customer_id is None) == (event.address is None):
        raise Rejected("give either customerId or address")
    if (event.template_id is None) == (event.content is None):
        raise Rejected("give either templateId or content")
    if event.content is not None:
        try:
            variables_of(event.content, is_known=lambda _name: True)
        except ContentError as error:
            raise Rejected(f"content: {error}") from None
    return Request(event, new_id(), _read_addresses(event, channel))


def _read_addresses(event: SendRequested, channel: Channel) -> dict[str, str | None]:
    if event.address is None:
        return {}
    try:
        return {read_address(event.address, channel): None}
    except ValueError as error:
        raise Rejected(f"address: {error}") from None


def _grouped(wanted: Iterable[Request]) -> list[tuple[tuple[str, str], list[Request]]]:
    groups: dict[tuple[str, str], list[Request]] = defaultdict(list)
    for request in wanted:
        groups[request.event.user_id, request.event.channel].append(request)
    return sorted(groups.items(), key=lambda item: item[0])


async def _find_people(connection: Connection, wanted: Sequence[Request]) -> None:
    pairs = {(r.event.user_id, r.event.customer_id) for r in wanted if r.event.customer_id is not None}
    people = await requests.find_people(connection, sorted(pairs)) if pairs else {}
    for request in wanted:
        event = request.event
        values: dict[str, Any] = {}
        if event.customer_id is not None:
            person = people.get((event.user_id, event.customer_id))
            if person is None:
                raise Rejected("customerId: there is no such customer")
            values.update(person)
            request.name = person["fullName"] or None
        values.update(event.variables or {})
        request.values = {name: str(value) for name, value in values.items() if value not in (None, "")}


async def _judge(connection: Connection, user_id: str, channel: str, group: Sequence[Request]) -> None:
    named = sorted({r.event.customer_id for r in group if r.event.customer_id is not None})
    known = await preferences.find_addresses(connection, user_id, channel, named) if named else {}
    for request in group:
        if request.event.customer_id is not None:
            request.addresses = known.get(request.event.customer_id, {})
    addresses = sorted({address for request in group for address in request.addresses})
    consents = await preferences.find_consents(connection, user_id, channel, addresses)
    dead = await preferences.find_suppressed(connection, user_id, channel, addresses, "dead")
    for request in group:
        category = request.event.category
        if not request.addresses:
            request.excluded = REACHES[channel].missing
            continue
        allowed = [
            a for a in request.addresses if all(c.allows(ALL) and c.allows(category) for c in consents.get(a, ()))
        ]
        usable = {address: request.addresses[address] for address in allowed if address not in dead}
        if not usable:
            request.excluded = "suppressed" if allowed else "opted_out"
            continue
        request.addresses = usable
        if request.event.content is not None:
            named_variables, required = variables_of(request.event.content, is_known=lambda _name: True)
            if not required <= request.values.keys():
                request.excluded = "missing_variable"
            request.values = {name: request.values[name] for name in named_variables if name in request.values}


def _outgoing(request: Request) -> Outgoing:
    event, is_sent = request.event, request.excluded is None
    addresses = request.addresses or NOWHERE
    lot = LotResolved(
        event_id=new_id(),
        occurred_at=now(),
        lot_id=new_id(),
        campaign_id=request.campaign_id,
        user_id=event.user_id,
        channel=event.channel,
        lane=LANE,
        recipients=[
            Recipient(
                recipient_id=recipient_id,
                address=address,
                customer_id=event.customer_id,
                name=request.name,
                device_type=device_type,
                variables=(dict(request.values) or None) if is_sent else None,
            )
            for recipient_id, (address, device_type) in zip(new_ids(len(addresses)), addresses.items(), strict=True)
        ],
        expires_at=event.expires_at,
        category=event.category,
        provider_id=event.provider_id,
        template_id=event.template_id if is_sent else None,
        content=event.content if is_sent else None,
        skip_reason=request.excluded,
    )
    return Outgoing(topics.TRANSACTIONAL_LOTS, str(lot.lot_id), lot)
