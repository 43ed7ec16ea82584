"""Provider accounts; credentials are sealed before they get here."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, delete, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from services.dispatcher.tables import PROVIDERS


async def find_providers(
    connection: AsyncConnection, channel: str, user_id: str, after: UUID | None, rows_max: int
) -> list[RowMapping]:
    """A tenant's accounts in order of id, from after `after`."""
    table = PROVIDERS[channel]
    query = select(table).where(table.c.user_id == user_id).order_by(table.c.id).limit(rows_max)
    if after is not None:
        query = query.where(table.c.id > after)
    return list((await connection.execute(query)).mappings())


async def find_provider(
    connection: AsyncConnection, channel: str, provider_id: UUID, user_id: str | None = None
) -> RowMapping | None:
    """An account, of this tenant only where one is named."""
    table = PROVIDERS[channel]
    query = select(table).where(table.c.id == provider_id)
    if user_id is not None:
        query = query.where(table.c.user_id == user_id)
    return (await connection.execute(query)).mappings().one_or_none()


async def update_provider(
    connection: AsyncConnection, channel: str, user_id: str, provider_id: UUID, values: dict[str, Any]
) -> RowMapping | None:
    """The account after the change, with a new version; None where the tenant has no such account."""
    table = PROVIDERS[channel]
    statement = (
        update(table)
        .where(table.c.id == provider_id, table.c.user_id == user_id)
        .values(values | {"version": table.c.version + 1})
        .returning(*table.c)
    )
    return (await connection.execute(statement)).mappings().one_or_none()


async def find_waiting_campaigns(
    connection: AsyncConnection, channel: str, user_id: str, provider_id: UUID, rows_max: int
) -> list[UUID]:
    """The tenant's campaigns that were launched with the account, and have people left to send to."""
    query = text(
        "SELECT id FROM campaigns WHERE user_id = :user AND channel = :channel AND provider_id = :provider"
        " AND NOT final AND state <> 'cancelled' ORDER BY id LIMIT :rows_max"
    )
    given = {"user": user_id, "channel": channel, "provider": provider_id, "rows_max": rows_max}
    return list((await connection.execute(query, given)).scalars())


async def delete_provider(
    connection: AsyncConnection, channel: str, user_id: str, provider_id: UUID
) -> RowMapping | None:
    """The account that was there; None where the tenant has no such account."""
    table = PROVIDERS[channel]
    statement = delete(table).where(table.c.id == provider_id, table.c.user_id == user_id).returning(*table.c)
    return (await connection.execute(statement)).mappings().one_or_none()
