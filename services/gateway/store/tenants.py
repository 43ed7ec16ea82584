"""Settings of tenants."""

from __future__ import annotations

from typing import Any

from psycopg import sql
from psycopg.rows import class_row

from services.gateway.domain.tenants import TenantSettings
from services.gateway.store.rows import assignments, columns_of, insertion
from shared.database import Connection

_COLUMNS = columns_of(TenantSettings)


async def find_settings(connection: Connection, user_id: str) -> TenantSettings:
    """What the tenant has set; the defaults for one that never set anything."""
    async with connection.cursor(row_factory=class_row(TenantSettings)) as cursor:
        await cursor.execute(sql.SQL("SELECT {} FROM tenant_settings WHERE user_id = %s").format(_COLUMNS), (user_id,))
        return await cursor.fetchone() or TenantSettings()


async def put_settings(connection: Connection, user_id: str, values: dict[str, Any]) -> TenantSettings:
    """The settings after the change of those that are named."""
    statement = (
        insertion("tenant_settings", {"user_id": user_id, **values})
        + sql.SQL(" ON CONFLICT (user_id) DO UPDATE SET updated_at = now(), {} RETURNING ").format(assignments(values))
        + _COLUMNS
    )
    async with connection.cursor(row_factory=class_row(TenantSettings)) as cursor:
        await cursor.execute(statement, {**values, "user_id": user_id})
        found = await cursor.fetchone()
    assert found is not None
    return found
