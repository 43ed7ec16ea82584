"""The senders: lease a lot, commit attempts, call the provider, record what became of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID, uuid4

from contracts.channels import CHANNELS, Channel
from contracts.content import MissingVariable, count_segments
from contracts.events import AddressVerdict, NotificationEvent
from contracts.events.delivery import notification_event_id
from services.dispatcher import metrics
from services.dispatcher.accounts import Accounts, Unusable, Usable
from services.dispatcher.domain import LEASE_MARGIN_SECONDS, Tariffs, deferral_seconds, may_judge
from services.dispatcher.handlers import judged, recorded
from services.dispatcher.rendering import Rendering, rendering
from services.dispatcher.settings import DispatcherSettings
from services.dispatcher.store.campaigns import find_template
from services.dispatcher.store.claims import Claimed, Lot, MicroLot, claim_lot, claim_recipients, release_lot
from services.dispatcher.store.outcomes import Recorded, mark_outcomes
from shared.backoff import Backoff
from shared.codec import now
from shared.database import Connection, Database
from shared.errors import is_transient
from shared.logs import logger
from shared.outbox import put
from shared.providers.provider import Accepted, Deferred, Message, Outcome, Refused, Unknown, boottime
from shared.runtime import JobContext
from shared.security import References

UNUSABLE_SECONDS = 15.0
"""How long a lot waits whose account or template is not usable."""

CONFIGURATION_SECONDS = 60.0
"""How long a lot waits whose provider refused the account itself."""

RECORD_SECONDS = 120.0
"""How long outcomes are tried to be recorded while the database is away; afterwards they are unknown."""

_JUDGED = {"recipient_permanent": "dead", "recipient_opted_out": "opted_out"}


@dataclass(slots=True)
class Sending:
    """What all senders of a process share."""

    database: Database
    settings: DispatcherSettings
    accounts: Accounts
    references: References
    tariffs: Tariffs
    worker: UUID = field(default_factory=uuid4)
    work: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when lots may have become due."""


