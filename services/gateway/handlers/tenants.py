"""Settings of tenants."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from services.gateway.domain.tenants import TenantSettings
from services.gateway.handlers.recent import Recent
from services.gateway.store import tenants as store
from shared.database import Database, TenantDatabase


@dataclass(slots=True)
class Tenants:
    """What tenants have set."""

    database: Database
    _recent: Recent[TenantSettings] = field(default_factory=Recent)

    async def recent(self, user_id: str) -> TenantSettings:
        """The tenant's settings of the last few seconds."""
        return await self._recent.find(user_id, lambda: self.read(user_id))

    async def read(self, user_id: str) -> TenantSettings:
        """The tenant's settings of this moment."""
        # Without the wall, which where no tenant is named would show the defaults: they ask for no approval.
        async with self.database.pool.connection() as connection:
            return await store.find_settings(connection, user_id)

    async def change(self, user_id: str, values: dict[str, Any]) -> TenantSettings:
        """The settings after the change."""
        if not values:
            return await self.read(user_id)
        async with TenantDatabase(self.database).transaction() as connection:
            changed = await store.put_settings(connection, user_id, values)
        return self._recent.put(user_id, changed)
