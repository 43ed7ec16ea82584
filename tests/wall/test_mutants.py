"""The wall behind the queries: with every `user_id` condition taken out of a service's queries, its answers still hold
nothing of another tenant; with the wall taken out as well, they do."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import psycopg
import pytest
import pytest_asyncio
from cryptography.fernet import Fernet
from pydantic import SecretStr

from contracts.channels import SMS
from contracts.events import CampaignChanged, NotificationEvent, NotificationsRecorded
from services.analytics import app as analytics
from services.analytics import handlers as analytics_handlers
from services.analytics.settings import AnalyticsSettings
from services.audience import app as audience
from services.audience.settings import AudienceSettings
from services.campaign import app as campaign
from services.campaign.settings import CampaignSettings
from services.dispatcher import app as dispatcher
from services.dispatcher.settings import DispatcherSettings
from services.gateway.store import answers as gateway
from services.gateway.store.answers import Answer
from shared.codec import now
from shared.database import Database, TenantDatabase, ask_for, open_database, tenancy
from shared.ids import new_id
from shared.runtime import Service
from tests.asking import Client

BASE = "/api/notification"
SECRET = "what only Ada may see"
SECRETS_KEY = Fernet.generate_key().decode()
CONDITION = re.compile(r"(?:\w+\.)?\buser_id = (%(?:\(\w+\))?[bst](?:::\w+)?)")


def without_conditions(statement: str) -> str:
    """The mutant: the tenant is given, and makes no difference."""
    head, where, rest = statement.partition("WHERE")
    return head + where + CONDITION.sub(r"(\1)::text IS NOT NULL", rest)


@pytest.fixture
def mutated(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The statements that were mutated."""
    execute, seen = psycopg.AsyncCursor.execute, set()

    async def mutant(self: Any, query: Any, params: Any = None, **options: Any) -> Any:
        if isinstance(query, str) and (changed := without_conditions(query)) != query:
            seen.add(query)
            query = changed
        return await execute(self, query, params, **options)

    monkeypatch.setattr(psycopg.AsyncCursor, "execute", mutant)
    return seen


async def no_wall(_connection: Any) -> None:
    """The wall's mutant: every request sees the whole fleet."""


@dataclass(frozen=True)
class Stage:
    """One service, with something of Ada's in it that `paths` show to her."""

    service: Service
    paths: tuple[str, ...]

    async def shown_to(self, user_id: str) -> str:
        """All that the paths answer to this tenant."""
        client = client_of(self.service, user_id)
        answers = [await client.get(path) for path in self.paths]
        assert all(answer.status_code in (200, 404) for answer in answers)
        return "".join(answer.text for answer in answers)


def client_of(service: Service, user_id: str) -> Client:
    headers = {"Authorization": "Bearer token", "X-User-Id": user_id, "Content-Type": "application/json"}
    return Client(service.routes, BASE, headers)


async def made(service: Service, path: str, body: dict[str, Any]) -> str:
    """The id of what Ada makes."""
    answer = await client_of(service, "ada").post(path, json=body)
    assert answer.status_code < 300, answer.text
    return str(answer.json()["data"].get("id"))


async def stage_campaign(service: Service) -> tuple[str, ...]:
    template = {"templateName": SECRET, "content": "Hello"}
    template_id = await made(service, "/sms/templates", template)
    campaign_id = await made(service, "/sms/campaigns", {"campaignName": SECRET, "templateId": template_id})
    return ("/sms/templates", f"/sms/templates/{template_id}", "/sms/campaigns", f"/sms/campaigns/{campaign_id}")


async def stage_audience(service: Service) -> tuple[str, ...]:
    await made(service, "/customers", {"customers": [{"customerId": "c", "firstName": SECRET}]})
    return ("/customers", "/customers/c")


