"""Folding receipts into the ledger."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from uuid import UUID

from contracts.channels import Channel
from services.dispatcher.domain import STATUS_RANK, Change, Joined
from shared.database import Connection


def _rank(column: str) -> str:
    whens = " ".join(f"WHEN '{status}' THEN {rank}" for status, rank in STATUS_RANK.items())
    return f"CASE {column} {whens} ELSE 9 END"


async def find_meant(
    connection: Connection, channel: Channel, stated: Collection[tuple[UUID, str]]
) -> dict[tuple[UUID, str], UUID]:
    """The recipients with these addresses in the lots of these recipients: a batch at a provider is part of a lot."""
    table = f"{channel.name}_campaign_recipients"
    cursor = await connection.execute(
        f"""
        WITH stated AS (
            SELECT * FROM unnest(%b::uuid[], %b::text[]) AS s (id, address)
        ), members AS MATERIALIZED (
            SELECT s.id AS named, r.id, r.{channel.address_column} AS address
            FROM (SELECT DISTINCT id FROM stated) s JOIN {table} n ON n.id = s.id JOIN lots l ON l.id = n.lot_id
            JOIN {table} r ON r.id BETWEEN l.first_id AND l.last_id AND r.lot_id = l.id
        )
        SELECT s.id, s.address, m.id FROM stated s JOIN members m ON m.named = s.id AND m.address = s.address
        """,  # noqa: S608
        ([one[0] for one in stated], [one[1] for one in stated]),
        binary=True,
    )
    return {(row[0], row[1]): row[2] for row in await cursor.fetchall()}


async def find_addresses(
    connection: Connection, channel: Channel, recipient_ids: Collection[UUID]
) -> dict[UUID, tuple[str, str | None]]:
    """The address of each recipient, and whose it is where that is known."""
    cursor = await connection.execute(
        f"""
        SELECT id, {channel.address_column}, customer_id FROM {channel.name}_campaign_recipients WHERE id = ANY (%b)
        """,  # noqa: S608
        (list(recipient_ids),),
        binary=True,
    )
    return {row[0]: (row[1], row[2]) for row in await cursor.fetchall()}


async def mark_receipts(connection: Connection, channel: Channel, joined: Sequence[Joined]) -> list[Change]:
    """Joins the receipts (given in order of id) with their rows; returns what was there before.

    Skipped recipients were never sent to and keep their state. A receipt settles `unknown`, proves a refusal or a
    deferral wrong, and leaves an attempt whose sender is still at work to that sender.

    The lots' sums come from the rows as locked. `lots.unknown - …` in the UPDATE itself would first be tried on the
    version that the statement began with, and break the CHECK where a sender has just counted what is settled here.
    """
    if not joined:
        return []
    table, engagements = f"{channel.name}_campaign_recipients", channel.engagement_columns
    sets = "".join(f", {c} = least(r.{c}, l.new_{c})" for c in engagements)
    names = "".join(f", new_{c}" for c in engagements)
    arrays = "".join(", %b::timestamptz[]" for _ in engagements)
    old = "".join(f", r.{c} IS NOT NULL AS old_{c}" for c in engagements)
    returned = "".join(f", l.old_{c}" for c in engagements)
    kept = "l.new_status = 'sending' AND r.outcome IS DISTINCT FROM 'unknown' AND r.outcome IS DISTINCT FROM 'refused'"
    failed = "l.new_status IN ('failed', 'bounced') AND r.status <> 'delivered'"
    cursor = await connection.execute(
        f"""
        WITH incoming AS (
            SELECT * FROM unnest(%b::uuid[], %b::text[], %b::timestamptz[], %b::timestamptz[], %b::text[], %b::text[],
                                 %b::text[], %b::bigint[], %b::text[]{arrays})
                AS i (id, new_status, new_delivered, proved, new_class, new_code, message_id, price, price_currency
                      {names})
        ), locked AS MATERIALIZED (
            SELECT i.*, r.status AS old_status, r.outcome AS old_outcome, r.cost_micros AS old_cost,
                   r.currency AS old_currency,
                   r.delivered_at IS NOT NULL AS old_delivered{old}
            FROM {table} r JOIN incoming i ON i.id = r.id
            WHERE r.outcome IS DISTINCT FROM 'skipped' AND r.attempts > 0
            ORDER BY r.id FOR UPDATE OF r
        ), marked AS (
            UPDATE {table} r SET
                status = CASE WHEN r.outcome = 'refused' OR {_rank("l.new_status")} > {_rank("r.status")}
                              THEN l.new_status ELSE r.status END,
                outcome = CASE WHEN r.outcome IN ('unknown', 'refused') OR r.status = 'queued' THEN 'accepted'
                               ELSE r.outcome END,
                accepted_at = least(r.accepted_at, l.proved),
                delivered_at = least(r.delivered_at, l.new_delivered),
                failure_reason = CASE WHEN {kept} THEN r.failure_reason WHEN {failed}
                                      THEN coalesce(l.new_code, l.new_class, r.failure_reason) END,
                error_class = CASE WHEN {kept} THEN r.error_class WHEN {failed}
                                   THEN coalesce(l.new_class, r.error_class) END,
                provider_message_id = coalesce(r.provider_message_id, l.message_id),
                cost_micros = coalesce(l.price, r.cost_micros),
                currency = coalesce(l.price_currency, r.currency){sets}
            FROM locked l WHERE r.id = l.id
            RETURNING r.id, r.campaign_id, r.user_id, (SELECT lane FROM lots WHERE lots.id = r.lot_id), r.lot_id,
                      l.old_status, l.old_outcome, l.old_delivered, r.segments, r.cost_micros, r.currency,
                      l.old_cost, l.old_currency{returned}
        ), resolved AS (
            SELECT lot_id, count(*) FILTER (WHERE old_outcome = 'unknown')::int AS unknown,
                   count(*) FILTER (WHERE old_outcome = 'refused')::int AS refused,
                   count(*) FILTER (WHERE old_status = 'queued')::int AS queued
            FROM marked WHERE old_outcome IN ('unknown', 'refused') OR old_status = 'queued' GROUP BY lot_id
        ), sums AS MATERIALIZED (
            SELECT lots.id, lots.unknown - x.unknown AS unknown, lots.refused - x.refused AS refused,
                   lots.queued - x.queued AS queued, lots.accepted + x.unknown + x.refused + x.queued AS accepted
            FROM lots JOIN resolved x ON x.lot_id = lots.id
            ORDER BY lots.id FOR UPDATE OF lots
        ), summed AS (
            UPDATE lots SET unknown = s.unknown, refused = s.refused, queued = s.queued, accepted = s.accepted
            FROM sums s WHERE lots.id = s.id
        )
        SELECT * FROM marked
        """,  # noqa: S608
        (
            [one.recipient_id for one in joined],
            [one.status for one in joined],
            [one.delivered_at for one in joined],
            [one.proved_at for one in joined],
            [one.error_class for one in joined],
            [one.code for one in joined],
            [one.provider_message_id for one in joined],
            [one.cost_micros for one in joined],
            [one.currency for one in joined],
            *([one.engaged_at[position] for one in joined] for position in range(len(engagements))),
        ),
        binary=True,
    )
    by_id = {one.recipient_id: one for one in joined}
    return [
        Change(
            joined=by_id[row[0]],
            campaign_id=row[1],
            user_id=row[2],
            lane=row[3],
            old_status=row[5],
            old_outcome=row[6],
            old_delivered=row[7],
            segments=row[8],
            cost_micros=row[9],
            currency=row[10],
            old_cost_micros=row[11],
            old_currency=row[12],
            old_engaged=tuple(row[13:]),
        )
        for row in await cursor.fetchall()
    ]
