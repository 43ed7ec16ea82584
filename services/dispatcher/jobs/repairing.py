"""What makes up for workers that died, and what finds out about attempts of unknown outcome."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from contracts.channels import CHANNELS, Channel
from contracts.content import Unsendable
from contracts.events import NotificationEvent
from contracts.events.delivery import notification_event_id
from services.dispatcher import metrics
from services.dispatcher.accounts import Unusable
from services.dispatcher.domain import LEASE_MARGIN_SECONDS
from services.dispatcher.handlers import record_parts, recorded
from services.dispatcher.jobs.parts import Sending
from services.dispatcher.jobs.texts import prepare_texts
from services.dispatcher.store.claims import Claimed
from services.dispatcher.store.outcomes import Proved, Recorded, claim_expired, mark_outcomes, mark_unfinished_unknown
from services.dispatcher.store.parts import delete_parts, find_recipients_in_parts
from services.dispatcher.store.unknowns import UnknownAttempt, find_others, find_unknowns
from shared.outbox import put
from shared.providers.provider import Absent, Accepted, Found, Refused
from shared.runtime import JobContext

REAP_SECONDS = 1.0
RESOLVE_SECONDS = 5.0
ASKED_MAX = 100
"""Attempts asked about in one round."""

ASK_UNTIL_SECONDS = 86_400.0
"""Nobody is asked about an attempt that is older; it stays listed as unknown unless a receipt comes."""

FORGET_SECONDS = 300.0
PARTS_KEPT_DAYS = 7
"""No vendor reports on a part so long after."""

PARTS_PER_DELETION_MAX = 10_000

_FIRST = UUID(int=0)


async def free_expired_lots(sending: Sending, context: JobContext) -> None:
    """Ends the attempts of workers that did not come back: unknown, never repeated."""
    while not await context.sleep(REAP_SECONDS):
        context.heartbeat.begin()
        while await free_expired_lot(sending):
            context.heartbeat.beat()
        context.heartbeat.end()


async def free_expired_lot(sending: Sending) -> bool:
    """Frees one lot; False when no lease has run out."""
    async with sending.database.transaction() as connection:
        lot = await claim_expired(connection, LEASE_MARGIN_SECONDS)
        if lot is None:
            return False
        channel = CHANNELS[lot.channel]
        proved = await mark_unfinished_unknown(connection, channel, lot.id)
        events = [_sent(one) for one in proved]
        await put(connection, recorded(lot.campaign_id, lot.user_id, lot.channel, "any", events, lot.lane))
        in_parts = await find_recipients_in_parts(connection, channel, lot.id)
        await record_parts(connection, sending.guard, channel, "any", in_parts)
    metrics.EXPIRED_LEASES.inc()
    sending.work.set()
    return True


def _sent(proved: Proved) -> NotificationEvent:
    return NotificationEvent(
        id=notification_event_id(proved.id, "sent"),
        recipient_id=proved.id,
        event_type="sent",
        event_timestamp=proved.accepted_at,
        cost_micros=proved.cost_micros,
        currency=proved.currency,
    )


async def forget_parts(sending: Sending, context: JobContext) -> None:
    """Deletes what was heard of parts of messages when nothing more can come."""
    while not await context.sleep(FORGET_SECONDS):
        context.heartbeat.begin()
        deleted = PARTS_PER_DELETION_MAX
        while deleted == PARTS_PER_DELETION_MAX and not context.stopping.is_set():
            async with sending.database.transaction() as connection:
                deleted = await delete_parts(connection, PARTS_KEPT_DAYS, PARTS_PER_DELETION_MAX)
            context.heartbeat.beat()
        context.heartbeat.end()


async def resolve_unknowns(sending: Sending, context: JobContext) -> None:
    """Asks providers about attempts that no receipt has settled, and follows the campaign's policy.

    Each round goes on where the last one ended, so that attempts without an answer do not keep the others waiting.
    """
    after = dict.fromkeys(CHANNELS, _FIRST)
    while not await context.sleep(RESOLVE_SECONDS):
        context.heartbeat.begin()
        for name, channel in CHANNELS.items():
            found = await resolve_once(sending, channel, sending.settings.ask_after_seconds, after[name])
            after[name] = found.last
            context.heartbeat.beat()
        context.heartbeat.end()


@dataclass(frozen=True, slots=True)
class Resolved:
    """How many attempts were looked at, what came of them, and behind which id the next round begins."""

    asked: int
    accepted: int
    refused: int
    requeued: int
    last: UUID


async def resolve_once(
    sending: Sending, channel: Channel, older_than_seconds: float, after: UUID = _FIRST, rows_max: int = ASKED_MAX
) -> Resolved:
    """One round over up to `rows_max` unknown attempts of that age, in order of id."""
    async with sending.database.pool.connection() as connection:
        attempts = await find_unknowns(connection, channel, older_than_seconds, ASK_UNTIL_SECONDS, after, rows_max)
    counts = {"accepted": 0, "refused": 0, "deferred": 0}
    for attempt in attempts:
        mark = await _resolve(sending, channel, attempt)
        if mark is not None:
            counts[mark.outcome] += 1
            await _settle(sending, channel, attempt, mark)
    if counts["deferred"]:
        sending.work.set()
    last = attempts[-1].id if len(attempts) == rows_max else _FIRST
    return Resolved(len(attempts), counts["accepted"], counts["refused"], counts["deferred"], last)


async def _resolve(sending: Sending, channel: Channel, attempt: UnknownAttempt) -> Recorded | None:
    """What is known now; `deferred` sends again, which only the campaign's policy may decide."""
    if attempt.unknown_policy == "resend":
        return Recorded(attempt.id, attempt.attempts, "deferred")
    usable = await sending.accounts.find(channel.name, attempt.user_id, attempt.provider_id)
    if isinstance(usable, Unusable) or not usable.provider.capabilities.can_be_asked:
        return None
    texts = await prepare_texts(
        sending, channel, usable, attempt.user_id, attempt.campaign_id, attempt.lane, attempt.content
    )
    one = Claimed(attempt.id, attempt.address, attempt.name, attempt.customer_id, attempt.attempts, attempt.variables)
    try:
        message = texts.message(one, None)
    except Unsendable:
        return None
    others = await _others(sending, channel, attempt)
    if others is None:
        return None
    finding = await usable.provider.ask(message, attempt.attempted_at, others)
    if await _others(sending, channel, attempt) != others:
        return None  # what was found may be a message that has gone out meanwhile; the next round knows
    match finding:
        case Found(Accepted() as accepted):
            return Recorded(
                attempt.id,
                attempt.attempts,
                "accepted",
                provider_message_id=accepted.provider_message_id,
                segments=accepted.segments,
                cost_micros=accepted.cost_micros,
                currency=accepted.currency,
            )
        case Found(Refused(error_class, code)):
            return Recorded(attempt.id, attempt.attempts, "refused", error_class, code)
        case Absent() if attempt.unknown_policy == "resend_if_proven_absent":
            return Recorded(attempt.id, attempt.attempts, "deferred")
    return None


