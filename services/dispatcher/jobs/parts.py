"""A micro-lot under way: what the provider answers, what that means, and how it is recorded."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from uuid import UUID, uuid4

from contracts.channels import Channel
from contracts.content import Unsendable, count_segments
from contracts.events import AddressVerdict, NotificationEvent
from contracts.events.delivery import notification_event_id
from services.dispatcher import metrics
from services.dispatcher.accounts import Accounts, Usable
from services.dispatcher.domain import URGENT_LANE, Tariffs, deferral_seconds
from services.dispatcher.guard import HALTED, JUDGED, Guard
from services.dispatcher.handlers import halted, judged, record_parts, recorded, referenced
from services.dispatcher.pacing import Pace
from services.dispatcher.rendering import Rendering
from services.dispatcher.settings import DispatcherSettings
from services.dispatcher.store.claims import Claimed, Lot, MicroLot
from services.dispatcher.store.lots import mark_halted
from services.dispatcher.store.outcomes import Recorded, Taken, mark_outcomes
from services.dispatcher.store.parts import mark_segments
from shared.backoff import Backoff
from shared.codec import now
from shared.database import Database
from shared.errors import is_transient
from shared.links import LinkCodes
from shared.logs import logger
from shared.outbox import put
from shared.providers.provider import Accepted, Deferred, Message, Outcome, Refused, Unknown
from shared.security import References

CONFIGURATION_SECONDS = 60.0
"""How long a lot waits whose provider refused the account itself."""

RECORD_SECONDS = 120.0
"""How long outcomes are tried to be recorded while the database is away; afterwards they are unknown."""

LATE_SHARE_MAX = 0.1
LATE_SECONDS = 0.05
"""When all but this share of a micro-lot is answered, the rest gets so much longer before it is recorded alone."""

VENDOR_TEXT_MAX = 200
"""Characters of a vendor's code or id that are kept."""

FINISHING_MAX = 64
"""Lots per process that may wait for late answers while their senders go on."""


@dataclass(slots=True)
class Sending:
    """What all senders of a process share."""

    database: Database
    settings: DispatcherSettings
    accounts: Accounts
    references: References
    codes: LinkCodes
    tariffs: Tariffs
    guard: Guard = field(default_factory=Guard)
    pace: Pace = field(init=False)
    worker: UUID = field(default_factory=uuid4)
    work: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when lots may have become due."""
    finishing: set[asyncio.Task[None]] = field(default_factory=set)

    def __post_init__(self) -> None:
        share_seconds = self.settings.lease_seconds + self.settings.provider_timeout_seconds
        self.pace = Pace(self.database, self.worker, share_seconds)

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


@dataclass(slots=True)
class Part:
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
    halted: bool = False
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
            except Unsendable as error:
                unsendable.append(Recorded(one.id, one.attempts, "refused", "content", error.code))
        self.outcomes = [None] * len(self.messages)
        await self._note_segments()
        await self.sending.pace.settle(self.usable, self.messages)
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
        seconds = time.monotonic() - started
        metrics.PROVIDER_SECONDS.labels(lot.channel, self.usable.provider_type).observe(seconds)
        await self._record(unsendable)
        await self.sending.pace.hear(self.usable, self.messages, self.outcomes)

    async def _note_segments(self) -> None:
        """Makes the length of long texts known before receipts of their parts can come, even if this worker dies."""
        if self.usable.provider.capabilities.receipts_per_part:
            counts = {message.recipient_id: count_segments(message.text).count for message in self.messages}
            if long := {recipient_id: count for recipient_id, count in counts.items() if count > 1}:
                async with self.sending.database.transaction() as connection:
                    await mark_segments(connection, self.channel, long)

    async def finish(self) -> None:
        """Waits for the late answers and records them."""
        assert self.answers is not None
        await self.answers
        await self._record([])

    def must_wait(self) -> tuple[float, str] | None:
        """For how long and why the lot must wait by the answers so far: the account's fault before the
        provider's wish."""
        if self.halted:
            return 0.0, HALTED
        found = [outcome for outcome in self.outcomes if isinstance(outcome, Refused | Deferred)]
        if any(isinstance(outcome, Refused) and outcome.error_class == "config" for outcome in found):
            return CONFIGURATION_SECONDS, "provider_configuration"
        deferred = [outcome for outcome in found if isinstance(outcome, Deferred)]
        if not deferred:
            return None
        longest = max(one.retry_after_seconds or 0.0 for one in deferred)
        return deferral_seconds(self.lot.deferrals, longest or None), deferred[0].reason

    async def _record(self, marks: list[Recorded]) -> None:
        fresh: dict[int, Outcome] = {
            index: outcome
            for index, outcome in enumerate(self.outcomes)
            if outcome is not None and index not in self.recorded
        }
        self.recorded.update(fresh)
        answered = sum(_is_answer(outcome) for outcome in fresh.values())
        dead = {index: outcome for index, outcome in fresh.items() if _is_dead(outcome)}
        verdicts = self._verdicts(fresh, answered, dead)
        if self._must_halt(answered, len(dead)):
            self.halted = True
            fresh |= dict.fromkeys(dead, Deferred(HALTED))
        for index, outcome in fresh.items():
            one, message = self.claimed[index], self.messages[index]
            marks.append(_mark(self.sending, self.channel, self.usable, one, message, outcome))
        if not marks:
            return
        marks.sort(key=lambda mark: mark.id)
        await _record(self.sending, self.lot, self.channel, self.usable, self.micro_lot, marks, verdicts)
        _count(self.lot.channel, self.usable.provider_type, marks, list(fresh.values()))
        if self.halted:
            await self._halt()

    def _verdicts(self, fresh: dict[int, Outcome], answered: int, dead: dict[int, Outcome]) -> list[AddressVerdict]:
        opted_out = [
            self._verdict(index, outcome)
            for index, outcome in fresh.items()
            if isinstance(outcome, Refused) and outcome.error_class == "recipient_opted_out"
        ]
        looking_dead = [self._verdict(index, outcome) for index, outcome in dead.items()]
        account = self.usable.id, self.usable.version
        return opted_out + self.sending.guard.believe(account, answered, looking_dead)

    def _verdict(self, index: int, outcome: Outcome) -> AddressVerdict:
        assert isinstance(outcome, Refused)
        one = self.claimed[index]
        return AddressVerdict(
            address=one.address,
            verdict=JUDGED[outcome.error_class],
            at=outcome.since or now(),
            customer_id=one.customer_id,
        )

    def _must_halt(self, answered: int, dead: int) -> bool:
        """Whether the campaign's dead addresses look like wrong credentials, and nobody has said otherwise."""
        if self.lot.lane == URGENT_LANE or self.lot.was_halted:
            return False
        return self.sending.guard.must_halt(self.lot.campaign_id, answered, dead) and dead > 0

    async def _halt(self) -> None:
        lot = self.lot
        async with self.sending.database.transaction() as connection:
            if await mark_halted(connection, lot.campaign_id, HALTED):
                await put(connection, [halted(lot.campaign_id, lot.user_id, lot.channel, HALTED)])
                logger().warning("campaign_halted", campaign=str(lot.campaign_id), reason=HALTED)


