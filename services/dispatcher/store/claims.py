"""Taking work: leases on lots, and the one statement that commits attempts before anything is sent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from contracts.channels import CHANNELS, Channel
from shared.database import Connection
from shared.ids import new_id


@dataclass(frozen=True, slots=True)
class Lot:
    """A leased lot with what is needed to send it. `content` is the campaign's, or the lot's own.

    `skip_reason` is why nobody of it is sent to any more.
    `was_halted`: the guard halted the campaign, and somebody has resumed it since.
    """

    id: UUID
    campaign_id: UUID
    user_id: str
    channel: str
    lane: str
    provider_id: UUID | None
    category: str
    template_id: UUID | None
    content: dict[str, Any] | None
    skip_reason: str | None
    expires_at: datetime | None
    deferrals: int
    was_halted: bool


_SKIP_REASON = """CASE WHEN c.state = 'cancelled' THEN 'cancelled' WHEN l.skip_reason IS NOT NULL THEN l.skip_reason
                       WHEN l.expires_at <= now() THEN 'expired' END"""
"""Of a lot `l` whose campaign is `c`."""


async def claim_lot(connection: Connection, lane: str, worker: UUID, lease_seconds: float) -> Lot | None:
    """Leases the due lot of the tenant that has the fewest leased; skips lots that others are claiming."""
    cursor = await connection.execute(
        f"""
        WITH tenant AS (
            SELECT w.user_id FROM (
                SELECT DISTINCT user_id FROM lots WHERE state = 'waiting' AND lane = %(lane)b AND due_at <= now()
            ) w
            LEFT JOIN (SELECT user_id, count(*) AS busy FROM lots WHERE state = 'leased' GROUP BY 1) b USING (user_id)
            ORDER BY coalesce(b.busy, 0), random() LIMIT 1
        ), chosen AS (
            SELECT l.id FROM lots l JOIN tenant USING (user_id)
            WHERE l.state = 'waiting' AND l.lane = %(lane)b AND l.due_at <= now()
            ORDER BY l.due_at, l.id LIMIT 1 FOR UPDATE OF l SKIP LOCKED
        )
        UPDATE lots SET state = 'leased', reason = NULL, worker = %(worker)b,
                        lease_until = clock_timestamp() + %(lease)b * interval '1 second'
        FROM chosen, lots l LEFT JOIN campaigns c ON c.id = l.campaign_id
        WHERE lots.id = chosen.id AND l.id = chosen.id
        RETURNING lots.id, lots.campaign_id, lots.user_id, lots.channel, lots.lane,
                  coalesce(lots.provider_id, c.provider_id), lots.category, lots.template_id,
                  coalesce(lots.content, c.content), {_SKIP_REASON}, lots.expires_at, lots.deferrals,
                  c.halted_at IS NOT NULL
        """,  # noqa: S608
        {"lane": lane, "worker": worker, "lease": lease_seconds},
    )
    row = await cursor.fetchone()
    return None if row is None else Lot(*row)


@dataclass(frozen=True, slots=True)
class Claimed:
    """A recipient whose attempt is committed once the claim's transaction is."""

    id: UUID
    address: str
    name: str | None
    customer_id: str | None
    attempts: int
    variables: dict[str, str] | None


@dataclass(frozen=True, slots=True)
class Skipped:
    """A recipient who will not be sent to, with the reason that holds at this moment."""

    id: UUID
    reason: str


@dataclass(frozen=True, slots=True)
class MicroLot:
    """Attempts committed together. `attempt_id` names them in the list of attempts."""

    attempt_id: UUID
    claimed: list[Claimed]
    skipped: list[Skipped]


async def claim_recipients(
    connection: Connection, channel: Channel, lot: Lot, worker: UUID, lease_seconds: float, rows_max: int
) -> MicroLot:
    """Moves up to `rows_max` queued recipients of a leased lot to `sending`, or skips them, and renews the lease.

    The locks come first and in statements of their own, so that the deciding statement sees every opt-out and
    every pause that committed before them; both wait for this transaction otherwise. The statement then checks the
    lease, the campaign's state, expiry and opt-outs as it counts the attempt.
    """
    attempt_id = new_id()
    async with connection.pipeline():
        await connection.execute(
            "SELECT pg_advisory_xact_lock_shared(hashtextextended(%b::text, 1)),"
            " pg_advisory_xact_lock_shared(hashtextextended(%b, 2))",
            (lot.campaign_id, lot.user_id),
        )
        cursor = await connection.execute(
            _CLAIM[channel.name],
            {
                "lot": lot.id,
                "worker": worker,
                "lease": lease_seconds,
                "rows_max": rows_max,
                "attempt": attempt_id,
                "channel": channel.name,
            },
            binary=True,
        )
    rows = await cursor.fetchall()
    rows.sort(key=_id_of)
    claimed = [Claimed(row[0], *row[3:]) for row in rows if row[1] == "sending"]
    skipped = [Skipped(row[0], row[2]) for row in rows if row[1] != "sending"]
    return MicroLot(attempt_id, claimed, skipped)


def _id_of(row: tuple[Any, ...]) -> UUID:
    found: UUID = row[0]
    return found


