"""A launched campaign becomes lots, page by page; each page is one transaction with its checkpoint."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from time import perf_counter

from contracts import topics
from contracts.channels import CHANNELS
from contracts.content import ContentError
from contracts.events import (
    AudienceResolved,
    CampaignCancelled,
    CampaignLaunched,
    CampaignPaused,
    CampaignResumed,
    LotResolved,
)
from services.audience import metrics
from services.audience.domain.lots import cut_lots, variables_of
from services.audience.handlers.walking import take_page
from services.audience.store import expansions
from services.audience.store.expansions import Expansion
from services.audience.store.filters import FilterError, compile_filter
from services.audience.store.walking import FINISHED
from shared.codec import now
from shared.database import Connection, Database
from shared.errors import Rejected
from shared.ids import new_id
from shared.logs import logger
from shared.outbox import Outgoing, put

Lifecycle = CampaignLaunched | CampaignPaused | CampaignResumed | CampaignCancelled


async def on_lifecycle(database: Database, events: Sequence[Lifecycle]) -> None:
    """Starts expansions and stops cancelled ones; a pause only concerns the sending."""
    async with database.transaction() as connection:
        for event in events:
            if isinstance(event, CampaignLaunched):
                _check(event)
                await expansions.insert_expansion(connection, event)
            elif isinstance(event, CampaignCancelled):
                expansion = await expansions.claim_expansion(connection, event.campaign_id)
                if expansion is not None:
                    await _finish(connection, expansion, "cancelled")


def _check(launched: CampaignLaunched) -> None:
    if launched.channel not in CHANNELS:
        raise Rejected(f"unknown channel {launched.channel!r}")
    try:
        compile_filter(launched.audience_filter)
        variables_of(launched.content)
    except FilterError as error:
        raise Rejected(f"audienceFilter {error}") from None
    except ContentError as error:
        raise Rejected(f"content: {error}") from None


async def expand_next(database: Database, page_customers: int, lot_max: int) -> bool:
    """One page of the expansion that has waited longest; False when there is none that nobody else works on."""
    started = perf_counter()
    async with database.transaction() as connection:
        expansion = await expansions.claim_expansion(connection)
        if expansion is None:
            return False
        # Pages begin small and double, so that the senders soon have something to do.
        rows_max = min(page_customers, max(lot_max, expansion.audience))
        results = await _expand_page(connection, expansion, rows_max, lot_max)
    for result, count in results.items():
        metrics.RECIPIENTS.labels(expansion.channel, result).inc(count)
    metrics.PAGE_SECONDS.labels(expansion.channel).observe(perf_counter() - started)
    if expansion.phase == FINISHED:
        logger().info(
            "audience_resolved",
            campaign_id=str(expansion.campaign_id),
            audience=expansion.audience,
            recipients=expansion.recipients,
            lots=expansion.lots,
            excluded=expansion.excluded,
        )
    return True


async def _expand_page(connection: Connection, expansion: Expansion, rows_max: int, lot_max: int) -> Counter[str]:
    page = await take_page(connection, expansion, rows_max)
    if page is None:
        await expansions.mark_progress(connection, expansion)
        if expansion.phase == FINISHED:
            await _finish(connection, expansion, "done")
        return Counter()
    lots = cut_lots(
        expansion.campaign_id, expansion.user_id, expansion.channel, expansion.category, page.units, lot_max, now()
    )
    await put(connection, [_outgoing(lot) for lot in lots])
    expansion.lots += len(lots)
    await expansions.mark_progress(connection, expansion)
    return Counter({"recipient": len(page.units), **page.excluded})


async def _finish(connection: Connection, expansion: Expansion, state: str) -> None:
    await expansions.mark_finished(connection, expansion, state)
    event = AudienceResolved(
        event_id=new_id(),
        occurred_at=now(),
        campaign_id=expansion.campaign_id,
        user_id=expansion.user_id,
        channel=expansion.channel,
        audience=expansion.audience,
        recipients=expansion.recipients,
        lots=expansion.lots,
        excluded=expansion.excluded,
    )
    await put(connection, [Outgoing(topics.AUDIENCE_RESOLVED, str(expansion.campaign_id), event)])


def _outgoing(lot: LotResolved) -> Outgoing:
    return Outgoing(topics.LOTS, str(lot.lot_id), lot)
