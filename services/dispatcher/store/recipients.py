"""Reading the ledger: lists, and one recipient's whole story.

No index of the ledger mentions a status, so that changes of it stay cheap. Lists by status go through the lots, whose
sums say where nobody can be found, until the page is full or a bounded number of recipients was looked at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg.rows import dict_row
from sqlalchemy import RowMapping, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.channels import Channel
from services.dispatcher.tables import RECIPIENTS
from shared.database import Connection
from shared.exports import Query
from shared.names import camel

LOTS_MAX = 2_048
LOOKED_AT_MAX = 100_000
"""A page ends when so many lots, or so many of their recipients, were looked at; the rest is on later ones."""

_FIRST_LOTS, _LOTS_TOGETHER_MAX = 2, 128
"""Looked at together at first, and then twice as many each time, up to a bound: most pages are full after one lot."""

_LOTS_WITH_STATUS: Mapping[str, str] = {
    "queued": "l.queued > 0",
    "sending": "l.sending + l.unknown + l.accepted > 0",
    "delivered": "l.sending + l.accepted > 0",
    "bounced": "l.sending + l.accepted > 0",
    "failed": "l.sending + l.accepted + l.refused + l.skipped > 0",
    "opted_out": "l.skipped > 0",
}
_LOTS_WITH_OUTCOME: Mapping[str, str] = {
    "accepted": "l.accepted > 0",
    "refused": "l.refused > 0",
    "unknown": "l.unknown > 0",
    "skipped": "l.skipped > 0",
}
"""Which lots can have such a recipient; a receipt may come before the outcome of its attempt."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which recipients. Without a campaign those of all the tenant's campaigns and single messages."""

    campaign_id: UUID | None = None
    status: str | None = None
    outcome: str | None = None
    error_class: str | None = None
    address: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """A page, and the id behind which the next one begins; it may be short, or empty, and not the last."""

    rows: Sequence[Mapping[str, Any]]
    after: UUID | None


async def find_recipients(
    connection: Connection, channel: Channel, user_id: str, wanted: Wanted, after: UUID | None, rows_max: int
) -> Found:
    """The tenant's recipients in order of id, from behind `after`."""
    parameters: dict[str, Any] = {
        "user_id": user_id,
        "channel": channel.name,
        "campaign_id": wanted.campaign_id,
        "after": after,
        "status": wanted.status,
        "outcome": wanted.outcome,
        "error_class": wanted.error_class,
        "address": wanted.address,
        "rows_max": rows_max + 1,
    }
    if wanted.address is not None:
        return _page(await _at_address(connection, channel, wanted, parameters), rows_max)
    rows: list[dict[str, Any]] = []
    lots = recipients = 0
    size = _FIRST_LOTS
    while True:
        parameters["lots_max"] = min(size, LOTS_MAX - lots)
        found, looked_at = await _in_lots(connection, channel, wanted, parameters)
        rows, lots, recipients = rows + found, lots + looked_at.lots, recipients + looked_at.recipients
        page = _page(rows, rows_max)
        if page.after is not None or looked_at.lots < parameters["lots_max"]:
            return page
        if lots >= LOTS_MAX or recipients >= LOOKED_AT_MAX:
            return Found(page.rows, looked_at.last_id)
        parameters["after"], size = looked_at.last_id, min(size * 2, _LOTS_TOGETHER_MAX)


def _page(rows: list[dict[str, Any]], rows_max: int) -> Found:
    return Found(rows[:rows_max], rows[rows_max - 1]["id"] if len(rows) > rows_max else None)


def _matches(channel: Channel, wanted: Wanted) -> str:
    """The conditions on a recipient `r`."""
    conditions = ["r.user_id = %(user_id)b"]
    if wanted.campaign_id is not None:
        conditions.append("r.campaign_id = %(campaign_id)b")
    for column in ("status", "outcome", "error_class"):
        if getattr(wanted, column) is not None:
            conditions.append(f"r.{column} = %({column})b")
    if wanted.address is not None:
        conditions.append(f"r.{channel.address_column} = %(address)b")
    return " AND ".join(conditions)


async def _at_address(
    connection: Connection, channel: Channel, wanted: Wanted, parameters: Mapping[str, Any]
) -> list[dict[str, Any]]:
    return await _fetch(
        connection,
        f"""
        SELECT {_columns(channel)} FROM {channel.name}_campaign_recipients r
        WHERE {_matches(channel, wanted)} AND (%(after)b::uuid IS NULL OR r.id > %(after)b)
        ORDER BY r.id LIMIT %(rows_max)b
        """,  # noqa: S608
        parameters,
    )


@dataclass(frozen=True, slots=True)
class _LookedAt:
    """How many lots and recipients were looked at, and the last of these."""

    lots: int
    recipients: int
    last_id: UUID | None


