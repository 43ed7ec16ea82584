"""A campaign service's database, and one tenant who asks its app as the gateway does."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import pytest_asyncio
from pydantic import SecretStr

from contracts.channels import CHANNELS, Channel
from contracts.events import ProviderChanged
from services.campaign.handlers.hearing import on_providers_changed
from services.campaign.images import open_images
from services.campaign.routes import make_routes
from shared.codec import now
from shared.database import Database, open_database
from shared.ids import new_id
from tests.asking import Answer, Client

TEXTS: Mapping[str, dict[str, Any]] = {
    "sms": {"content": "Acme: hi {{firstName|there}}, 20% off. Reply STOP to unsubscribe"},
    "push": {"title": "Twenty per cent off until Sunday night", "body": "Have a look", "actionUrl": "app://sale"},
}


@pytest_asyncio.fixture
async def database(database_of) -> AsyncIterator[Database]:
    async with open_database(SecretStr(database_of("campaign")), 6, "test") as opened:
        yield opened


@dataclass
class Marketer:
    """One tenant on one channel."""

    database: Database
    channel: Channel
    client: Client
    user_id: str = field(default_factory=lambda: uuid4().hex)

    async def ask(self, method: str, path: str, body: Any = None) -> Answer:
        return await self.client.ask(method, path, json=body, headers={"X-User-Id": self.user_id})

    async def make_template(self, **fields: Any) -> dict[str, Any]:
        body = {"templateName": "Sale", **TEXTS[self.channel.name], **fields}
        answer = await self.ask("POST", "/templates", body)
        assert answer.status_code == 201, answer.text
        return answer.json()["data"]

    async def make_campaign(self, **fields: Any) -> dict[str, Any]:
        template_id = fields.pop("templateId", None) or (await self.make_template())["id"]
        body = {"campaignName": "Sale", "templateId": template_id, "audienceFilter": {"all": []}, **fields}
        answer = await self.ask("POST", "/campaigns", body)
        assert answer.status_code == 201, answer.text
        return answer.json()["data"]

    async def add_provider(self, is_active: bool = True) -> UUID:
        event = ProviderChanged(
            event_id=new_id(),
            occurred_at=now(),
            provider_id=new_id(),
            user_id=self.user_id,
            channel=self.channel.name,
            version=1,
            provider_name="Ours",
            provider_type="any",
            is_active=is_active,
            sealed=b"",
        )
        await on_providers_changed(self.database, [event])
        return event.provider_id


@pytest_asyncio.fixture(params=sorted(CHANNELS))
async def marketer(request, database) -> AsyncIterator[Marketer]:
    async with open_images(frozenset()) as images:
        base = f"/api/notification/{request.param}"
        yield Marketer(
            database,
            CHANNELS[request.param],
            Client(make_routes(database, images, "https://n.example"), base, {"Content-Type": "application/json"}),
        )
