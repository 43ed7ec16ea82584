"""What became of attempts: recorded once, only for the attempt that they belong to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from contracts.channels import Channel
from shared.database import Connection


@dataclass(frozen=True, slots=True)
class Recorded:
    """The outcome of one attempt as the ledger keeps it; `outcome` is accepted, refused, unknown or deferred."""

    id: UUID
    attempts: int
    outcome: str
    error_class: str | None = None
    code: str | None = None
    provider_message_id: str | None = None
    segments: int | None = None
    cost_micros: int | None = None
    currency: str | None = None


class Taken(NamedTuple):
    """What a row holds that took an outcome."""

    outcome: str
    cost_micros: int | None
    currency: str | None


async def mark_outcomes(
    connection: Connection, channel: Channel, lot_id: UUID, attempt_id: UUID | None, outcomes: Sequence[Recorded]
) -> dict[UUID, Taken]:
    """Records outcomes in order of id, counts them in the lot, and returns what the rows hold that took one.

    A row takes an outcome only from its own attempt, and only while nothing better is known: a receipt that came
    first has settled it, and turns `unknown` into `accepted`. A price in such a receipt stays. `deferred` puts the
    recipient back into the queue.
    The lot's sums come from the row as locked, for the reason in `mark_receipts`.
    """
    table = f"{channel.name}_campaign_recipients"
    cursor = await connection.execute(
        f"""
        WITH incoming AS (
            SELECT * FROM unnest(%b::uuid[], %b::smallint[], %b::text[], %b::text[], %b::text[], %b::text[],
                                 %b::smallint[], %b::bigint[], %b::text[])
                AS i (id, attempts, outcome, error_class, code, provider_message_id, segments, cost_micros, currency)
        ), locked AS MATERIALIZED (
            SELECT i.*, r.status, r.outcome AS old FROM {table} r JOIN incoming i ON i.id = r.id
            WHERE r.attempts = i.attempts AND (r.outcome IS NULL OR r.outcome = 'unknown') AND r.status <> 'queued'
              AND (i.outcome IN ('accepted', 'unknown') OR r.status = 'sending')
              AND (i.outcome <> 'unknown' OR r.outcome IS NULL)
            ORDER BY r.id FOR UPDATE OF r
        ), marked AS (
            UPDATE {table} r SET
                status = CASE WHEN l.outcome = 'deferred' THEN 'queued' WHEN l.outcome = 'refused' THEN 'failed'
                              ELSE r.status END,
                outcome = CASE WHEN l.outcome = 'deferred' THEN NULL
                               WHEN l.outcome = 'unknown' AND r.status <> 'sending' THEN 'accepted'
                               ELSE l.outcome END,
                accepted_at = CASE WHEN l.outcome = 'accepted'
                                     OR (l.outcome = 'unknown' AND r.status <> 'sending')
                                   THEN coalesce(r.accepted_at, clock_timestamp()) ELSE r.accepted_at END,
                failure_reason = CASE WHEN r.status <> 'sending' THEN r.failure_reason
                                      ELSE coalesce(l.code, l.error_class) END,
                error_class = CASE WHEN r.status <> 'sending' THEN r.error_class ELSE l.error_class END,
                provider_message_id = coalesce(l.provider_message_id, r.provider_message_id),
                segments = coalesce(l.segments, r.segments),
                cost_micros = CASE WHEN l.outcome = 'deferred' THEN NULL WHEN r.outcome IS NULL
                                   THEN coalesce(r.cost_micros, l.cost_micros)
                                   ELSE coalesce(l.cost_micros, r.cost_micros) END,
                currency = CASE WHEN l.outcome = 'deferred' THEN NULL WHEN r.outcome IS NULL
                                THEN coalesce(r.currency, l.currency) ELSE coalesce(l.currency, r.currency) END
            FROM locked l WHERE r.id = l.id
            RETURNING r.id, coalesce(r.outcome, 'deferred') AS outcome, l.old, r.cost_micros, r.currency
        ), counted AS (
            SELECT count(*) FILTER (WHERE outcome = 'accepted')::int AS accepted,
                   count(*) FILTER (WHERE outcome = 'refused')::int AS refused,
                   count(*) FILTER (WHERE outcome = 'unknown')::int AS unknown,
                   count(*) FILTER (WHERE outcome = 'deferred')::int AS deferred,
                   count(*) FILTER (WHERE old IS NULL)::int AS from_sending,
                   count(*) FILTER (WHERE old = 'unknown')::int AS from_unknown FROM marked
        ), finished AS (
            UPDATE attempts SET finished_at = clock_timestamp() WHERE id = %b
        ), sums AS MATERIALIZED (
            SELECT l.id, l.sending - c.from_sending AS sending, l.queued + c.deferred AS queued,
                   l.accepted + c.accepted AS accepted, l.refused + c.refused AS refused,
                   l.unknown + c.unknown - c.from_unknown AS unknown,
                   CASE WHEN l.state = 'done' AND c.deferred > 0 THEN 'waiting' ELSE l.state END AS state
            FROM lots l, counted c WHERE l.id = %b FOR UPDATE OF l
        ), summed AS (
            UPDATE lots SET sending = s.sending, queued = s.queued, accepted = s.accepted, refused = s.refused,
                            unknown = s.unknown, state = s.state
            FROM sums s WHERE lots.id = s.id
        )
        SELECT id, outcome, cost_micros, currency FROM marked
        """,  # noqa: S608
        (
            [o.id for o in outcomes],
            [o.attempts for o in outcomes],
            [o.outcome for o in outcomes],
            [o.error_class for o in outcomes],
            [o.code for o in outcomes],
            [o.provider_message_id for o in outcomes],
            [o.segments for o in outcomes],
            [o.cost_micros for o in outcomes],
            [o.currency for o in outcomes],
            attempt_id,
            lot_id,
        ),
        binary=True,
    )
    return {row[0]: Taken(*row[1:]) for row in await cursor.fetchall()}


@dataclass(frozen=True, slots=True)
class ExpiredLot:
    """A lot whose worker did not come back."""

    id: UUID
    campaign_id: UUID
    user_id: str
    channel: str
    lane: str


async def claim_expired(connection: Connection, margin_seconds: float) -> ExpiredLot | None:
    """Locks one lot whose lease ended so long ago that no worker writes for it any more."""
    cursor = await connection.execute(
        """
        SELECT id, campaign_id, user_id, channel, lane FROM lots
        WHERE state = 'leased' AND lease_until < clock_timestamp() - %b * interval '1 second'
        ORDER BY lease_until LIMIT 1 FOR UPDATE SKIP LOCKED
        """,
        (margin_seconds,),
    )
    row = await cursor.fetchone()
    return None if row is None else ExpiredLot(*row)


class Proved(NamedTuple):
    """An attempt of a lost worker that a receipt has proved."""

    id: UUID
    accepted_at: datetime
    cost_micros: int | None
    currency: str | None


async def mark_unfinished_unknown(connection: Connection, channel: Channel, lot_id: UUID) -> list[Proved]:
    """Ends the attempts that a lost worker left behind: unknown, unless a receipt has proved them; frees the lot."""
    table = f"{channel.name}_campaign_recipients"
    cursor = await connection.execute(
        f"""
        WITH lot AS (SELECT * FROM lots WHERE id = %(lot)b),
        locked AS MATERIALIZED (
            SELECT r.id FROM lot JOIN {table} r ON r.id BETWEEN lot.first_id AND lot.last_id AND r.lot_id = lot.id
            WHERE r.status <> 'queued' AND r.outcome IS NULL ORDER BY r.id FOR UPDATE OF r
        ), ended AS (
            UPDATE {table} r SET outcome = CASE WHEN r.status = 'sending' THEN 'unknown' ELSE 'accepted' END,
                                 accepted_at = CASE WHEN r.status = 'sending' THEN r.accepted_at
                                                    ELSE coalesce(r.accepted_at, clock_timestamp()) END
            FROM locked WHERE r.id = locked.id
            RETURNING r.id, r.outcome, r.accepted_at, r.cost_micros, r.currency
        ), counted AS (
            SELECT count(*)::int AS ended, count(*) FILTER (WHERE outcome = 'unknown')::int AS unknown FROM ended
        ), freed AS (
            UPDATE lots SET sending = lots.sending - c.ended, unknown = lots.unknown + c.unknown,
                            accepted = lots.accepted + c.ended - c.unknown,
                            state = CASE WHEN lots.queued = 0 THEN 'done' ELSE 'waiting' END,
                            worker = NULL, lease_until = NULL, reason = NULL
            FROM counted c WHERE lots.id = %(lot)b
        )
        SELECT id, accepted_at, cost_micros, currency FROM ended WHERE outcome = 'accepted'
        """,  # noqa: S608
        {"lot": lot_id},
    )
    return [Proved(*row) for row in await cursor.fetchall()]