def _is_answer(outcome: Outcome) -> bool:
    """Whether the provider has said something about the address."""
    return isinstance(outcome, Accepted) or (isinstance(outcome, Refused) and outcome.error_class != "config")


def _is_dead(outcome: Outcome) -> bool:
    return isinstance(outcome, Refused) and outcome.error_class == "recipient_permanent"


def _mark(
    sending: Sending, channel: Channel, usable: Usable, one: Claimed, message: Message, outcome: Outcome
) -> Recorded:
    match outcome:
        case Deferred(reason) if one.attempts >= sending.settings.attempts_max:
            return Recorded(one.id, one.attempts, "refused", "transient", f"gave_up_{reason}")
        case Deferred() | Refused("config"):
            return Recorded(one.id, one.attempts, "deferred")
        case Refused(error_class, code):
            return Recorded(one.id, one.attempts, "refused", error_class, _storable(code))
    segments = count_segments(message.text).count if channel.billed_by_segment else None
    cost: tuple[int | None, str | None] = (None, None)
    if isinstance(outcome, Accepted):
        segments, cost = outcome.segments or segments, (outcome.cost_micros, outcome.currency)
    if cost[0] is None:
        cost = sending.tariffs.estimate(channel.name, usable.provider_type, one.address, segments or 1) or cost
    if isinstance(outcome, Accepted):
        message_id = _storable(outcome.provider_message_id)
        return Recorded(one.id, one.attempts, "accepted", None, None, message_id, segments, *cost)
    return Recorded(one.id, one.attempts, "unknown", None, outcome.reason, None, segments, *cost)


def _storable(text: str | None) -> str | None:
    """A vendor's text as PostgreSQL can hold it: it shares a transaction with others'."""
    return None if text is None else text[:VENDOR_TEXT_MAX].replace("\0", "\N{REPLACEMENT CHARACTER}")


async def _record(
    sending: Sending,
    lot: Lot,
    channel: Channel,
    usable: Usable,
    micro_lot: MicroLot,
    marks: Sequence[Recorded],
    verdicts: Sequence[AddressVerdict],
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
                if usable.provider.capabilities.receipts_per_part:
                    await record_parts(connection, sending.guard, channel, usable.provider_type, taken)
                if not usable.provider.capabilities.echoes_reference:
                    messages = {mark.provider_message_id: mark.id for mark in marks if mark.provider_message_id}
                    await put(connection, referenced(lot.user_id, lot.channel, usable.provider_type, messages))
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


def _events(marks: Sequence[Recorded], taken: dict[UUID, Taken]) -> list[NotificationEvent]:
    at = now()
    events = []
    for mark in marks:
        row = taken.get(mark.id)
        if row is None or row.outcome not in ("accepted", "refused"):
            continue
        accepted = row.outcome == "accepted"
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
                cost_micros=row.cost_micros if accepted else None,
                currency=row.currency if accepted else None,
            )
        )
    return events


def _count(channel: str, provider: str, marks: Sequence[Recorded], outcomes: Sequence[Outcome]) -> None:
    for mark in marks:
        metrics.OUTCOMES.labels(channel, provider, mark.outcome).inc()
    for outcome in outcomes:
        match outcome:
            case Unknown(reason) | Deferred(reason):
                metrics.PROVIDER_FAULTS.labels(channel, provider, reason).inc()
            case Refused("config"):
                metrics.PROVIDER_FAULTS.labels(channel, provider, "config").inc()
