"""Lots and campaigns as they arrive: what may be claimed, and what has to wait."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from contracts.channels import CHANNELS
from contracts.events import AudienceResolved, Content, LotResolved
from services.dispatcher.domain import CampaignState
from shared.database import Connection

BULK = "bulk"


async def insert_lots(connection: Connection, lots: Sequence[LotResolved], now: datetime) -> int:
    """Stores lots and their recipients once, whatever is repeated; returns how many recipients are new.

    Holds a shared lock per campaign, so that a lifecycle event that comes at the same time sees either no lot or a
    whole one. Addresses that the campaign has already are counted as duplicates of the lot.
    """
    campaigns = sorted({lot.campaign_id for lot in lots if lot.lane == BULK})
    await _lock_campaigns(connection, campaigns, exclusive=False)
    cursor = await connection.execute(
        """
        INSERT INTO lots (id, campaign_id, user_id, channel, lane, first_id, last_id, state, reason, due_at,
                          expires_at, provider_id, category, template_id, content, size, skip_reason)
        SELECT i.id, i.campaign_id, i.user_id, i.channel, i.lane, i.first_id, i.last_id,
               CASE WHEN i.lane <> 'bulk' OR c.state IN ('sending', 'cancelled') THEN 'waiting' ELSE 'held' END,
               CASE WHEN i.lane <> 'bulk' THEN NULL WHEN c.state IS NULL THEN 'not_launched'
                    WHEN c.state = 'paused' THEN c.reason END,
               i.due_at, i.expires_at, i.provider_id, i.category, i.template_id, i.content, i.size,
               i.skip_reason
        FROM unnest(%b::uuid[], %b::uuid[], %b::text[], %b::text[], %b::text[], %b::uuid[], %b::uuid[],
                    %b::timestamptz[], %b::timestamptz[], %b::uuid[], %b::text[], %b::uuid[], %b::jsonb[], %b::int[],
                    %b::text[])
             AS i (id, campaign_id, user_id, channel, lane, first_id, last_id,
                   due_at, expires_at, provider_id, category, template_id, content, size, skip_reason)
        LEFT JOIN campaigns c ON c.id = i.campaign_id AND c.content IS NOT NULL
        ON CONFLICT (id) DO NOTHING
        RETURNING id
        """,
        (
            [lot.lot_id for lot in lots],
            [lot.campaign_id for lot in lots],
            [lot.user_id for lot in lots],
            [lot.channel for lot in lots],
            [lot.lane for lot in lots],
            [lot.recipients[0].recipient_id for lot in lots],
            [lot.recipients[-1].recipient_id for lot in lots],
            [lot.due_at or now for lot in lots],
            [lot.expires_at for lot in lots],
            [lot.provider_id for lot in lots],
            [lot.category or "marketing" for lot in lots],
            [lot.template_id for lot in lots],
            [None if lot.content is None else msgspec.json.encode(lot.content).decode() for lot in lots],
            [len(lot.recipients) for lot in lots],
            [lot.skip_reason for lot in lots],
        ),
    )
    fresh_ids = {row[0] for row in await cursor.fetchall()}
    by_channel: dict[str, list[LotResolved]] = defaultdict(list)
    for lot in lots:
        if lot.lot_id in fresh_ids:
            fresh_ids.discard(lot.lot_id)
            by_channel[lot.channel].append(lot)
    return sum([await _insert_recipients(connection, name, fresh) for name, fresh in by_channel.items()])


async def _insert_recipients(connection: Connection, channel: str, lots: Sequence[LotResolved]) -> int:
    address = CHANNELS[channel].address_column
    extra = CHANNELS[channel].recipient_columns
    names = "".join(f", {name}" for name in extra)
    arrays = "".join(", %b::text[]" for _ in extra)
    rows = [(lot, recipient) for lot in lots for recipient in lot.recipients]
    cursor = await connection.execute(
        f"""
        WITH inserted AS (
            INSERT INTO {channel}_campaign_recipients
                (id, campaign_id, lot_id, user_id, customer_id, {address}, recipient_name, personalization_data{names})
            SELECT * FROM unnest(%b::uuid[], %b::uuid[], %b::uuid[], %b::text[], %b::text[], %b::text[], %b::text[],
                                 %b::jsonb[]{arrays})
            ON CONFLICT DO NOTHING
            RETURNING lot_id
        ), counted AS (SELECT lot_id, count(*)::int AS queued FROM inserted GROUP BY lot_id)
        UPDATE lots SET queued = coalesce(c.queued, 0), duplicates = lots.size - coalesce(c.queued, 0),
                        state = CASE WHEN c.queued IS NULL THEN 'done' ELSE lots.state END
        FROM unnest(%b::uuid[]) AS fresh (id) LEFT JOIN counted c ON c.lot_id = fresh.id
        WHERE lots.id = fresh.id
        RETURNING lots.queued
        """,  # noqa: S608
        (
            [recipient.recipient_id for _, recipient in rows],
            [lot.campaign_id for lot, _ in rows],
            [lot.lot_id for lot, _ in rows],
            [lot.user_id for lot, _ in rows],
            [recipient.customer_id for _, recipient in rows],
            [recipient.address for _, recipient in rows],
            [recipient.name for _, recipient in rows],
            [_json(recipient.variables) for _, recipient in rows],
            *([getattr(recipient, name) for _, recipient in rows] for name in extra),
            [lot.lot_id for lot in lots],
        ),
    )
    return sum(row[0] for row in await cursor.fetchall())


def _json(value: dict[str, str] | None) -> str | None:
    return None if not value else msgspec.json.encode(value).decode()


@dataclass(frozen=True, slots=True)
class CampaignUpdate:
    """What a lifecycle event changes; the fields of a launch are None for the others."""

    campaign_id: UUID
    user_id: str
    channel: str
    version: int
    state: CampaignState
    reason: str | None = None
    provider_id: UUID | None = None
    category: str | None = None
    unknown_policy: str | None = None
    content: Content | None = None


async def mark_campaigns(connection: Connection, updates: Iterable[CampaignUpdate]) -> None:
    """Applies lifecycle events in order of version and lets the campaigns' lots go, or holds them.

    Waits for claims in progress: when this commits, no attempt of a paused or cancelled campaign can commit.
    """
    for update in sorted(updates, key=lambda one: (one.campaign_id, one.version)):
        await _lock_campaigns(connection, [update.campaign_id], exclusive=True)
        content = None if update.content is None else msgspec.json.encode(update.content).decode()
        cursor = await connection.execute(
            """
            INSERT INTO campaigns (id, user_id, channel, version, state, reason, provider_id, category,
                                   unknown_policy, content)
            VALUES (%b, %b, %b, %b, %b, %b, %b, %b, %b, %b::jsonb)
            ON CONFLICT (id) DO UPDATE SET
                state = CASE WHEN excluded.version > campaigns.version THEN excluded.state ELSE campaigns.state END,
                reason = CASE WHEN excluded.version > campaigns.version THEN excluded.reason
                              ELSE campaigns.reason END,
                resumed_at = CASE WHEN excluded.version > campaigns.version AND excluded.state = 'sending'
                                   AND campaigns.state = 'paused' THEN now() ELSE campaigns.resumed_at END,
                version = greatest(campaigns.version, excluded.version),
                provider_id = coalesce(campaigns.provider_id, excluded.provider_id),
                category = coalesce(campaigns.category, excluded.category),
                unknown_policy = coalesce(campaigns.unknown_policy, excluded.unknown_policy),
                content = coalesce(campaigns.content, excluded.content)
            RETURNING state, reason
            """,
            (
                update.campaign_id,
                update.user_id,
                update.channel,
                update.version,
                update.state.value,
                update.reason,
                update.provider_id,
                update.category,
                update.unknown_policy,
                content,
            ),
        )
        row = await cursor.fetchone()
        assert row is not None
        state, reason = row
        if state == CampaignState.PAUSED:
            await connection.execute(
                "UPDATE lots SET state = 'held', reason = %b WHERE campaign_id = %b AND state = 'waiting'",
                (reason, update.campaign_id),
            )
        else:
            await connection.execute(
                """
                UPDATE lots SET state = 'waiting', reason = NULL, due_at = CASE WHEN %b THEN now() ELSE due_at END
                WHERE campaign_id = %b AND state IN ('held', 'waiting')
                """,
                (state == CampaignState.CANCELLED, update.campaign_id),
            )


async def mark_halted(connection: Connection, campaign_id: UUID, reason: str) -> bool:
    """Holds a campaign that is being sent, once; False where it was halted before or is not being sent."""
    await _lock_campaigns(connection, [campaign_id], exclusive=True)
    cursor = await connection.execute(
        """
        UPDATE campaigns SET state = 'paused', reason = %b, halted_at = clock_timestamp()
        WHERE id = %b AND state = 'sending' AND halted_at IS NULL
        """,
        (reason, campaign_id),
    )
    if cursor.rowcount == 0:
        return False
    await connection.execute(
        "UPDATE lots SET state = 'held', reason = %b WHERE campaign_id = %b AND state = 'waiting'",
        (reason, campaign_id),
    )
    return True


async def _lock_campaigns(connection: Connection, campaign_ids: Sequence[UUID], exclusive: bool) -> None:
    function = "pg_advisory_xact_lock" if exclusive else "pg_advisory_xact_lock_shared"
    await connection.execute(
        f"SELECT {function}(hashtextextended(id::text, 1)) FROM unnest(%b::uuid[]) AS ids (id)",  # noqa: S608
        (list(campaign_ids),),
    )


async def insert_audiences(connection: Connection, resolved: Sequence[AudienceResolved]) -> None:
    """Stores the totals of expanded campaigns, once."""
    for one in resolved:
        await connection.execute(
            """
            INSERT INTO audiences (campaign_id, audience, recipients, lots, excluded) VALUES (%b, %b, %b, %b, %b::jsonb)
            ON CONFLICT DO NOTHING
            """,
            (one.campaign_id, one.audience, one.recipients, one.lots, msgspec.json.encode(one.excluded).decode()),
        )


async def mark_opt_outs(connection: Connection, rows: Sequence[tuple[str, str, str, str, bool, datetime]]) -> None:
    """Stores (user, channel, address, scope, opted out, at), the newest of each.

    Takes each tenant's lock exclusively: when this commits, no attempt that had not seen it can commit.
    """
    newest: dict[tuple[str, ...], tuple[Any, ...]] = {}
    for row in sorted(rows, key=lambda one: one[5]):
        newest[row[:4]] = row
    for user_id in sorted({row[0] for row in rows}):
        await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%b, 2))", (user_id,))
    ordered = [newest[key] for key in sorted(newest)]
    await connection.execute(
        """
        INSERT INTO opt_outs (user_id, channel, address, scope, opted_out, at)
        SELECT * FROM unnest(%b::text[], %b::text[], %b::text[], %b::text[], %b::bool[], %b::timestamptz[])
        ON CONFLICT (user_id, channel, address, scope) DO UPDATE SET opted_out = excluded.opted_out, at = excluded.at
        WHERE opt_outs.at < excluded.at
        """,
        tuple([row[position] for row in ordered] for position in range(6)),
    )


async def count_ahead(
    connection: Connection, user_id: str, channel: str, account_id: UUID, is_default: bool, seconds: float
) -> int:
    """Queued recipients of an account that are due within so many seconds; lots that name none go to the default."""
    cursor = await connection.execute(
        """
        SELECT coalesce(sum(l.queued), 0)::bigint FROM lots l LEFT JOIN campaigns c ON c.id = l.campaign_id
        WHERE l.user_id = %b AND l.channel = %b AND l.lane IN ('bulk', 'transactional')
          AND (l.state = 'leased' OR (l.state = 'waiting' AND l.due_at < now() + %b * interval '1 second'))
          AND coalesce(l.provider_id, c.provider_id, CASE WHEN %b THEN %b END) = %b
        """,
        (user_id, channel, float(seconds), is_default, account_id, account_id),
    )
    row = await cursor.fetchone()
    assert row is not None
    ahead: int = row[0]
    return ahead


async def count_waiting(connection: Connection) -> list[tuple[str, str, int]]:
    """(channel, reason, lots) of all lots that wait."""
    cursor = await connection.execute(
        """
        SELECT channel, coalesce(reason, 'due'), count(*) FROM lots WHERE state IN ('held', 'waiting')
        GROUP BY 1, 2
        """
    )
    return await cursor.fetchall()
