"""What is known of campaigns as a whole: progress, and the terms of the accounting identity."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from contracts.channels import Channel
from contracts.events import TemplateChanged
from shared.database import Connection

RATE_SECONDS = 10
"""The rate is that of so many last seconds."""

_TERMS = ("waiting", "inFlight", "accepted", "refused", "unknown", "skipped", "duplicates")


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a campaign stands by its lots. `final` as in `CampaignProgressed`."""

    campaign_id: UUID
    user_id: str
    channel: str
    version: int
    terms: dict[str, int]
    final: bool
    reason: str | None
    due_at: datetime | None


async def mark_progress(connection: Connection) -> list[Progress]:
    """Sums the lots of all campaigns that are not final, and returns those that have moved, or that wait for something
    else or until another time, with a new version."""
    sums = ", ".join(
        f"coalesce(sum(l.{column}), 0)"
        for column in ("queued", "sending", "accepted", "refused", "unknown", "skipped", "duplicates")
    )
    cursor = await connection.execute(
        f"""
        WITH by_lots AS (
            SELECT c.id, jsonb_build_array({sums}) AS terms,
                   coalesce(bool_and(l.state = 'done' AND l.sending = 0), true)
                     AND count(l.id) = (SELECT a.lots FROM audiences a WHERE a.campaign_id = c.id) AS final,
                   min(l.reason) FILTER (WHERE l.state IN ('held', 'waiting')) AS reason,
                   min(l.due_at) FILTER (WHERE l.state = 'waiting' AND l.due_at > now()) AS due_at
            FROM campaigns c LEFT JOIN lots l ON l.campaign_id = c.id
            WHERE NOT c.final AND c.content IS NOT NULL GROUP BY c.id
        ), summed AS (
            SELECT id, terms, final, reason, due_at, jsonb_build_array(terms, reason, due_at) AS progress FROM by_lots
        ), locked AS MATERIALIZED (
            SELECT c.id FROM campaigns c JOIN summed s USING (id)
            WHERE c.progress IS DISTINCT FROM s.progress OR coalesce(s.final, false)
            ORDER BY c.id FOR UPDATE OF c SKIP LOCKED
        )
        UPDATE campaigns c SET progress = s.progress, final = coalesce(s.final, false),
                               progress_version = c.progress_version + 1
        FROM summed s, locked WHERE c.id = s.id AND c.id = locked.id
        RETURNING c.id, c.user_id, c.channel, c.progress_version, s.terms, c.final,
                  CASE WHEN c.state = 'paused' THEN coalesce(c.reason, 'paused') ELSE s.reason END, s.due_at
        """  # noqa: S608
    )
    return [
        Progress(campaign_id, user_id, channel, version, dict(zip(_TERMS, terms, strict=True)), final, reason, due_at)
        for campaign_id, user_id, channel, version, terms, final, reason, due_at in await cursor.fetchall()
    ]


@dataclass(frozen=True, slots=True)
class Ledger:
    """Everything that the ledger says about one campaign at one moment; `classes` counts (status, outcome, reason),
    `per_second` the recipients that were attempted lately, since it was resumed."""

    state: str | None
    reason: str | None
    due_at: datetime | None
    audience: int | None
    expanded: int | None
    excluded: dict[str, int]
    duplicates: int
    arrived: int
    classes: list[tuple[str, str | None, str | None, int]]
    cost_micros: dict[str, int]
    by_lots: dict[str, int]
    at: datetime
    per_second: float


