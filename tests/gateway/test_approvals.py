"""A campaign to many is sent when a second person agrees: never without, never to others, never twice, never lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import aiohttp
import pytest
import pytest_asyncio
from pydantic import SecretStr

from contracts.http.endpoints import BASE
from services.gateway.domain.approvals import State
from services.gateway.handlers.approvals import UNPERFORMED_SECONDS, Approvals, launch_of
from services.gateway.handlers.owners import Owners
from services.gateway.handlers.tenants import Tenants
from shared.database import open_database
from shared.database.roles import role_url
from tests.gateway.browsing import WAIT_SECONDS, Browser, operator, signed_in
from tests.gateway.conftest import settings_of
from tests.waiting import until

TEMPLATE = {"templateName": "Sale", "content": "Acme: hi, 20% off. Reply STOP to unsubscribe"}
ABOVE = 2


@dataclass
class Team:
    """A tenant that wants a second person for more than two recipients."""

    boss: Browser
    ada: Browser
    """An approver."""

    bob: Browser
    """Another one."""

    mia: Browser
    """A marketer."""

    template_id: str

    async def campaign(self, people: int, **fields: Any) -> str:
        """A campaign to so many people who were added to it."""
        provider = {
            "providerName": "Ours",
            "providerType": "twilio",
            "accountSid": "AC" + "1" * 32,
            "apiSecret": "secret",
            "phoneNumber": "+15005550006",
            "config": {"baseUrl": self.boss.headers["Simulator"]},
        }
        _, made = await self.boss("POST", "/sms/providers", provider)
        body = {"campaignName": "Sale", "templateId": self.template_id, "providerId": made["data"]["id"], **fields}
        status, made = await self.mia("POST", "/sms/campaigns", body)
        assert status == 201, made
        campaign_id: str = made["data"]["id"]
        await self.add(campaign_id, people)
        return campaign_id

    async def add(self, campaign_id: str, people: int, first: int = 0) -> int:
        rows = [{"phoneNumber": f"+4915112345{first + n:03d}"} for n in range(people)]
        status, _ = await self.mia("POST", f"/sms/campaigns/{campaign_id}/recipients", {"recipients": rows})
        return status

    async def ask(self, campaign_id: str, who: Browser | None = None) -> str:
        """The id of the approval that sending the campaign makes."""
        status, answer = await (who or self.mia)("POST", f"/sms/campaigns/{campaign_id}/send")
        assert status == 202, answer
        return answer["data"]["approval"]["id"]

    async def state_of(self, approval_id: str) -> str:
        return (await self.mia("GET", f"/approvals/{approval_id}"))[1]["data"]["state"]

    async def status_of(self, campaign_id: str) -> str:
        return (await self.mia("GET", f"/sms/campaigns/{campaign_id}"))[1]["data"]["status"]


@pytest_asyncio.fixture(loop_scope="session")
async def team(fleet) -> AsyncIterator[Team]:
    async with AsyncExitStack() as stack:
        boss = await stack.enter_async_context(operator(fleet))
        boss.headers["Simulator"] = fleet.url("provider_simulator")
        ada, bob, mia = [
            await stack.enter_async_context(signed_in(fleet, boss, role))
            for role in ("approver", "approver", "marketer")
        ]
        assert (await boss("PATCH", "/settings", {"approvalAbove": ABOVE}))[0] == 200
        _, made = await mia("POST", "/sms/templates", TEMPLATE)
        yield Team(boss, ada, bob, mia, made["data"]["id"])


@asynccontextmanager
async def approvals_of(fleet) -> AsyncIterator[Approvals]:
    """What a second replica of the gateway would do."""
    settings = settings_of(
        role_url(fleet.servers.database_url, "gateway", fleet.secrets["role_secret"]),
        internal_token=SecretStr(fleet.secrets["internal_token"]),
        campaign_url=fleet.url("campaign"),
        audience_url=fleet.url("audience"),
    )
    async with (
        open_database(settings.database_url, 4, "test") as database,
        aiohttp.ClientSession() as client,
    ):
        yield Approvals(database, Owners(client, settings), Tenants(database))


# --- who -------------------------------------------------------------------------------------------------------------


async def test_up_to_the_size_nobody_is_asked(fleet, team):
    campaign_id = await team.campaign(ABOVE)
    assert (await team.mia("POST", f"/sms/campaigns/{campaign_id}/send"))[0] == 200
    await team.boss("PATCH", "/settings", {"approvalAbove": None})
    campaign_id = await team.campaign(ABOVE + 1)
    assert (await team.mia("POST", f"/sms/campaigns/{campaign_id}/send"))[0] == 200


async def test_above_it_somebody_else_lets_it_go(fleet, team):
    campaign_id = await team.campaign(3)
    approval_id = await team.ask(campaign_id)
    assert await team.status_of(campaign_id) == "draft"
    assert (await team.mia("POST", f"/approvals/{approval_id}/approve"))[0] == 403
    status, answer = await team.ada("POST", f"/approvals/{approval_id}/approve")
    assert (status, answer["data"]["state"], answer["data"]["size"]) == (200, "performed", 3)
    assert await team.status_of(campaign_id) in ("sending", "sent")
    assert (await team.bob("POST", f"/approvals/{approval_id}/approve"))[0] == 200
    assert (await team.bob("POST", f"/approvals/{approval_id}/reject"))[0] == 409


async def test_nobody_agrees_with_themselves(fleet, team):
    approval_id = await team.ask(await team.campaign(3), team.ada)
    for decision in ("approve", "reject"):
        status, problem = await team.ada("POST", f"/approvals/{approval_id}/{decision}")
        assert (status, problem["detail"]) == (403, "somebody else than who asked has to decide")
    assert (await team.bob("POST", f"/approvals/{approval_id}/approve"))[0] == 200


async def test_a_key_is_no_second_person_and_hides_no_first_one(fleet, team):
    async with signed_in(fleet, team.boss, "admin") as admin:
        _, made = await admin("POST", "/api-keys", {"name": "Shop", "scopes": ["admin"]})
        key = Browser(admin.http, admin.url, {"Authorization": f"Bearer {made['data']['apiKey']}"})
        approval_id = await team.ask(await team.campaign(3), key)
        assert (await key("GET", f"/approvals/{approval_id}"))[1]["data"]["requestedBy"]["name"] == "Shop"
        assert (await key("POST", f"/approvals/{approval_id}/approve"))[0] == 403
        assert (await team.boss("POST", f"/approvals/{approval_id}/approve"))[0] == 403
        assert (await admin("POST", f"/approvals/{approval_id}/approve"))[0] == 403
    assert (await team.bob("POST", f"/approvals/{approval_id}/approve"))[0] == 200


async def test_who_says_no_stops_it(fleet, team):
    campaign_id = await team.campaign(3)
    approval_id = await team.ask(campaign_id)
    status, answer = await team.ada("POST", f"/approvals/{approval_id}/reject")
    assert (status, answer["data"]["state"]) == (200, "rejected")
    assert (await team.bob("POST", f"/approvals/{approval_id}/approve"))[0] == 409
    assert await team.status_of(campaign_id) == "draft"


async def test_another_tenants_approvals_are_not_there(fleet, team):
    approval_id = await team.ask(await team.campaign(3))
    async with operator(fleet) as stranger, signed_in(fleet, stranger, "approver") as someone:
        for method, path in (("GET", ""), ("POST", "/approve"), ("POST", "/reject")):
            assert (await someone(method, f"/approvals/{approval_id}{path}"))[0] == 404
        assert (await someone("GET", "/approvals"))[1]["data"] == []


async def test_what_waits_is_listed(fleet, team):
    first, second = await team.ask(await team.campaign(3)), await team.ask(await team.campaign(4))
    await team.ada("POST", f"/approvals/{first}/reject")
    _, waiting = await team.ada("GET", "/approvals?state=pending")
    assert [one["id"] for one in waiting["data"]] == [second]
    _, of_one = await team.ada("GET", f"/approvals?campaignId={waiting['data'][0]['campaignId']}")
    assert [one["id"] for one in of_one["data"]] == [second]
    _, everything = await team.ada("GET", "/approvals")
    assert [one["id"] for one in everything["data"]] == [second, first]


# --- what ------------------------------------------------------------------------------------------------------------


async def test_a_changed_campaign_is_not_what_was_approved(fleet, team):
    async def new_text() -> int:
        change = {"content": "Acme: hi, 30% off. Reply STOP to unsubscribe"}
        return (await team.mia("PATCH", f"/sms/templates/{team.template_id}", change))[0]

    async def new_filter(campaign_id: str) -> int:
        return (await team.mia("PATCH", f"/sms/campaigns/{campaign_id}", {"audienceFilter": {"all": []}}))[0]

    for change in (new_filter, lambda campaign_id: team.add(campaign_id, 1, first=500), lambda _: new_text()):
        campaign_id = await team.campaign(3)
        approval_id = await team.ask(campaign_id)
        assert await change(campaign_id) == 200
        status, problem = await team.ada("POST", f"/approvals/{approval_id}/approve")
        assert (status, problem["title"]) == (409, "Void")
        assert (await team.state_of(approval_id), await team.status_of(campaign_id)) == ("void", "draft")
        again = await team.ask(campaign_id)
        assert (await team.ada("POST", f"/approvals/{again}/approve"))[0] == 200


async def test_a_new_name_changes_nothing_that_was_approved(fleet, team):
    campaign_id = await team.campaign(3)
    approval_id = await team.ask(campaign_id)
    await team.mia("PATCH", f"/sms/campaigns/{campaign_id}", {"campaignName": "Summer sale"})
    assert (await team.ada("POST", f"/approvals/{approval_id}/approve"))[0] == 200


async def test_asking_for_something_else_takes_the_place_of_what_waits(fleet, team):
    campaign_id = await team.campaign(3)
    asked = [await team.ask(campaign_id)]
    await team.add(campaign_id, 1, first=300)
    asked.append(await team.ask(campaign_id))
    at = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    _, answer = await team.mia("POST", f"/sms/campaigns/{campaign_id}/schedule", {"scheduledSendTime": at})
    asked.append(answer["data"]["approval"]["id"])
    assert [await team.state_of(one) for one in asked] == ["void", "void", "pending"]


async def test_asking_for_the_same_many_times_at_once_makes_one_approval(fleet, team):
    campaign_id = await team.campaign(3)
    asked = await asyncio.gather(*[team.ask(campaign_id, who) for who in (team.mia, team.bob) for _ in range(10)])
    _, found = await team.ada("GET", f"/approvals?campaignId={campaign_id}")
    assert [(one["id"], one["state"]) for one in found["data"]] == [(one, "pending") for one in set(asked)]
    assert (await team.ada("POST", f"/approvals/{asked[0]}/approve"))[0] == 200


async def test_what_cannot_be_sent_is_refused_at_once(fleet, team):
    campaign_id = await team.campaign(3)
    for path, body, expected in (
        ("/schedule", {"scheduledSendTime": "2020-01-01T00:00:00Z"}, 422),
        ("/schedule", {}, 422),
        ("/schedule", None, 400),
    ):
        assert (await team.mia("POST", f"/sms/campaigns/{campaign_id}{path}", body))[0] == expected
    await team.mia("POST", f"/sms/campaigns/{campaign_id}/cancel")
    assert (await team.mia("POST", f"/sms/campaigns/{campaign_id}/send"))[0] == 409
    assert (await team.mia("POST", f"/sms/campaigns/{UUID(int=1)}/send"))[0] == 404
    assert (await team.mia("POST", "/sms/campaigns/no-id/send"))[0] == 422
    assert (await team.ada("GET", "/approvals"))[1]["data"] == []


@pytest.mark.parametrize("people", [ABOVE, ABOVE + 1])
async def test_a_scheduled_campaign_stays_what_was_looked_at(fleet, team, people):
    campaign_id = await team.campaign(people)
    at = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    status, answer = await team.mia("POST", f"/sms/campaigns/{campaign_id}/schedule", {"scheduledSendTime": at})
    if people > ABOVE:
        assert status == 202
        assert datetime.fromisoformat(answer["data"]["approval"]["scheduledSendTime"]) == datetime.fromisoformat(at)
        await team.ada("POST", f"/approvals/{answer['data']['approval']['id']}/approve")
    assert await team.status_of(campaign_id) == "scheduled"
    status, problem = await team.mia("PATCH", f"/sms/campaigns/{campaign_id}", {"audienceFilter": {"all": []}})
    assert (status, "agreed" in problem["detail"]) == (409, True)
    assert await team.add(campaign_id, 5, first=500) == 409
    assert (await team.mia("PATCH", f"/sms/campaigns/{campaign_id}", {"campaignName": "Summer"}))[0] == 200


async def test_a_file_that_is_still_coming_in_is_waited_for(fleet, team):
    campaign_id = await team.campaign(ABOVE + 1)
    approval_id = await team.ask(campaign_id)
    looked_at = asyncio.Event()

    async def rows() -> AsyncIterator[bytes]:
        yield b"phoneNumber\r\n"
        await looked_at.wait()
        yield b"+4915112345900\r\n"

    async def is_coming_in() -> bool:
        return any(one["state"] == "running" for one in (await team.mia("GET", "/customers/imports"))[1]["data"])

    url = f"{team.mia.url}{BASE}/sms/campaigns/{campaign_id}/recipients/import"
    headers = team.mia.headers | {"Content-Type": "text/csv"}
    async with asyncio.TaskGroup() as group:
        sending = group.create_task(team.mia.http.post(url, data=rows(), headers=headers))
        try:
            await until(is_coming_in, WAIT_SECONDS)
            for who, path in (
                (team.ada, f"/approvals/{approval_id}/approve"),
                (team.mia, f"/sms/campaigns/{campaign_id}/send"),
            ):
                status, problem = await who("POST", path)
                assert (status, "coming in" in problem["detail"]) == (409, True)
        finally:
            looked_at.set()
    assert sending.result().status == 200
    assert (await team.ada("POST", f"/approvals/{approval_id}/approve"))[0] == 409
    assert await team.state_of(approval_id) == "void"


async def test_who_is_added_after_the_decision_is_not_written_to(fleet, team):
    campaign_id = await team.campaign(ABOVE + 1)
    approval_id = await team.ask(campaign_id)
    async with approvals_of(fleet) as replica:
        approval = await replica.find(team.boss.headers["X-User-Id"], UUID(approval_id))
        decided = await replica._move(approval, State.PENDING, State.APPROVED, {"decided_at": datetime.now(UTC)})
        await team.add(campaign_id, 1, first=700)
        assert (await replica.perform(decided)).state is State.VOID
    assert await team.status_of(campaign_id) == "draft"


async def test_a_text_that_changes_after_the_approval_is_not_sent(fleet, team):
    campaign_id = await team.campaign(3)
    at = datetime.now(UTC) + timedelta(seconds=3)
    body = {"scheduledSendTime": at.isoformat()}
    _, answer = await team.mia("POST", f"/sms/campaigns/{campaign_id}/schedule", body)
    await team.ada("POST", f"/approvals/{answer['data']['approval']['id']}/approve")
    await team.mia("PATCH", f"/sms/templates/{team.template_id}", {"content": "Acme: 90% off. STOP to unsubscribe"})

    async def failed() -> bool:
        return await team.status_of(campaign_id) == "failed"

    await until(failed, WAIT_SECONDS)
    _, answer = await team.mia("GET", f"/sms/campaigns/{campaign_id}")
    assert "changed" in answer["data"]["statusReason"]


# --- once, and not lost ----------------------------------------------------------------------------------------------


async def test_many_who_approve_at_once_send_it_once(fleet, team):
    campaign_id = await team.campaign(3)
    approval_id = await team.ask(campaign_id)
    answers = await asyncio.gather(
        *(who("POST", f"/approvals/{approval_id}/approve") for who in (team.ada, team.bob) * 5)
    )
    assert {status for status, _ in answers} == {200}, answers
    _, log = await team.boss("GET", f"/audit?resourceId={approval_id}")
    assert {one["status"] for one in log["data"]} == {200}

    async def accepted() -> bool:
        status, answer = await team.mia("GET", f"/sms/campaigns/{campaign_id}/accounting")
        return status == 200 and answer["data"]["audience"] == 3 and answer["data"]["waiting"] == 0

    await until(accepted, WAIT_SECONDS)


@pytest.mark.parametrize("action", ["send", "schedule"])
@pytest.mark.parametrize("was_asked", [False, True], ids=["before the owner was asked", "after it answered"])
async def test_a_gateway_that_dies_leaves_nothing_undone(fleet, team, action, was_asked):
    campaign_id = await team.campaign(3)
    body = {"scheduledSendTime": (datetime.now(UTC) + timedelta(days=1)).isoformat()} if action == "schedule" else None
    _, answer = await team.mia("POST", f"/sms/campaigns/{campaign_id}/{action}", body)
    approval_id = answer["data"]["approval"]["id"]
    async with approvals_of(fleet) as second:
        approval = await second.find(team.boss.headers["X-User-Id"], UUID(approval_id))
        long_ago = datetime.now(UTC) - timedelta(seconds=UNPERFORMED_SECONDS + 1)
        approved = await second._move(approval, State.PENDING, State.APPROVED, {"decided_at": long_ago})
        if was_asked:
            assert (await second._ask_owner(approved.user_id, launch_of(approved), approved.digest)).status == 200
        await second.perform_left()
    assert await team.state_of(approval_id) == "performed"
    assert await team.status_of(campaign_id) in ("sending", "sent", "scheduled")
