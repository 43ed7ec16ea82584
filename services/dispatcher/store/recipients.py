"""Reading the ledger: lists, and one recipient's whole story."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.channels import Channel
from services.dispatcher.tables import RECIPIENTS


async def find_recipients(
    connection: AsyncConnection,
    channel: Channel,
    user_id: str,
    campaign_id: UUID,
    filters: dict[str, Any],
    after: UUID | None,
    rows_max: int,
) -> list[RowMapping]:
    """A campaign's recipients in order of id, from after `after`; `filters` are columns and their values."""
    table = RECIPIENTS[channel.name]
    query = select(table).where(table.c.campaign_id == campaign_id, table.c.user_id == user_id)
    for name, value in filters.items():
        query = query.where(table.c[name] == value)
    if after is not None:
        query = query.where(table.c.id > after)
    return list((await connection.execute(query.order_by(table.c.id).limit(rows_max))).mappings())


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