async def find_ledger(connection: Connection, channel: Channel, user_id: str, campaign_id: UUID) -> Ledger | None:
    """One consistent view of a tenant's campaign; None where the dispatcher has never heard of it."""
    table = f"{channel.name}_campaign_recipients"
    await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
    cursor = await connection.execute(
        """
        SELECT c.state, c.reason, coalesce(a.audience, sum(l.size) FILTER (WHERE l.lane <> 'bulk'))::bigint,
               a.recipients, a.excluded,
               coalesce(sum(l.duplicates), 0)::bigint, coalesce(sum(l.size), 0)::bigint,
               min(l.reason) FILTER (WHERE l.state IN ('held', 'waiting')),
               min(l.due_at) FILTER (WHERE l.state = 'waiting' AND l.due_at > now()),
               jsonb_build_array(coalesce(sum(l.queued), 0), coalesce(sum(l.sending), 0),
                 coalesce(sum(l.accepted), 0), coalesce(sum(l.refused), 0), coalesce(sum(l.unknown), 0),
                 coalesce(sum(l.skipped), 0), coalesce(sum(l.duplicates), 0)),
               now(), c.resumed_at
        FROM (SELECT %(campaign)b::uuid AS id) wanted
        LEFT JOIN campaigns c ON c.id = wanted.id AND c.channel = %(channel)b AND c.user_id = %(user)b
        LEFT JOIN audiences a ON a.campaign_id = wanted.id
        LEFT JOIN lots l ON l.campaign_id = wanted.id AND l.channel = %(channel)b AND l.user_id = %(user)b
        WHERE EXISTS (SELECT FROM campaigns x
                      WHERE x.id = wanted.id AND x.user_id = %(user)b AND x.channel = %(channel)b)
           OR EXISTS (SELECT FROM lots x
                      WHERE x.campaign_id = wanted.id AND x.user_id = %(user)b AND x.channel = %(channel)b)
        GROUP BY wanted.id, c.state, c.reason, c.resumed_at, a.audience, a.recipients, a.excluded
        """,
        {"campaign": campaign_id, "channel": channel.name, "user": user_id},
    )
    row = await cursor.fetchone()
    if row is None:
        return None
    at: datetime = row[10]
    resumed_at: datetime | None = row[11]
    cursor = await connection.execute(
        f"""
        SELECT status, outcome,
               CASE outcome WHEN 'skipped' THEN failure_reason WHEN 'refused' THEN error_class END AS reason,
               currency, count(*), sum(cost_micros) FILTER (WHERE outcome = 'accepted')::bigint,
               count(*) FILTER (WHERE attempted_at > greatest(%b::timestamptz, %b::timestamptz)), min(attempted_at)
        FROM {table} WHERE campaign_id = %b GROUP BY 1, 2, 3, 4
        """,  # noqa: S608
        (at - timedelta(seconds=RATE_SECONDS), resumed_at, campaign_id),
    )
    recent, first = 0, at
    classes: list[tuple[str, str | None, str | None, int]] = []
    cost_micros: Counter[str] = Counter()
    for status, outcome, reason, currency, count, micros, attempted, attempted_first in await cursor.fetchall():
        classes.append((status, outcome, reason, count))
        recent, first = recent + attempted, min(first, attempted_first or at)
        if micros is not None:
            cost_micros[currency] += micros
    since = max(first, resumed_at or first)
    return Ledger(
        state=row[0],
        reason=row[1] or row[7],
        due_at=row[8],
        audience=row[2],
        expanded=row[3],
        excluded=row[4] or {},
        duplicates=row[5],
        arrived=row[6],
        classes=classes,
        cost_micros=cost_micros,
        by_lots=dict(zip(_TERMS, row[9], strict=True)),
        at=at,
        per_second=recent / min(max((at - since).total_seconds(), 1.0), RATE_SECONDS),
    )


async def mark_templates(connection: Connection, changes: list[TemplateChanged]) -> None:
    """Keeps the newest version of each template."""
    for change in changes:
        await connection.execute(
            """
            INSERT INTO templates (id, user_id, channel, version, content, deleted)
            VALUES (%b, %b, %b, %b, %b::jsonb, %b)
            ON CONFLICT (id) DO UPDATE SET version = excluded.version, content = excluded.content,
                                           deleted = excluded.deleted
            WHERE templates.version < excluded.version
            """,
            (
                change.template_id,
                change.user_id,
                change.channel,
                change.version,
                msgspec.json.encode(change.content).decode(),
                change.deleted,
            ),
        )


async def find_template(connection: Connection, user_id: str, channel: str, template_id: UUID) -> dict[str, Any] | None:
    """The content of a tenant's template, None where there is none."""
    cursor = await connection.execute(
        "SELECT content FROM templates WHERE id = %b AND user_id = %b AND channel = %b AND NOT deleted",
        (template_id, user_id, channel),
    )
    row = await cursor.fetchone()
    return None if row is None else row[0]


async def find_tariffs(connection: Connection) -> dict[tuple[str, str], dict[str, tuple[int, str]]]:
    """All tariffs by (channel, provider type) and prefix."""
    cursor = await connection.execute("SELECT channel, provider_type, prefix, cost_micros, currency FROM tariffs")
    found: dict[tuple[str, str], dict[str, tuple[int, str]]] = {}
    for channel, provider_type, prefix, micros, currency in await cursor.fetchall():
        found.setdefault((channel, provider_type), {})[prefix] = (micros, currency)
    return found