async def _others(sending: Sending, channel: Channel, attempt: UnknownAttempt) -> frozenset[str] | None:
    async with sending.database.pool.connection() as connection:
        return await find_others(connection, channel, attempt)


async def _settle(sending: Sending, channel: Channel, attempt: UnknownAttempt, mark: Recorded) -> None:
    async with sending.database.transaction() as connection:
        taken = (await mark_outcomes(connection, channel, attempt.lot_id, None, [mark])).get(mark.id)
        if taken is None or taken.outcome not in ("accepted", "refused"):
            return
        event_type = "sent" if mark.outcome == "accepted" else "failed"
        event = NotificationEvent(
            id=notification_event_id(mark.id, event_type),
            recipient_id=mark.id,
            event_type=event_type,
            event_timestamp=attempt.attempted_at,
            provider_message_id=mark.provider_message_id,
            error_class=mark.error_class,
            code=mark.code,
            segments=mark.segments,
            cost_micros=taken.cost_micros if taken.outcome == "accepted" else None,
            currency=taken.currency if taken.outcome == "accepted" else None,
        )
        await put(
            connection,
            recorded(attempt.campaign_id, attempt.user_id, channel.name, "any", [event], attempt.lane),
        )
        await record_parts(connection, sending.guard, channel, "any", [mark.id])
