"""Provider accounts, once per channel. Secrets go in and never come out."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import ValidationError

from contracts import topics
from contracts.channels import Channel
from contracts.events import ProviderChanged
from contracts.http.providers import PROVIDER_CHANGES, PROVIDER_WRITES, ProviderChange
from services.dispatcher.accounts import Accounts, Unusable, account_columns, account_values
from services.dispatcher.store.providers import (
    delete_provider,
    find_provider,
    find_providers,
    find_waiting_campaigns,
    update_provider,
)
from services.dispatcher.tables import PROVIDERS
from shared.codec import now
from shared.database import TenantDatabase, insert_once, raw
from shared.http import (
    NAMED_MAX,
    CurrentUser,
    EffectId,
    Limit,
    Problem,
    field_errors,
    name_some,
    page_by_id,
    read_cursor,
)
from shared.ids import new_id
from shared.outbox import Outgoing, put
from shared.providers.registry import validate_account
from shared.security import Seal

MASK = "••••••••"
SECRET_FIELDS = ("apiKey", "apiSecret", "serverKey")
_SECRET_CONFIG = ("key", "secret", "token", "account", "certificate")


def provider_routes(channel: Channel, database: TenantDatabase, accounts: Accounts) -> APIRouter:
    """Create, read, change, delete and try provider accounts."""
    router = APIRouter(prefix=f"/api/notification/{channel.name}/providers")
    seal = accounts.seal

    def read(
        shape: type[ProviderChange], body: Mapping[str, Any], stored: dict[str, Any], provider_type: str
    ) -> dict[str, Any]:
        """The fields that were sent, with which the account can be used; a 422 problem names all that are wrong."""
        errors: list[dict[str, str]] = []
        given = _unmasked(body, stored)
        try:
            given = shape.model_validate(given).given()
        except ValidationError as error:
            errors = field_errors(error)
        named = {one["field"] for one in errors}
        kind = given.get("providerType") or provider_type
        if isinstance(kind, str) and "providerType" not in named:
            found = validate_account(channel.name, kind, stored | given, accounts.wire.allowed_hosts)
            errors += [{"field": p.field, "message": p.message} for p in found if p.field not in named]
        if errors:
            raise Problem(422, "Invalid input", errors=errors)
        return given

    @router.post("", status_code=201)
    async def create_provider(body: dict[str, Any], user_id: CurrentUser, made_id: EffectId) -> dict[str, Any]:
        given = read(PROVIDER_WRITES[channel.name], body, {}, "")
        columns = account_columns(seal, channel.name, given) | {
            "id": made_id,
            "user_id": user_id,
            "provider_name": given["providerName"],
            "provider_type": given["providerType"],
            "is_active": given.get("isActive") is not False,
            "version": 1,
            "created_at": now(),
        }
        async with database.begin() as connection:
            row, is_new = await insert_once(connection, PROVIDERS[channel.name], columns)
            if is_new:
                await put(await raw(connection), [_changed(seal, channel, row)])
        return {"data": _shown(seal, channel, row)}

    @router.get("")
    async def list_providers(user_id: CurrentUser, limit: Limit = 100, cursor: str | None = None) -> dict[str, Any]:
        async with database.begin() as connection:
            rows = await find_providers(connection, channel.name, user_id, read_cursor(cursor), limit + 1)
        return page_by_id(rows, limit, partial(_shown, seal, channel))

    @router.get("/{provider_id}")
    async def read_provider(provider_id: UUID, user_id: CurrentUser) -> dict[str, Any]:
        async with database.begin() as connection:
            row = await find_provider(connection, channel.name, provider_id, user_id)
        if row is None:
            raise Problem(404, "No such provider")
        return {"data": _shown(seal, channel, row)}

    @router.patch("/{provider_id}")
    async def change_provider(provider_id: UUID, body: dict[str, Any], user_id: CurrentUser) -> dict[str, Any]:
        async with database.begin() as connection:
            old = await find_provider(connection, channel.name, provider_id, user_id)
            if old is None:
                raise Problem(404, "No such provider")
            stored = account_values(seal, channel.name, old)
            given = read(PROVIDER_CHANGES[channel.name], body, stored, old["provider_type"])
            provider_type = given.get("providerType") or old["provider_type"]
            columns = account_columns(seal, channel.name, given) | {"provider_type": provider_type}
            for name, column in (("providerName", "provider_name"), ("isActive", "is_active")):
                if given.get(name) is not None:
                    columns[column] = given[name]
            row = await update_provider(connection, channel.name, user_id, provider_id, columns)
            assert row is not None
            await put(await raw(connection), [_changed(seal, channel, row)])
        return {"data": _shown(seal, channel, row)}

    @router.delete("/{provider_id}", status_code=204)
    async def remove_provider(provider_id: UUID, user_id: CurrentUser) -> Response:
        async with database.begin() as connection:
            waiting = await find_waiting_campaigns(connection, channel.name, user_id, provider_id, NAMED_MAX + 1)
            if waiting:
                detail = f"campaigns are being sent with it: {name_some(waiting)}; cancel them, or wait until they end"
                raise Problem(409, "Not possible", detail)
            row = await delete_provider(connection, channel.name, user_id, provider_id)
            if row is None:
                raise Problem(404, "No such provider")
            await put(await raw(connection), [_changed(seal, channel, row, deleted=True)])
        return Response(status_code=204)

    @router.post("/{provider_id}/verify")
    async def verify_provider(provider_id: UUID, user_id: CurrentUser) -> dict[str, Any]:
        async with database.begin() as connection:
            if await find_provider(connection, channel.name, provider_id, user_id) is None:
                raise Problem(404, "No such provider")
        usable = await accounts.find(channel.name, user_id, provider_id)
        if isinstance(usable, Unusable):
            return {"data": {"works": False, "detail": usable.reason}}
        verification = await usable.provider.verify()
        return {"data": {"works": verification.works, "detail": verification.detail}}

    return router


def _changed(seal: Seal, channel: Channel, row: Mapping[Any, Any], deleted: bool = False) -> Outgoing:
    event = ProviderChanged(
        event_id=new_id(),
        occurred_at=now(),
        provider_id=row["id"],
        user_id=row["user_id"],
        channel=channel.name,
        version=row["version"] + deleted,
        provider_name=row["provider_name"],
        provider_type=row["provider_type"],
        is_active=row["is_active"],
        sealed=seal.close(account_values(seal, channel.name, row)),
        deleted=deleted,
    )
    return Outgoing(topics.PROVIDER_CHANGES, str(row["id"]), event)


def _shown(seal: Seal, channel: Channel, row: Mapping[Any, Any]) -> dict[str, Any]:
    values = account_values(seal, channel.name, row)
    config = {name: MASK if _is_secret(name) else value for name, value in values["config"].items()}
    shown = {name: MASK if name in SECRET_FIELDS else value for name, value in values.items()}
    return shown | {
        "id": row["id"],
        "userId": row["user_id"],
        "providerName": row["provider_name"],
        "providerType": row["provider_type"],
        "isActive": row["is_active"],
        "createdAt": row["created_at"],
        "config": config,
    }


def _unmasked(given: Mapping[str, Any], stored: Mapping[str, Any]) -> dict[str, Any]:
    """What was sent, with the stored secrets where their masks were sent back."""
    unmasked = {name: stored.get(name) if value == MASK else value for name, value in given.items()}
    if isinstance(config := given.get("config"), Mapping):
        unmasked["config"] = _unmasked(config, stored.get("config", {}))
    return unmasked


def _is_secret(name: str) -> bool:
    return any(part in name.lower() for part in _SECRET_CONFIG)
