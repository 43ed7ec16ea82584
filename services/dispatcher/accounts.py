"""Provider accounts in use: opened once per version, closed when they change."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from services.dispatcher.domain import NO_PROVIDER, PROVIDER_MISSING
from services.dispatcher.store.providers import find_provider, find_providers
from services.dispatcher.tables import PROVIDERS, SEALED_COLUMNS
from shared.database import Database
from shared.providers.provider import Provider
from shared.providers.registry import concurrency_of, open_provider, rate_of
from shared.providers.wire import Wire
from shared.security import Seal, SealBroken

_FIELDS = {
    "api_key": "apiKey",
    "api_secret": "apiSecret",
    "account_sid": "accountSid",
    "phone_number": "phoneNumber",
    "server_key": "serverKey",
    "sender_id": "senderId",
}


@dataclass(frozen=True, slots=True)
class Usable:
    """An account that can send now."""

    id: UUID
    provider_type: str
    version: int
    provider: Provider
    per_second: float | None = None
    """The limit that the account's owner has set, in the provider's units."""

    concurrent_max: int | None = None
    """How many requests the account's owner lets be under way, over all processes."""


@dataclass(frozen=True, slots=True)
class Unusable:
    """Why nothing can be sent, in words that people are shown."""

    reason: str


@dataclass(slots=True)
class Accounts:
    """The accounts of one dispatcher process."""

    database: Database
    seal: Seal
    wire: Wire
    _open: dict[UUID, Usable] = field(default_factory=dict)

    async def find(self, channel: str, user_id: str, provider_id: UUID | None) -> Usable | Unusable:
        """The named account, or the tenant's first active one; opened anew when it has changed."""
        async with self.database.engine.connect() as connection:
            if provider_id is not None:
                row = await find_provider(connection, channel, provider_id, user_id)
            else:
                rows = await find_providers(connection, channel, user_id, None, 100)
                row = next((one for one in rows if one["is_active"]), None)
        if row is None:
            return Unusable(NO_PROVIDER if provider_id is None else PROVIDER_MISSING)
        if not row["is_active"]:
            return Unusable("provider_inactive")
        known = self._open.get(row["id"])
        if known is not None and known.version == row["version"]:
            return known
        try:
            values = account_values(self.seal, channel, row)
            usable = Usable(
                row["id"],
                row["provider_type"],
                row["version"],
                open_provider(channel, row["provider_type"], values, self.wire),
                rate_of(values),
                concurrency_of(values),
            )
        except (ValueError, SealBroken):
            return Unusable("provider_configuration")
        self._open[row["id"]] = usable
        if known is not None:
            await known.provider.close()
        return usable

    async def close(self) -> None:
        """Ends what is in flight."""
        for usable in self._open.values():
            await usable.provider.close()


@asynccontextmanager
async def open_accounts(database: Database, seal: Seal, wire: Wire) -> AsyncIterator[Accounts]:
    """The accounts, closed with their wire at the end."""
    accounts = Accounts(database, seal, wire)
    try:
        yield accounts
    finally:
        await accounts.close()
        await wire.close()


def account_values(seal: Seal, channel: str, row: Mapping[Any, Any]) -> dict[str, Any]:
    """An account's fields as the API names them, credentials opened; raises `SealBroken`."""
    values: dict[str, Any] = {}
    for column in PROVIDERS[channel].c:
        if column.name in _FIELDS and row[column.name] is not None:
            value = row[column.name]
            sealed = column.name in SEALED_COLUMNS
            values[_FIELDS[column.name]] = seal.open(value)["value"] if sealed else value
    values["config"] = seal.open(row["config"]) if row["config"] is not None else {}
    return values


def account_columns(seal: Seal, channel: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """The other way round: the columns for the fields that are given."""
    columns: dict[str, Any] = {}
    for column in PROVIDERS[channel].c:
        name = _FIELDS.get(column.name)
        if name is not None and name in values:
            value = values[name]
            sealed = column.name in SEALED_COLUMNS and value is not None
            columns[column.name] = seal.close({"value": value}) if sealed else value
    if "config" in values:
        columns["config"] = seal.close(dict(values["config"] or {}))
    return columns
