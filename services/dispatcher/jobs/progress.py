"""Says where campaigns stand, at most every `progress_seconds`."""

from __future__ import annotations

import time
from uuid import UUID

from contracts import topics
from contracts.events import CampaignProgressed
from services.dispatcher import metrics
from services.dispatcher.domain import estimate_eta
from services.dispatcher.settings import DispatcherSettings
from services.dispatcher.store.campaigns import Progress, mark_progress
from services.dispatcher.store.lots import count_waiting
from shared.codec import now
from shared.database import Database
from shared.ids import new_id
from shared.outbox import Outgoing, put
from shared.runtime import JobContext

MEASURE_SECONDS = 2.0


async def publish_progress(database: Database, settings: DispatcherSettings, context: JobContext) -> None:
    """Publishes every campaign that has moved; the rate is that of the last interval."""
    seen: dict[UUID, tuple[float, int]] = {}
    while not await context.sleep(settings.progress_seconds):
        context.heartbeat.begin()
        async with database.transaction() as connection:
            moved = await mark_progress(connection)
            await put(connection, [_outgoing(one, _rate(seen, one)) for one in moved])
        context.heartbeat.end()


def _rate(seen: dict[UUID, tuple[float, int]], progress: Progress) -> float:
    """Recipients per second that left the queue since this campaign was seen last."""
    at, waiting = time.monotonic(), progress.terms["waiting"]
    before = seen.get(progress.campaign_id)
    if progress.final:
        seen.pop(progress.campaign_id, None)
    else:
        seen[progress.campaign_id] = (at, waiting)
    return 0.0 if before is None else max(before[1] - waiting, 0) / max(at - before[0], 0.001)


def _outgoing(progress: Progress, per_second: float) -> Outgoing:
    waiting, reason = progress.terms["waiting"], progress.reason
    event = CampaignProgressed(
        event_id=new_id(),
        occurred_at=now(),
        campaign_id=progress.campaign_id,
        user_id=progress.user_id,
        channel=progress.channel,
        version=progress.version,
        terms=progress.terms,
        final=progress.final,
        waiting_reason=reason if waiting else None,
        eta=estimate_eta(reason, now(), waiting, per_second, progress.due_at),
    )
    return Outgoing(topics.CAMPAIGN_PROGRESS, str(progress.campaign_id), event)


async def measure_waiting(database: Database, context: JobContext) -> None:
    """Sets the gauge of waiting lots."""
    shown: set[tuple[str, str]] = set()
    while not await context.sleep(MEASURE_SECONDS):
        async with database.pool.connection() as connection:
            rows = await count_waiting(connection)
        for labels in shown - {(channel, reason) for channel, reason, _ in rows}:
            metrics.WAITING_LOTS.labels(*labels).set(0)
        for channel, reason, lots in rows:
            metrics.WAITING_LOTS.labels(channel, reason).set(lots)
            shown.add((channel, reason))