async def stage_dispatcher(service: Service) -> tuple[str, ...]:
    account = {"accountSid": "AC" + "0" * 32, "apiSecret": "x", "phoneNumber": "+15005550006"}
    provider = {"providerName": SECRET, "providerType": "twilio", **account}
    provider_id = await made(service, "/sms/providers", provider)
    campaign_id, database = new_id(), service.database
    assert database is not None
    async with database.transaction() as connection:
        await connection.execute(
            "INSERT INTO sms_campaign_recipients (id, campaign_id, lot_id, user_id, phone_number, recipient_name)"
            " VALUES (%s, %s, %s, 'ada', '+15005550001', %s)",
            (new_id(), campaign_id, new_id(), SECRET),
        )
    return ("/sms/providers", f"/sms/providers/{provider_id}", f"/sms/campaigns/{campaign_id}/recipients")


async def stage_analytics(service: Service) -> tuple[str, ...]:
    assert service.database is not None
    shared: dict[str, Any] = {"user_id": "ada", "channel": SMS.name, "campaign_id": new_id()}
    changed = CampaignChanged(
        event_id=new_id(), occurred_at=now(), version=1, campaign_name=SECRET, status="sent", created_at=now(), **shared
    )
    await analytics_handlers.on_campaigns_changed(service.database, [changed])
    event = NotificationEvent(
        id=uuid4(), recipient_id=new_id(), event_type="sent", event_timestamp=now(), provider_message_id=SECRET
    )
    recorded = NotificationsRecorded(
        event_id=new_id(), occurred_at=now(), provider="twilio", lane="bulk", events=[event], **shared
    )
    await analytics_handlers.on_notifications_recorded(service.database, [recorded])
    return ("/dashboard", "/events")


STAGES: dict[str, tuple[Any, Any, Callable[[Service], Awaitable[tuple[str, ...]]]]] = {
    "campaign": (campaign.build, CampaignSettings, stage_campaign),
    "audience": (audience.build, AudienceSettings, stage_audience),
    "dispatcher": (dispatcher.build, DispatcherSettings, stage_dispatcher),
    "analytics": (analytics.build, AnalyticsSettings, stage_analytics),
}


@pytest_asyncio.fixture(params=STAGES)
async def stage(request: pytest.FixtureRequest, database_of) -> AsyncIterator[Stage]:
    build, settings, prepare = STAGES[request.param]
    given = settings(
        HTTP_PORT=0,
        DATABASE_URL=database_of(request.param),
        KAFKA_BOOTSTRAP_SERVERS="none",
        SECRETS_KEY=SECRETS_KEY,
        INTERNAL_TOKEN="token",
        PUBLIC_BASE_URL="http://localhost",
        LINK_BASE_URL="http://localhost",
    )
    async with build(given) as service:
        yield Stage(service, await prepare(service))


async def test_a_query_that_forgets_the_tenant_shows_nothing_of_others(stage, mutated):
    assert SECRET in await stage.shown_to("ada")
    assert SECRET not in await stage.shown_to("bob")
    assert mutated


async def test_without_the_wall_it_would(stage, mutated, monkeypatch):
    monkeypatch.setattr(tenancy, "_restrict", no_wall)
    assert SECRET in await stage.shown_to("bob")


async def repeated(database: Database, user_id: str) -> Answer | None:
    """What the gateway answers to this tenant's request with Ada's Idempotency-Key."""
    ask_for(user_id)
    async with TenantDatabase(database).transaction() as connection:
        return (await gateway.claim_request(connection, user_id, "key", "/path", b"hash", new_id())).answer


@pytest.mark.parametrize("wall", [True, False], ids=["product", "mutant"])
async def test_an_answer_is_repeated_to_its_tenant_only(database_of, mutated, monkeypatch, wall):
    async with open_database(SecretStr(database_of("gateway")), 2, "test") as database:
        await repeated(database, "ada")
        async with database.transaction() as connection:
            await gateway.mark_answered(connection, "ada", "key", Answer(201, "text/plain", SECRET.encode()))
        if not wall:
            monkeypatch.setattr(tenancy, "_restrict", no_wall)
        await repeated(database, "bob")
        answer = await repeated(database, "bob")
        assert (answer is not None) is not wall
