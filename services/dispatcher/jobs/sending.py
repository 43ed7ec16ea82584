"""The senders: lease a lot, commit attempts, let the provider be called, give the lot back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from contracts.channels import CHANNELS, Channel
from contracts.events import NotificationEvent
from contracts.events.delivery import notification_event_id
from services.dispatcher import metrics
from services.dispatcher.accounts import Unusable, Usable
from services.dispatcher.domain import LEASE_MARGIN_SECONDS, PROVIDER_MISSING, TEMPLATE_UNKNOWN, URGENT_LANE
from services.dispatcher.guard import HALTED
from services.dispatcher.handlers import recorded
from services.dispatcher.jobs.parts import Part, Sending
from services.dispatcher.jobs.texts import prepare_texts
from services.dispatcher.pacing import RATE_LIMITED
from services.dispatcher.rendering import Rendering
from services.dispatcher.store.campaigns import find_template
from services.dispatcher.store.claims import Lot, MicroLot, claim_lot, claim_recipients, mark_skipped, release_lot
from shared.backoff import wait_for_any
from shared.codec import now
from shared.database import Connection
from shared.outbox import put
from shared.providers.provider import boottime
from shared.runtime import JobContext

LOT_RECIPIENTS_MAX = 500
"""The most that one lot can have."""

UNUSABLE_SECONDS = 15.0
"""How long a lot waits whose account or template is not usable."""

NEWS_SECONDS = 60.0
"""How long a single message waits for news of its template, which come by Kafka."""


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
        if not _is_hopeless(lot, ready.reason):
            await _release(sending, lot, UNUSABLE_SECONDS, ready.reason)
            return
        async with sending.database.transaction() as connection:
            await mark_skipped(connection, lot, sending.worker, ready.reason)
        ready = None, None
    usable, texts = ready
    parts: list[Part] = []
    slow_down: tuple[float, str] | None = None
    while True:
        rows_max = _rows_max(sending, usable)
        if usable is not None:
            grant = await sending.pace.grant(usable, rows_max, lot.lane == URGENT_LANE)
            if grant.units == 0:
                slow_down = (grant.wait_seconds, RATE_LIMITED)
                break
            rows_max = grant.units
        deadline = boottime() + sending.settings.lease_seconds - LEASE_MARGIN_SECONDS
        async with sending.database.transaction() as connection:
            micro_lot = await claim_recipients(
                connection, channel, lot, sending.worker, sending.settings.lease_seconds, rows_max
            )
            await _publish_skips(connection, lot, micro_lot)
        context.heartbeat.beat()
        if micro_lot.claimed:
            assert usable is not None
            assert texts is not None
            part = Part(sending, lot, channel, usable, texts, micro_lot)
            parts.append(part)
            await part.send(deadline)
        full = len(micro_lot.claimed) + len(micro_lot.skipped) >= rows_max
        if not full or context.stopping.is_set() or any(part.must_wait() for part in parts):
            break
    await sending.finish(_finish_lot(sending, lot, parts, slow_down))


def _rows_max(sending: Sending, usable: Usable | None) -> int:
    """Recipients of one micro-lot: more where the provider takes them with one request."""
    batch_max = 1 if usable is None else usable.provider.capabilities.batch_max
    return max(sending.settings.micro_lot_max, min(batch_max, LOT_RECIPIENTS_MAX))


async def _finish_lot(sending: Sending, lot: Lot, parts: Sequence[Part], slow_down: tuple[float, str] | None) -> None:
    """Records the late answers, and gives the lot back."""
    for part in parts:
        await part.finish()
    waits = [wait for part in parts if (wait := part.must_wait()) is not None]
    if slow_down is not None:
        waits.append(slow_down)
    seconds, reason = max(waits) if waits else (None, None)
    await _release(sending, lot, seconds, reason)


async def _prepare(sending: Sending, lot: Lot, channel: Channel) -> tuple[Usable | None, Rendering | None] | Unusable:
    if lot.skip_reason is not None:
        return None, None
    usable = await sending.accounts.find(lot.channel, lot.user_id, lot.provider_id)
    if isinstance(usable, Unusable):
        return usable
    content = lot.content
    if content is None and lot.template_id is not None:
        async with sending.database.pool.connection() as connection:
            content = await find_template(connection, lot.user_id, lot.channel, lot.template_id)
    if content is None:
        return Unusable(TEMPLATE_UNKNOWN)
    texts = await prepare_texts(sending, channel, usable, lot.user_id, lot.campaign_id, lot.lane, content)
    return usable, texts


def _is_hopeless(lot: Lot, reason: str) -> bool:
    """Whether a single message can never be sent. A campaign waits for the person who will cancel it."""
    if lot.lane != URGENT_LANE:
        return False
    if reason == TEMPLATE_UNKNOWN:
        return lot.deferrals * UNUSABLE_SECONDS >= NEWS_SECONDS
    return reason == PROVIDER_MISSING


async def _release(sending: Sending, lot: Lot, seconds: float | None, reason: str | None) -> None:
    due_at = None if seconds is None else now() + timedelta(seconds=seconds)
    async with sending.database.transaction() as connection:
        is_deferral = due_at is not None and reason not in (RATE_LIMITED, HALTED)
        await release_lot(connection, lot.id, sending.worker, due_at, reason, is_deferral)


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
