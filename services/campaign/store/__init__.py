"""The campaign service's SQL: small queries on rows of one tenant."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, Table, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.events import CampaignProgressed, ProviderChanged
from services.campaign.domain.states import EDITABLE
from services.campaign.tables import CAMPAIGNS, PROVIDERS


async def find_row(
    connection: AsyncConnection, table: Table, user_id: str, row_id: UUID, lock: bool = False
) -> RowMapping | None:
    """A tenant's row; with `lock` nobody else changes it before the transaction ends."""
    query = select(table).where(table.c.id == row_id, table.c.user_id == user_id)
    return (await connection.execute(query.with_for_update() if lock else query)).mappings().one_or_none()


async def update_row(connection: AsyncConnection, table: Table, row_id: UUID, values: dict[str, Any]) -> RowMapping:
    """The row after the change, with a new version."""
    statement = (
        update(table)
        .where(table.c.id == row_id)
        .values(values | {"version": table.c.version + 1, "updated_at": func.now()})
        .returning(*table.c)
    )
    return (await connection.execute(statement)).mappings().one()


async def delete_row(connection: AsyncConnection, table: Table, row_id: UUID) -> None:
    """Deletes it."""
    await connection.execute(delete(table).where(table.c.id == row_id))


async def find_unlaunched(
    connection: AsyncConnection, table: Table, user_id: str, template_id: UUID, rows_max: int
) -> list[UUID]:
    """The tenant's campaigns that are still to be sent with the template."""
    query = (
        select(table.c.id)
        .where(table.c.user_id == user_id, table.c.status.in_(EDITABLE), table.c.template_id == template_id)
        .order_by(table.c.id)
        .limit(rows_max)
    )
    return list((await connection.execute(query)).scalars())


async def claim_due(connection: AsyncConnection, channel: str, now: datetime) -> RowMapping | None:
    """Locks one scheduled campaign whose time has come, skipping those that others have."""
    table = CAMPAIGNS[channel]
    query = (
        select(table)
        .where(table.c.status == "scheduled", table.c.scheduled_send_time <= now)
        .order_by(table.c.scheduled_send_time)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    return (await connection.execute(query)).mappings().one_or_none()


async def find_campaign_anywhere(connection: AsyncConnection, channel: str, campaign_id: UUID) -> RowMapping | None:
    """Locks a campaign of whatever tenant, for what the fleet reports about it."""
    table = CAMPAIGNS[channel]
    query = select(table).where(table.c.id == campaign_id).with_for_update()
    return (await connection.execute(query)).mappings().one_or_none()


async def mark_audience(connection: AsyncConnection, channel: str, campaign_id: UUID, audience: int) -> None:
    """Keeps how many people the filter found."""
    table = CAMPAIGNS[channel]
    await connection.execute(update(table).where(table.c.id == campaign_id).values(audience=audience))


async def mark_progress(connection: AsyncConnection, event: CampaignProgressed) -> None:
    """Keeps the newest progress; the campaign's own version stays."""
    table = CAMPAIGNS[event.channel]
    progress = {
        "terms": event.terms,
        "final": event.final,
        "waitingReason": event.waiting_reason,
        "eta": None if event.eta is None else event.eta.isoformat(),
    }
    await connection.execute(
        update(table)
        .where(table.c.id == event.campaign_id, table.c.progress_version < event.version)
        .values(progress=progress, progress_version=event.version)
    )


async def mark_providers(connection: AsyncConnection, changes: Sequence[ProviderChanged]) -> None:
    """Keeps the newest version of each provider account."""
    for change in changes:
        statement = insert(PROVIDERS).values(
            id=change.provider_id,
            user_id=change.user_id,
            channel=change.channel,
            version=change.version,
            is_active=change.is_active,
            deleted=change.deleted,
        )
        await connection.execute(
            statement.on_conflict_do_update(
                index_elements=["id"],
                set_={name: statement.excluded[name] for name in ("version", "is_active", "deleted")},
                where=PROVIDERS.c.version < statement.excluded.version,
            )
        )


async def find_usable_provider(
    connection: AsyncConnection, user_id: str, channel: str, provider_id: UUID | None
) -> UUID | None:
    """The named account, or the tenant's first, if it is active."""
    query = select(PROVIDERS.c.id).where(
        PROVIDERS.c.user_id == user_id,
        PROVIDERS.c.channel == channel,
        PROVIDERS.c.is_active,
        ~PROVIDERS.c.deleted,
    )
    if provider_id is not None:
        query = query.where(PROVIDERS.c.id == provider_id)
    found: UUID | None = (await connection.execute(query.order_by(PROVIDERS.c.id).limit(1))).scalar_one_or_none()
    return found


async def has_provider(connection: AsyncConnection, user_id: str, channel: str, provider_id: UUID) -> bool:
    """Whether the tenant has the account, active or not."""
    query = select(PROVIDERS.c.id).where(
        PROVIDERS.c.id == provider_id,
        PROVIDERS.c.user_id == user_id,
        PROVIDERS.c.channel == channel,
        ~PROVIDERS.c.deleted,
    )
    return (await connection.execute(query)).scalar_one_or_none() is not None
