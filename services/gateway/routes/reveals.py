"""Addresses in full, for people who only see a part of them; each look is in the audit log."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote
from uuid import UUID

import msgspec
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from contracts.channels import CHANNELS, Channel
from contracts.http.endpoints import BASE, REVEAL
from services.gateway.domain.audit import Deed
from services.gateway.handlers.owners import Owners
from services.gateway.routes.entrance import Entrance
from services.gateway.routes.messages import response_of

DEED = "show address"


def reveal_routes(entrance: Entrance, owners: Owners) -> APIRouter:
    """For customers by their number, and for recipients, who can be of no customer."""
    router = APIRouter(prefix=BASE)

    async def reveal(request: Request, owner: str, path: str, part: str, field: str) -> Response:
        caller = await entrance.enter(request, "write")
        answer = await owners.ask(owner, "GET", BASE + path, caller.user_id, {}, b"")
        if answer.status != 200:
            return response_of(answer)
        found: dict[str, Any] = msgspec.json.decode(answer.body)
        for name in ("data", *part.split()):
            found = found[name]
        customer_id = found["customerId"]
        whose = Deed(DEED, "customers", customer_id) if customer_id else Deed(DEED, "recipients", found["id"])
        await entrance.note(request, caller, whose)
        return JSONResponse({"data": {"customerId": customer_id, field: found[field]}})

    @router.post(f"/customers/{{id}}/{REVEAL}", summary="A customer's phone number in full; the look is written down")
    async def reveal_customer(id: str, request: Request) -> Response:
        return await reveal(request, "audience", f"/customers/{quote(id, safe='')}", "", "phoneNumber")

    def add(channel: Channel) -> None:
        @router.post(
            f"/{channel.name}/campaigns/{{id}}/recipients/{{recipientId}}/{REVEAL}",
            summary="A recipient's address in full; the look is written down",
            operation_id=f"reveal_{channel.name}_recipient",
        )
        async def reveal_recipient(id: UUID, recipientId: UUID, request: Request) -> Response:
            path = f"/{channel.name}/campaigns/{id}/recipients/{recipientId}/explain"
            return await reveal(request, "dispatcher", path, "recipient", channel.address_field)

    for channel in CHANNELS.values():
        add(channel)
    return router
