"""How fast an account may send, over all processes: a debt of time in one row per account.

An account owes the time that what it was granted takes at its rate. It may owe as much as `BURST_SECONDS` send, and at
least one unit; nothing is granted beyond that. A unit is what the provider counts: a segment, a message, a request.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from services.dispatcher.domain import Speed
from shared.database import Connection

BURST_SECONDS = 1.0

BULK_SHARE = 0.9
"""What bulk may use of a burst, so that something is left for what somebody waits for."""

RECOVERY_PER_SECOND = 1.02
"""By how much a rate that was lowered after complaints rises again in a second."""

LEARNED_MIN = 0.1

_LEARNED = f"""
    r.learned * power({RECOVERY_PER_SECOND}, least(extract(epoch FROM clock_timestamp() - r.learned_at), 600))
"""
"""After ten minutes without a complaint it is 150,000 times what it was, which is no limit any more."""

MEASURED_SECONDS_MIN, MEASURED_SECONDS_MAX = 3, 15
"""How long a window must be open to be a measurement, and when the account must have paused in it."""

_WINDOW = "extract(epoch FROM now() - r.counted_from)::float8"

_RATE = f"least(%(configured)b::float8, {_LEARNED})"


@dataclass(frozen=True, slots=True)
class Grant:
    """Units that may be sent now. `wait_seconds` says when more of them will be worth asking for."""

    units: int
    wait_seconds: float
    limited: bool


async def claim_units(
    connection: Connection, account_id: UUID, configured: float | None, wanted: int, urgent: bool
) -> Grant:
    """Takes up to `wanted` units of an account with so many units a second (None: no limit but what was learned)."""
    cursor = await connection.execute(
        f"""
        WITH known AS (
            INSERT INTO rates (account_id) VALUES (%(account)b) ON CONFLICT DO NOTHING
        ), now AS (
            SELECT {_RATE} AS rate, greatest(extract(epoch FROM available_at - clock_timestamp()), 0)::float8 AS debt,
                   greatest(extract(epoch FROM held_until - clock_timestamp()), 0)::float8 AS held
            FROM rates r WHERE account_id = %(account)b FOR UPDATE
        ), free AS (
            SELECT rate, debt, coalesce(held, 0) AS held, greatest(1, rate * {BURST_SECONDS}
                     * CASE WHEN %(urgent)b OR rate * {BURST_SECONDS} < 10 THEN 1 ELSE {BULK_SHARE} END) AS burst
            FROM now
        ), granted AS (
            SELECT *, CASE WHEN held > 0 THEN 0 WHEN rate IS NULL THEN %(wanted)b
                           ELSE least(%(wanted)b, greatest(0, floor(burst - debt * rate + 1e-9)))::int END AS units
            FROM free
        ), taken AS (
            UPDATE rates SET available_at = clock_timestamp() + (g.debt + g.units / g.rate) * interval '1 second'
            FROM granted g WHERE account_id = %(account)b AND g.units > 0 AND g.rate IS NOT NULL
        )
        SELECT units, rate, held,
               (least(%(wanted)b, greatest(1, burst / 4)) - (burst - debt * rate)) / rate
        FROM granted
        """,  # noqa: S608
        {"account": account_id, "configured": configured, "wanted": wanted, "urgent": urgent},
    )
    row = await cursor.fetchone()
    if row is None:  # the row was made by this very statement, which does not see it
        return await claim_units(connection, account_id, configured, wanted, urgent)
    units, rate, held, seconds = row
    return Grant(units, max(held, seconds or 0.0, 0.0), rate is not None or held > 0)


async def mark_used(connection: Connection, account_id: UUID, per_second: float, units: int) -> None:
    """Adds units to the debt that turned out to be needed beyond the grant."""
    await connection.execute(
        """
        UPDATE rates SET available_at = greatest(available_at, clock_timestamp()) + %b / %b * interval '1 second'
        WHERE account_id = %b
        """,
        (float(units), per_second, account_id),
    )


async def find_speed(connection: Connection, account_id: UUID, configured: float | None) -> Speed:
    """What is known of an account's speed; what was learned counts for ten minutes."""
    cursor = await connection.execute(
        f"""
        SELECT CASE WHEN r.learned_at > clock_timestamp() - interval '10 minutes' THEN {_LEARNED} END::float8,
               r.measured, greatest(extract(epoch FROM r.held_until - clock_timestamp()), 0)::float8
        FROM rates r WHERE r.account_id = %b
        """,  # noqa: S608
        (account_id,),
    )
    row = await cursor.fetchone()
    return Speed(configured) if row is None else Speed(configured, *row)


async def mark_measured(connection: Connection, account_id: UUID, messages: int) -> None:
    """Counts messages of which the provider has told the outcome; what a busy account achieves is measured by that.

    All processes count into one window. After a pause the next one begins, and what was measured before it stays.
    """
    await connection.execute(
        f"""
        INSERT INTO rates AS r (account_id, counted) VALUES (%(account)b, %(messages)b)
        ON CONFLICT (account_id) DO UPDATE SET
            measured = CASE WHEN {_WINDOW} BETWEEN {MEASURED_SECONDS_MIN} AND {MEASURED_SECONDS_MAX}
                            THEN (r.counted + %(messages)b) / {_WINDOW} ELSE r.measured END,
            counted = CASE WHEN {_WINDOW} < {MEASURED_SECONDS_MIN} THEN r.counted + %(messages)b ELSE 0 END,
            counted_from = CASE WHEN {_WINDOW} < {MEASURED_SECONDS_MIN} THEN r.counted_from ELSE now() END
        """,  # noqa: S608
        {"account": account_id, "messages": messages},
    )


async def mark_throttled(
    connection: Connection, account_id: UUID, achieved: float, share: float, hold_seconds: float
) -> None:
    """The provider complained about a share of what it got: slower from now on, and nothing before the hold ends.

    `achieved` units a second are where an account begins that had no rate so far.
    """
    await connection.execute(
        f"""
        INSERT INTO rates AS r (account_id, learned, learned_at, held_until)
        VALUES (%(account)b, greatest({LEARNED_MIN}, %(achieved)b * (1 - %(share)b / 2)), clock_timestamp(),
                clock_timestamp() + %(hold)b * interval '1 second')
        ON CONFLICT (account_id) DO UPDATE SET
            learned = greatest({LEARNED_MIN}, coalesce({_LEARNED}, %(achieved)b) * (1 - %(share)b / 2)),
            learned_at = clock_timestamp(),
            held_until = greatest(r.held_until, excluded.held_until)
        """,  # noqa: S608
        {"account": account_id, "achieved": achieved, "share": share, "hold": hold_seconds},
    )