async def _in_lots(
    connection: Connection, channel: Channel, wanted: Wanted, parameters: Mapping[str, Any]
) -> tuple[list[dict[str, Any]], _LookedAt]:
    """The first recipients who match in the next lots in which somebody can."""
    is_begun = parameters["after"] is not None
    rows = await _fetch(
        connection,
        f"""
        WITH chosen AS MATERIALIZED (
            SELECT l.id, l.first_id, l.last_id, l.size FROM lots l WHERE {_candidates(wanted, is_begun)}
            ORDER BY l.first_id LIMIT %(lots_max)b
        ), looked_at AS (
            SELECT count(*) AS lots, sum(size) AS recipients, (array_agg(last_id ORDER BY first_id DESC))[1] AS last_id
            FROM chosen
        )
        SELECT looked_at.lots, looked_at.recipients, looked_at.last_id, r.*
        FROM looked_at LEFT JOIN LATERAL (
            SELECT r.* FROM chosen l CROSS JOIN LATERAL (
                SELECT {_columns(channel)} FROM {channel.name}_campaign_recipients r
                WHERE r.id BETWEEN l.first_id AND l.last_id AND r.lot_id = l.id AND {_matches(channel, wanted)}
                    {"AND r.id > %(after)b" if is_begun else ""}
                ORDER BY r.id LIMIT %(rows_max)b
            ) r ORDER BY r.id LIMIT %(rows_max)b
        ) r ON true ORDER BY r.id
        """,  # noqa: S608
        parameters,
    )
    looked_at = [_LookedAt(row.pop("lots"), row.pop("recipients") or 0, row.pop("last_id")) for row in rows]
    return [row for row in rows if row["id"] is not None], looked_at[0]


def _candidates(wanted: Wanted, is_begun: bool) -> str:
    """The conditions on a lot `l` in which somebody behind `after` can match."""
    conditions = ["l.user_id = %(user_id)b", "l.channel = %(channel)b"]
    if wanted.campaign_id is not None:
        conditions.append("l.campaign_id = %(campaign_id)b")
    if wanted.status is not None:
        conditions.append(_LOTS_WITH_STATUS[wanted.status])
    if wanted.outcome is not None:
        conditions.append(_LOTS_WITH_OUTCOME[wanted.outcome])
    where = " AND ".join(conditions)
    if not is_begun:
        return where
    # No other lot's ids lie within a lot, so of the lots that begin before the place only the last can go on behind it.
    return f"""{where} AND l.first_id >= coalesce((
        SELECT begun.first_id FROM (
            SELECT l.first_id, l.last_id FROM lots l WHERE {where} AND l.first_id <= %(after)b
            ORDER BY l.first_id DESC LIMIT 1) begun
        WHERE begun.last_id > %(after)b), %(after)b)"""  # noqa: S608


def _columns(channel: Channel) -> str:
    return ", ".join(f"r.{column.name}" for column in RECIPIENTS[channel.name].c)


async def _fetch(connection: Connection, statement: str, parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
    async with connection.cursor(row_factory=dict_row, binary=True) as cursor:
        await cursor.execute(statement, parameters)
        return await cursor.fetchall()


def recipients_query(channel: Channel, user_id: str, campaign_id: UUID) -> Query:
    """A campaign's recipients in order of id, lot by lot, so that nothing needs to be sorted."""
    columns = [column for column in RECIPIENTS[channel.name].c if column.name not in _NOT_EXPORTED]
    return Query(
        f"""
        SELECT {", ".join(f"r.{column.name}" for column in columns)}
        FROM (
            SELECT id, first_id, last_id FROM lots
            WHERE campaign_id = %(campaign_id)b AND user_id = %(user_id)b AND channel = %(channel)b ORDER BY first_id
        ) l CROSS JOIN LATERAL (
            SELECT * FROM {channel.name}_campaign_recipients r
            WHERE r.id BETWEEN l.first_id AND l.last_id AND r.lot_id = l.id ORDER BY r.id
        ) r
        """,  # noqa: S608
        {"campaign_id": campaign_id, "user_id": user_id, "channel": channel.name},
        tuple(camel(column.name) for column in columns),
    )


_NOT_EXPORTED = frozenset({"lot_id", "user_id"})


async def find_recipient(
    connection: AsyncConnection, channel: Channel, user_id: str, campaign_id: UUID, recipient_id: UUID
) -> RowMapping | None:
    """One recipient of a tenant's campaign."""
    table = RECIPIENTS[channel.name]
    query = select(table).where(
        table.c.id == recipient_id, table.c.campaign_id == campaign_id, table.c.user_id == user_id
    )
    return (await connection.execute(query)).mappings().one_or_none()


async def find_waiting_reason(connection: AsyncConnection, lot_id: UUID) -> str | None:
    """Why a lot waits, None where it is its turn."""
    found: str | None = await connection.scalar(text("SELECT reason FROM lots WHERE id = :lot"), {"lot": lot_id})
    return found


async def find_attempts(connection: AsyncConnection, lot_id: UUID, recipient_id: UUID) -> list[RowMapping]:
    """The attempts whose micro-lots span the recipient, and the lot that they belong to."""
    query = text(
        "SELECT a.id, a.started_at, a.finished_at FROM attempts a"
        " WHERE a.lot_id = :lot AND :recipient BETWEEN a.first_id AND a.last_id ORDER BY a.started_at"
    )
    return list((await connection.execute(query, {"lot": lot_id, "recipient": recipient_id})).mappings())