async def send_lots(sending: Sending, lane: str, context: JobContext) -> None:
    """One sender: takes lots of its lane until the service stops."""
    settings = sending.settings
    while not context.stopping.is_set():
        context.heartbeat.begin()
        sending.work.clear()
        async with sending.database.transaction() as connection:
            lot = await claim_lot(connection, lane, sending.worker, settings.lease_seconds)
        if lot is not None:
            await _send_lot(sending, lot, context)
            continue
        context.heartbeat.end()
        waits = [asyncio.ensure_future(event.wait()) for event in (sending.work, context.stopping)]
        await asyncio.wait(waits, timeout=settings.idle_seconds, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()


async def _send_lot(sending: Sending, lot: Lot, context: JobContext) -> None:
    """Sends micro-lot after micro-lot until the lot is done, has to wait, or is no longer ours."""
    channel = CHANNELS[lot.channel]
    ready = await _prepare(sending, lot, channel)
    if isinstance(ready, Unusable):
        await _release(sending, lot, UNUSABLE_SECONDS, ready.reason)
        return
    usable, texts = ready
    while True:
        deadline = boottime() + sending.settings.lease_seconds - LEASE_MARGIN_SECONDS
        async with sending.database.transaction() as connection:
            micro_lot = await claim_recipients(
                connection, channel, lot, sending.worker, sending.settings.lease_seconds, sending.settings.micro_lot_max
            )
            await _publish_skips(connection, lot, micro_lot)
        context.heartbeat.beat()
        wait: tuple[float, str] | None = None
        if micro_lot.claimed:
            assert usable is not None
            assert texts is not None
            wait = await _send_micro_lot(sending, lot, channel, usable, texts, micro_lot, deadline)
        claimed = len(micro_lot.claimed) + len(micro_lot.skipped)
        if wait is not None:
            await _release(sending, lot, *wait)
            return
        if claimed < sending.settings.micro_lot_max or context.stopping.is_set():
            await _release(sending, lot, None, None)
            return


async def _prepare(sending: Sending, lot: Lot, channel: Channel) -> tuple[Usable | None, Rendering | None] | Unusable:
    if lot.campaign_state == "cancelled":
        return None, None
    usable = await sending.accounts.find(lot.channel, lot.user_id, lot.provider_id)
    if isinstance(usable, Unusable):
        return usable
    content = lot.content
    if content is None and lot.template_id is not None:
        async with sending.database.pool.connection() as connection:
            content = await find_template(connection, lot.user_id, lot.channel, lot.template_id)
    if content is None:
        return Unusable("template_unknown")
    return usable, rendering(
        channel, content, usable.provider_type, str(usable.id), sending.settings.public_base_url, sending.references
    )


async def _release(sending: Sending, lot: Lot, seconds: float | None, reason: str | None) -> None:
    due_at = None if seconds is None else now() + timedelta(seconds=seconds)
    async with sending.database.transaction() as connection:
        await release_lot(connection, lot.id, sending.worker, due_at, reason)


async def _publish_skips(connection: Connection, lot: Lot, micro_lot: MicroLot) -> None:
    at = now()
    events = []
    for skipped in micro_lot.skipped:
        event_type = "opted_out" if skipped.reason == "opted_out" else "failed"
        events.append(
            NotificationEvent(
                id=notification_event_id(skipped.id, event_type),
                recipient_id=skipped.id,
                event_type=event_type,
                event_timestamp=at,
                error_class=skipped.reason,
            )
        )
        metrics.OUTCOMES.labels(lot.channel, "none", "skipped").inc()
    await put(connection, recorded(lot.campaign_id, lot.user_id, lot.channel, "none", events, lot.lane))


async def _send_micro_lot(
    sending: Sending,
    lot: Lot,
    channel: Channel,
    usable: Usable,
    texts: Rendering,
    micro_lot: MicroLot,
    deadline: float,
) -> tuple[float, str] | None:
    """Sends and records; returns for how long and why the lot must wait, or None."""
    ttl = None if lot.expires_at is None else max(1, int((lot.expires_at - now()).total_seconds()))
    claimed: list[Claimed] = []
    messages: list[Message] = []
    marks: list[Recorded] = []
    for one in micro_lot.claimed:
        try:
            messages.append(texts.message(one, ttl))
            claimed.append(one)
        except MissingVariable:
            marks.append(Recorded(one.id, one.attempts, "refused", "content", "missing_variable"))
    started = time.monotonic()
    outcomes = await usable.provider.send(messages, deadline)
    metrics.PROVIDER_SECONDS.labels(lot.channel, usable.provider_type).observe(time.monotonic() - started)
    for one, message, outcome in zip(claimed, messages, outcomes, strict=True):
        marks.append(_mark(sending, channel, usable, one, message, outcome))
    marks.sort(key=lambda mark: mark.id)
    addresses = {one.id: one for one in claimed}
    await _record(sending, lot, channel, usable, micro_lot, marks, addresses)
    _count(lot.channel, usable.provider_type, marks, outcomes)
    return _waiting(lot, outcomes)


def _mark(
    sending: Sending, channel: Channel, usable: Usable, one: Claimed, message: Message, outcome: Outcome
) -> Recorded:
    match outcome:
        case Deferred(reason) if one.attempts >= sending.settings.attempts_max:
            return Recorded(one.id, one.attempts, "refused", "transient", f"gave_up_{reason}")
        case Deferred() | Refused("config"):
            return Recorded(one.id, one.attempts, "deferred")
        case Refused(error_class, code):
            return Recorded(one.id, one.attempts, "refused", error_class, code)
    segments = count_segments(message.text).count if channel.billed_by_segment else None
    cost: tuple[int | None, str | None] = (None, None)
    if isinstance(outcome, Accepted):
        segments, cost = outcome.segments or segments, (outcome.cost_micros, outcome.currency)
    if cost[0] is None:
        cost = sending.tariffs.estimate(channel.name, usable.provider_type, one.address, segments or 1) or cost
    if isinstance(outcome, Accepted):
        message_id = outcome.provider_message_id
        return Recorded(one.id, one.attempts, "accepted", None, None, message_id, segments, *cost)
    return Recorded(one.id, one.attempts, "unknown", None, outcome.reason, None, segments, *cost)


async def _record(
    sending: Sending,
    lot: Lot,
    channel: Channel,
    usable: Usable,
    micro_lot: MicroLot,
    marks: Sequence[Recorded],
    recipients: dict[UUID, Claimed],
) -> None:
    """Outcomes, their events and verdicts in one transaction, tried until the database takes them."""
    backoff, give_up, attempt = Backoff(), time.monotonic() + RECORD_SECONDS, 0
    while True:
        try:
            async with sending.database.transaction() as connection:
                taken = await mark_outcomes(connection, channel, lot.id, micro_lot.attempt_id, marks)
                events = _events(marks, taken)
                await put(
                    connection,
                    recorded(lot.campaign_id, lot.user_id, lot.channel, usable.provider_type, events, lot.lane),
                )
                verdicts = _verdicts(marks, taken, recipients)
                if verdicts:
                    await put(connection, [judged(lot.user_id, lot.channel, verdicts)])
        except Exception as error:
            attempt += 1
            if not is_transient(error) or time.monotonic() > give_up:
                raise
            logger().warning("outcomes_retried", attempt=attempt, error=type(error).__name__)
            await asyncio.sleep(backoff.delay(attempt))
        else:
            return


def _events(marks: Sequence[Recorded], taken: dict[UUID, str]) -> list[NotificationEvent]:
    at = now()
    events = []
    for mark in marks:
        outcome = taken.get(mark.id)
        if outcome not in ("accepted", "refused"):
            continue
        accepted = outcome == "accepted"
        event_type = "sent" if accepted else "failed"
        events.append(
            NotificationEvent(
                id=notification_event_id(mark.id, event_type),
                recipient_id=mark.id,
                event_type=event_type,
                event_timestamp=at,
                provider_message_id=mark.provider_message_id,
                error_class=None if accepted else mark.error_class,
                code=None if accepted else mark.code,
                segments=mark.segments,
                cost_micros=mark.cost_micros if accepted else None,
                currency=mark.currency if accepted else None,
            )
        )
    return events


def _verdicts(
    marks: Sequence[Recorded], taken: dict[UUID, str], recipients: dict[UUID, Claimed]
) -> list[AddressVerdict]:
    at = now()
    found = [
        AddressVerdict(
            address=recipients[mark.id].address,
            verdict=_JUDGED[mark.error_class],
            at=at,
            customer_id=recipients[mark.id].customer_id,
        )
        for mark in marks
        if mark.id in taken and mark.error_class in _JUDGED
    ]
    return found if may_judge(len(found), len(marks)) else []


def _count(channel: str, provider: str, marks: Sequence[Recorded], outcomes: Sequence[Outcome]) -> None:
    for mark in marks:
        metrics.OUTCOMES.labels(channel, provider, mark.outcome).inc()
    for outcome in outcomes:
        match outcome:
            case Unknown(reason) | Deferred(reason):
                metrics.PROVIDER_FAULTS.labels(channel, provider, reason).inc()
            case Refused("config"):
                metrics.PROVIDER_FAULTS.labels(channel, provider, "config").inc()


def _waiting(lot: Lot, outcomes: Sequence[Outcome]) -> tuple[float, str] | None:
    """The longest wait that an outcome asks for: the account's fault before the provider's wish."""
    if any(isinstance(outcome, Refused) and outcome.error_class == "config" for outcome in outcomes):
        return CONFIGURATION_SECONDS, "provider_configuration"
    deferred = [outcome for outcome in outcomes if isinstance(outcome, Deferred)]
    if not deferred:
        return None
    longest = max((one.retry_after_seconds or 0.0 for one in deferred), default=0.0)
    return deferral_seconds(lot.deferrals, longest or None), deferred[0].reason