def _claim_statement(channel: Channel) -> str:
    table, address = f"{channel.name}_campaign_recipients", channel.address_column
    return f"""
        WITH lot AS (
            SELECT l.*, {_SKIP_REASON} AS skip,
                   ARRAY[l.category, CASE WHEN l.category = 'transactional' THEN l.category ELSE '*' END] AS scopes
            FROM lots l LEFT JOIN campaigns c ON c.id = l.campaign_id
            WHERE l.id = %(lot)b AND l.state = 'leased' AND l.worker = %(worker)b
              AND (l.lane <> 'bulk' OR c.state IN ('sending', 'cancelled'))
            FOR UPDATE OF l
        ), picked AS MATERIALIZED (
            SELECT r.id, coalesce(lot.skip, CASE WHEN EXISTS (
                SELECT FROM opt_outs o
                WHERE o.user_id = lot.user_id AND o.channel = %(channel)b AND o.address = r.{address}
                  AND o.opted_out AND (o.scope = 'all' OR o.scope = ANY (lot.scopes) AND NOT EXISTS (
                    SELECT FROM opt_outs n
                    WHERE n.user_id = o.user_id AND n.channel = o.channel AND n.address = o.address
                      AND n.scope = ANY (lot.scopes) AND NOT n.opted_out
                      AND (n.at > o.at OR n.at = o.at AND o.scope = '*')))) THEN 'opted_out' END) AS skip
            FROM lot JOIN {table} r ON r.id BETWEEN lot.first_id AND lot.last_id AND r.lot_id = lot.id
            WHERE r.status = 'queued'
            ORDER BY r.id LIMIT %(rows_max)b FOR UPDATE OF r
        ), moved AS (
            UPDATE {table} r SET
                status = CASE WHEN p.skip IS NULL THEN 'sending' WHEN p.skip = 'opted_out' THEN 'opted_out'
                              ELSE 'failed' END,
                outcome = CASE WHEN p.skip IS NOT NULL THEN 'skipped' END,
                failure_reason = p.skip,
                attempts = r.attempts + (p.skip IS NULL)::int,
                attempted_at = CASE WHEN p.skip IS NULL THEN clock_timestamp() ELSE r.attempted_at END
            FROM picked p WHERE r.id = p.id
            RETURNING r.id, r.status, p.skip, r.{address}, r.recipient_name, r.customer_id, r.attempts,
                      r.personalization_data
        ), counted AS (
            SELECT count(*) FILTER (WHERE skip IS NULL)::int AS sending,
                   count(*) FILTER (WHERE skip IS NOT NULL)::int AS skipped FROM moved
        ), attempted AS (
            INSERT INTO attempts (id, lot_id, worker, first_id, last_id, recipients)
            SELECT %(attempt)b, %(lot)b, %(worker)b, min(p.id::text)::uuid, max(p.id::text)::uuid, count(*)
            FROM picked p WHERE p.skip IS NULL HAVING count(*) > 0
        ), renewed AS (
            UPDATE lots SET queued = queued - c.sending - c.skipped, sending = lots.sending + c.sending,
                            skipped = lots.skipped + c.skipped,
                            lease_until = clock_timestamp() + %(lease)b * interval '1 second'
            FROM counted c WHERE lots.id = %(lot)b AND c.sending + c.skipped > 0
        )
        SELECT * FROM moved
        """  # noqa: S608


async def mark_skipped(connection: Connection, lot: Lot, worker: UUID, reason: str) -> None:
    """Lets whoever is still queued in a leased lot be skipped."""
    await connection.execute(
        "UPDATE lots SET skip_reason = %b WHERE id = %b AND state = 'leased' AND worker = %b",
        (reason, lot.id, worker),
    )


async def release_lot(
    connection: Connection, lot_id: UUID, worker: UUID, due_at: datetime | None, reason: str | None, is_deferral: bool
) -> None:
    """Gives a leased lot back: done where nothing is queued, held where its campaign rests, else due at `due_at`.

    A deferral makes the next one longer; to wait for one's turn is none.
    """
    await connection.execute(
        """
        UPDATE lots SET
            state = CASE WHEN lots.queued = 0 THEN 'done'
                         WHEN l.lane = 'bulk' AND c.state = 'paused' THEN 'held' ELSE 'waiting' END,
            reason = CASE WHEN lots.queued = 0 THEN NULL
                          WHEN l.lane = 'bulk' AND c.state = 'paused' THEN c.reason ELSE %(reason)b END,
            due_at = coalesce(%(due_at)b, lots.due_at),
            deferrals = lots.deferrals + %(deferral)b::int,
            worker = NULL, lease_until = NULL
        FROM lots l LEFT JOIN campaigns c ON c.id = l.campaign_id
        WHERE lots.id = %(lot)b AND l.id = lots.id AND lots.state = 'leased' AND lots.worker = %(worker)b
        """,
        {"lot": lot_id, "worker": worker, "due_at": due_at, "reason": reason, "deferral": is_deferral},
    )


_CLAIM = {channel.name: _claim_statement(channel) for channel in CHANNELS.values()}
