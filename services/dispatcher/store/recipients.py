"""Reading the ledger: lists, and one recipient's whole story.

No index of the ledger mentions a status, so that changes of it stay cheap. Lists by status go through the lots, whose
sums say where nobody can be found, and look at the recipients of a bounded number of lots.
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
from shared.http import camel

LOTS_MAX = 256
"""Lots whose recipients are looked at for one page; what is not found there is on a later one."""

_FIRST_LOTS = 2
"""Looked at together at first, and then twice as many each time: most pages are full after one lot."""

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

STATUSES = tuple(_LOTS_WITH_STATUS)
OUTCOMES = tuple(_LOTS_WITH_OUTCOME)


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
    matches = _matches(channel, wanted)
    if wanted.address is not None:
        return _page(await _at_address(connection, channel, matches, parameters), rows_max)
    lots = await _candidates(connection, wanted, parameters)
    rows: list[dict[str, Any]] = []
    start, size = 0, _FIRST_LOTS
    while start < len(lots) and len(rows) <= rows_max:
        rows += await _in_lots(connection, channel, matches, parameters, lots[start : start + size])
        start, size = start + size, size * 2
    page = _page(rows, rows_max)
    return Found(page.rows, lots[-1][2]) if page.after is None and len(lots) == LOTS_MAX else page


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
    connection: Connection, channel: Channel, matches: str, parameters: Mapping[str, Any]
) -> list[dict[str, Any]]:
    return await _fetch(
        connection,
        f"""
        SELECT {_columns(channel)} FROM {channel.name}_campaign_recipients r
        WHERE {matches} AND (%(after)b::uuid IS NULL OR r.id > %(after)b) ORDER BY r.id LIMIT %(rows_max)b
        """,  # noqa: S608
        parameters,
    )


async def _candidates(
    connection: Connection, wanted: Wanted, parameters: Mapping[str, Any]
) -> list[tuple[UUID, UUID, UUID]]:
    """Id, first and last recipient of the next lots in which somebody can match."""
    conditions = ["l.user_id = %(user_id)b", "l.channel = %(channel)b"]
    if wanted.campaign_id is not None:
        conditions.append("l.campaign_id = %(campaign_id)b")
    if wanted.status is not None:
        conditions.append(_LOTS_WITH_STATUS[wanted.status])
    if wanted.outcome is not None:
        conditions.append(_LOTS_WITH_OUTCOME[wanted.outcome])
    # No other lot's ids lie within a lot, so of the lots that begin before the place only the last can go on behind it.
    where = " AND ".join(conditions)
    cursor = await connection.execute(
        f"""
        SELECT l.id, l.first_id, l.last_id FROM lots l WHERE {where}
            AND (%(after)b::uuid IS NULL OR l.first_id >= coalesce((
            SELECT begun.first_id FROM (
                SELECT l.first_id, l.last_id FROM lots l WHERE {where} AND l.first_id <= %(after)b
                ORDER BY l.first_id DESC LIMIT 1) begun
            WHERE begun.last_id > %(after)b), %(after)b))
        ORDER BY l.first_id LIMIT %(lots_max)b
        """,  # noqa: S608
        {**parameters, "lots_max": LOTS_MAX},
        binary=True,
    )
    return await cursor.fetchall()


async def _in_lots(
    connection: Connection,
    channel: Channel,
    matches: str,
    parameters: Mapping[str, Any],
    lots: Sequence[tuple[UUID, UUID, UUID]],
) -> list[dict[str, Any]]:
    return await _fetch(
        connection,
        f"""
        SELECT r.* FROM unnest(%(lots)b::uuid[], %(firsts)b::uuid[], %(lasts)b::uuid[]) AS l (id, first_id, last_id)
        CROSS JOIN LATERAL (
            SELECT {_columns(channel)} FROM {channel.name}_campaign_recipients r
            WHERE r.id BETWEEN l.first_id AND l.last_id AND r.lot_id = l.id
                AND (%(after)b::uuid IS NULL OR r.id > %(after)b) AND {matches}
            ORDER BY r.id LIMIT %(rows_max)b
        ) r ORDER BY r.id LIMIT %(rows_max)b
        """,  # noqa: S608
        {
            **parameters,
            "lots": [lot[0] for lot in lots],
            "firsts": [lot[1] for lot in lots],
            "lasts": [lot[2] for lot in lots],
        },
    )


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


async def find_attempts(connection: AsyncConnection, lot_id: UUID, recipient_id: UUID) -> list[RowMapping]:
    """The attempts whose micro-lots span the recipient, and the lot that they belong to."""
    query = text(
        "SELECT a.id, a.started_at, a.finished_at FROM attempts a"
        " WHERE a.lot_id = :lot AND :recipient BETWEEN a.first_id AND a.last_id ORDER BY a.started_at"
    )
    return list((await connection.execute(query, {"lot": lot_id, "recipient": recipient_id})).mappings())
