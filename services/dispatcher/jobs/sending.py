"""The senders: lease a lot, commit attempts, call the provider, record what became of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID, uuid4

from contracts.channels import CHANNELS, Channel
from contracts.content import MissingVariable, count_segments
from contracts.events import AddressVerdict, NotificationEvent
from contracts.events.delivery import notification_event_id
from services.dispatcher import metrics
from services.dispatcher.accounts import Accounts, Unusable, Usable
from services.dispatcher.domain import LEASE_MARGIN_SECONDS, URGENT_LANE, Tariffs, deferral_seconds, may_judge
from services.dispatcher.handlers import judged, recorded, referenced
from services.dispatcher.rendering import Rendering, rendering
from services.dispatcher.settings import DispatcherSettings
from services.dispatcher.store.campaigns import find_template
from services.dispatcher.store.claims import Claimed, Lot, MicroLot, claim_lot, claim_recipients, release_lot
from services.dispatcher.store.outcomes import Recorded, mark_outcomes
from shared.backoff import Backoff, wait_for_any
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

LATE_SHARE_MAX = 0.1
LATE_SECONDS = 0.05
"""When all but this share of a micro-lot is answered, the rest gets so much longer before it is recorded alone."""

FINISHING_MAX = 64
"""Lots per process that may wait for late answers while their senders go on."""

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
    finishing: set[asyncio.Task[None]] = field(default_factory=set)

    async def finish(self, work: Coroutine[None, None, None]) -> None:
        """Lets a lot be finished beside the sender; waits when too many are, and raises what made one fail."""
        task = asyncio.ensure_future(work)
        self.finishing.add(task)
        while task in self.finishing and not task.done() and len(self.finishing) > FINISHING_MAX:
            await asyncio.wait(self.finishing, return_when=asyncio.FIRST_COMPLETED)
            self._forget_finished()
        await asyncio.sleep(0)
        self._forget_finished()

    async def finish_all(self) -> None:
        """Waits until every lot is finished."""
        while self.finishing:
            await asyncio.wait(self.finishing)
            self._forget_finished()

    def _forget_finished(self) -> None:
        for task in [task for task in self.finishing if task.done()]:
            self.finishing.discard(task)
            task.result()


async def send_lots(sending: Sending, lane: str, context: JobContext) -> None:
    """One sender: takes lots of its lane until the service stops."""
    settings = sending.settings
    while True:
        if context.stopping.is_set():
            await sending.finish_all()
            return
        context.heartbeat.begin()
        sending.work.clear()
        async with sending.database.transaction() as connection:
            lot = await claim_lot(connection, lane, sending.worker, settings.lease_seconds)
        if lot is not None:
            await _send_lot(sending, lot, context)
            continue
        context.heartbeat.end()
        await wait_for_any((sending.work, context.stopping), settings.idle_seconds)


async def _send_lot(sending: Sending, lot: Lot, context: JobContext) -> None:
    """Sends micro-lot after micro-lot until the lot is done, has to wait, or is no longer ours.

    A micro-lot of which a few answers are late is recorded without them, and the sender goes on; the lot is given
    back when they have come too. They come within the provider's timeout, which is shorter than the lease.
    """
    channel = CHANNELS[lot.channel]
    ready = await _prepare(sending, lot, channel)
    if isinstance(ready, Unusable):
        await _release(sending, lot, UNUSABLE_SECONDS, ready.reason)
        return
    usable, texts = ready
    parts: list[_Part] = []
    while True:
        deadline = boottime() + sending.settings.lease_seconds - LEASE_MARGIN_SECONDS
        async with sending.database.transaction() as connection:
            micro_lot = await claim_recipients(
                connection, channel, lot, sending.worker, sending.settings.lease_seconds, sending.settings.micro_lot_max
            )
            await _publish_skips(connection, lot, micro_lot)
        context.heartbeat.beat()
        if micro_lot.claimed:
            assert usable is not None
            assert texts is not None
            part = _Part(sending, lot, channel, usable, texts, micro_lot)
            parts.append(part)
            await part.send(deadline)
        full = len(micro_lot.claimed) + len(micro_lot.skipped) >= sending.settings.micro_lot_max
        if not full or context.stopping.is_set() or any(part.must_wait() for part in parts):
            break
    await sending.finish(_finish_lot(sending, lot, parts))


async def _finish_lot(sending: Sending, lot: Lot, parts: Sequence[_Part]) -> None:
    """Records the late answers, and gives the lot back."""
    for part in parts:
        await part.finish()
    waits = [wait for part in parts if (wait := part.must_wait()) is not None]
    seconds, reason = max(waits) if waits else (None, None)
    await _release(sending, lot, seconds, reason)


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
        channel,
        content,
        usable.provider_type,
        str(usable.id),
        sending.settings.public_base_url,
        sending.references,
        lot.campaign_id,
        lot.lane == URGENT_LANE,
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


@dataclass(slots=True)
class _Part:
    """One micro-lot under way."""

    sending: Sending
    lot: Lot
    channel: Channel
    usable: Usable
    texts: Rendering
    micro_lot: MicroLot
    claimed: list[Claimed] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    outcomes: list[Outcome | None] = field(default_factory=list)
    recorded: set[int] = field(default_factory=set)
    answers: asyncio.Task[list[Outcome]] | None = None

    async def send(self, deadline: float) -> None:
        """Sends, and records all answers but those that are much later than the others."""
        lot = self.lot
        ttl = None if lot.expires_at is None else max(1, int((lot.expires_at - now()).total_seconds()))
        unsendable: list[Recorded] = []
        for one in self.micro_lot.claimed:
            try:
                self.messages.append(self.texts.message(one, ttl))
                self.claimed.append(one)
            except MissingVariable:
                unsendable.append(Recorded(one.id, one.attempts, "refused", "content", "missing_variable"))
        self.outcomes = [None] * len(self.messages)
        started = time.monotonic()
        most = asyncio.Event()
        missing = len(self.messages)
        late_max = int(len(self.messages) * LATE_SHARE_MAX)

        def hear(index: int, outcome: Outcome) -> None:
            nonlocal missing
            self.outcomes[index] = outcome
            missing -= 1
            if missing <= late_max:
                most.set()

        self.answers = asyncio.ensure_future(self.usable.provider.send(self.messages, deadline, hear))
        first = asyncio.ensure_future(most.wait())
        await asyncio.wait({self.answers, first}, return_when=asyncio.FIRST_COMPLETED)
        first.cancel()
        await asyncio.wait({self.answers}, timeout=LATE_SECONDS)
        metrics.PROVIDER_SECONDS.labels(lot.channel, self.usable.provider_type).observe(time.monotonic() - started)
        await self._record(unsendable)

    async def finish(self) -> None:
        """Waits for the late answers and records them."""
        assert self.answers is not None
        await self.answers
        await self._record([])

    def must_wait(self) -> tuple[float, str] | None:
        """For how long and why the lot must wait by the answers so far: the account's fault before the
        provider's wish."""
        found = [outcome for outcome in self.outcomes if isinstance(outcome, Refused | Deferred)]
        if any(isinstance(outcome, Refused) and outcome.error_class == "config" for outcome in found):
            return CONFIGURATION_SECONDS, "provider_configuration"
        deferred = [outcome for outcome in found if isinstance(outcome, Deferred)]
        if not deferred:
            return None
        longest = max(one.retry_after_seconds or 0.0 for one in deferred)
        return deferral_seconds(self.lot.deferrals, longest or None), deferred[0].reason

    async def _record(self, marks: list[Recorded]) -> None:
        fresh: list[Outcome] = []
        for index, outcome in enumerate(self.outcomes):
            if outcome is not None and index not in self.recorded:
                self.recorded.add(index)
                fresh.append(outcome)
                marks.append(
                    _mark(self.sending, self.channel, self.usable, self.claimed[index], self.messages[index], outcome)
                )
        if not marks:
            return
        marks.sort(key=lambda mark: mark.id)
        addresses = {one.id: one for one in self.claimed}
        await _record(self.sending, self.lot, self.channel, self.usable, self.micro_lot, marks, addresses)
        _count(self.lot.channel, self.usable.provider_type, marks, fresh)


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
                if not usable.provider.capabilities.echoes_reference:
                    messages = {mark.provider_message_id: mark.id for mark in marks if mark.provider_message_id}
                    await put(connection, referenced(lot.user_id, lot.channel, usable.provider_type, messages))
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
