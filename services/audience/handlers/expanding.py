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
from services.audience.domain.lots import Unit, cut_lots, variables_of
from services.audience.store import expansions
from services.audience.store.expansions import Expansion
from services.audience.store.filters import FilterError, compile_filter
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
    if expansion.phase == expansions.FINISHED:
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
    variables, required = variables_of(expansion.content)
    condition = compile_filter(expansion.audience_filter)
    rows = []
    if expansion.phase == expansions.ADDITIONS or condition is not None:
        rows = await expansions.claim_page(connection, expansion, condition, variables, required, rows_max)
    if not rows:
        expansion.phase, expansion.cursor = expansions.NEXT_PHASE[expansion.phase], ""
        await expansions.mark_progress(connection, expansion)
        if expansion.phase == expansions.FINISHED:
            await _finish(connection, expansion, "done")
        return Counter()
    units, excluded = _choose(rows, variables)
    lots = cut_lots(
        expansion.campaign_id, expansion.user_id, expansion.channel, expansion.category, units, lot_max, now()
    )
    await put(connection, [_outgoing(lot) for lot in lots])
    expansion.cursor = rows[-1].cursor
    expansion.audience += len(rows)
    expansion.recipients += len(units)
    expansion.lots += len(lots)
    for reason, count in excluded.items():
        expansion.exclude(reason, count)
    await expansions.mark_progress(connection, expansion)
    return Counter({"recipient": len(units), **excluded})


def _choose(rows: Sequence[expansions.Unit], variables: Sequence[str]) -> tuple[list[Unit], Counter[str]]:
    chosen: list[Unit] = []
    excluded: Counter[str] = Counter()
    taken: set[str] = set()
    for row in rows:
        address = row.address
        if row.reason is not None or address is None:
            excluded[row.reason or "invalid_address"] += 1
        elif not row.claimed or address in taken:
            excluded["duplicate"] += 1
        else:
            taken.add(address)
            values = {name: value for name, value in zip(variables, row.values, strict=True) if value is not None}
            chosen.append((row.customer_id, address, row.name, row.device_type, values or None))
    return chosen, excluded


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
