"""When nobody knows whether a request had its effect, doing it again does not make a second one."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import pytest
import pytest_asyncio
from cryptography.fernet import Fernet
from psycopg import AsyncConnection
from pydantic import SecretStr

from contracts.http.endpoints import BASE
from services.gateway.domain.requests import Sent
from services.gateway.handlers.once import Done, Once
from services.gateway.store.answers import ABANDONED_SECONDS, Answer
from shared.database import Database, open_database
from shared.http import Problem
from tests.gateway.conftest import Client

SENT = Sent("POST", "/users", "/users?x=1", b"{}")
MADE = Answer(201, "application/json", b'{"data":1}')


@dataclass
class Desk:
    """Whoever does things, and what they were told to do."""

    database: Database
    secrets_key: str = field(default_factory=lambda: Fernet.generate_key().decode())
    user_id: str = field(default_factory=lambda: uuid4().hex)
    effects: list[UUID] = field(default_factory=list)

    async def do(self, outcome: Answer | BaseException, sent: Sent = SENT) -> Done:
        async def act(effect_id: UUID) -> Answer:
            self.effects.append(effect_id)
            if isinstance(outcome, BaseException):
                raise outcome
            return outcome

        return await Once(self.database, SecretStr(self.secrets_key)).do(self.user_id, "key", sent, act)

    async def run(self, statement: str) -> list[Any]:
        """Runs a statement about the keys of this desk."""
        async with self.database.transaction() as connection:
            cursor = await connection.execute(f"{statement} WHERE user_id = %s".encode(), (self.user_id,))
            return await cursor.fetchall() if cursor.description else []


@pytest_asyncio.fixture
async def desk(database_of) -> AsyncIterator[Desk]:
    async with open_database(SecretStr(database_of("gateway")), 4, "test") as database:
        yield Desk(database)


async def test_what_was_done_is_not_done_again(desk):
    assert [await desk.do(MADE) for _ in range(2)] == [Done(MADE), Done(MADE, is_repeated=True)]
    assert len(desk.effects) == 1


@pytest.mark.parametrize(
    "outcome",
    [Answer(503, "", b""), Problem(503, "Temporarily unavailable"), RuntimeError("a fault of ours")],
    ids=["the owner is silent", "nobody is there", "a fault"],
)
async def test_what_may_have_been_done_is_done_again_with_the_same_effect(desk, outcome):
    for one in (outcome, Problem(409, "Not now"), Answer(422, "", b""), MADE):
        with suppress(Problem, RuntimeError):
            await desk.do(one)
    assert len(desk.effects) == 4
    assert len(set(desk.effects)) == 1


@pytest.mark.parametrize("refusal", [Answer(409, "", b""), Problem(422, "Invalid input")], ids=["answer", "problem"])
async def test_a_refusal_is_forgotten_and_another_request_may_have_the_key(desk, refusal):
    for one in (refusal, MADE):
        with suppress(Problem):
            await desk.do(one, SENT if one is refusal else Sent("POST", "/users", "/users", b"{}"))
    assert len(set(desk.effects)) == 2


async def test_what_a_gateway_died_over_is_done_again_with_the_same_effect(desk):
    await desk.do(MADE)
    age = f"interval '{ABANDONED_SECONDS + 1} seconds'"
    await desk.run(f"UPDATE idempotency_keys SET status = NULL, claimed_at = clock_timestamp() - {age}")
    assert await desk.do(MADE) == Done(MADE)
    assert len(desk.effects) == 2
    assert len(set(desk.effects)) == 1


async def test_whoever_waits_is_told_for_how_long(desk):
    await desk.do(MADE)
    await desk.run("UPDATE idempotency_keys SET status = NULL, claimed_at = clock_timestamp() - interval '40 seconds'")
    with pytest.raises(Problem) as caught:
        await desk.do(MADE)
    assert (caught.value.status, int(caught.value.headers["Retry-After"]) >= 40) == (409, True)


async def test_answers_are_kept_sealed_and_digests_are_keyed(desk):
    secret = Sent("POST", "/users", "/users", b'{"password":"correct horse"}')
    await desk.do(Answer(201, "application/json", b"the link"), secret)
    ((body,),) = await desk.run("SELECT body FROM idempotency_keys")
    assert b"the link" not in bytes(body)
    desk.secrets_key = Fernet.generate_key().decode()
    with pytest.raises(Problem) as caught:
        await desk.do(MADE, secret)
    assert caught.value.status == 422, "another key makes another digest"


async def test_an_answer_whose_seal_is_gone_is_not_done_again(desk):
    old = desk.secrets_key
    await desk.do(MADE)
    desk.secrets_key = f"{Fernet.generate_key().decode()},{old}"
    assert (await desk.do(MADE)).is_repeated
    await desk.run("UPDATE idempotency_keys SET body = 'broken'")
    with pytest.raises(Problem) as caught:
        await desk.do(MADE)
    assert (caught.value.status, len(desk.effects)) == (409, 1)


# --- the owners ------------------------------------------------------------------------------------------------------

TEMPLATE = {"templateName": "Sale", "content": "Acme: 20% off. Reply STOP to unsubscribe"}
ACCOUNT = {
    "providerName": "Twilio",
    "providerType": "twilio",
    "accountSid": "AC" + "0" * 32,
    "apiSecret": "secret",
    "phoneNumber": "+15005550006",
}


@dataclass
class Owner:
    """A service as the gateway asks it."""

    fleet: Any
    client: Client

    async def make(self, owner: str, path: str, body: Any, effect_id: UUID) -> tuple[int, Any]:
        headers = {
            "Authorization": f"Bearer {self.fleet.secrets['internal_token']}",
            "X-User-Id": self.client.user_id,
            "X-Effect-Id": str(effect_id),
        }
        async with self.client.http.post(self.fleet.url(owner) + BASE + path, json=body, headers=headers) as answer:
            return answer.status, (await answer.json())["data"]


async def test_what_is_there_by_its_id_is_not_made_again(fleet, make):
    client = await make()
    owner = Owner(fleet, client)
    template = (await client("POST", "/sms/templates", TEMPLATE))[1]["data"]["id"]
    campaign = {"campaignName": "Sale", "templateId": template, "audienceFilter": {"all": []}}
    made = (await client("POST", "/sms/campaigns", campaign))[1]["data"]["id"]
    for service, path, body in (
        ("campaign", "/sms/templates", TEMPLATE),
        ("campaign", "/sms/campaigns", campaign),
        ("campaign", f"/sms/campaigns/{made}/clone", None),
        ("dispatcher", "/sms/providers", ACCOUNT),
    ):
        before = len((await client("GET", path.replace(f"/{made}/clone", "")))[1]["data"])
        effect_id = uuid4()
        answers = [await owner.make(service, path, body, effect_id) for _ in range(2)]
        assert [(status, data["id"]) for status, data in answers] == [(201, str(effect_id))] * 2
        assert len((await client("GET", path.replace(f"/{made}/clone", "")))[1]["data"]) == before + 1


async def test_an_id_of_another_tenant_is_not_told(fleet, make):
    ada, bob = Owner(fleet, await make()), Owner(fleet, await make())
    effect_id = uuid4()
    await ada.make("campaign", "/sms/templates", TEMPLATE, effect_id)
    headers = {
        "Authorization": f"Bearer {fleet.secrets['internal_token']}",
        "X-User-Id": bob.client.user_id,
        "X-Effect-Id": str(effect_id),
    }
    url = fleet.url("campaign") + BASE + "/sms/templates"
    async with bob.client.http.post(url, json=TEMPLATE, headers=headers) as answer:
        assert (answer.status >= 400, "Sale" in await answer.text()) == (True, False)


async def test_a_client_does_not_choose_the_id(fleet, make):
    client = await make()
    wanted = str(uuid4())
    _, made = await client("POST", "/sms/templates", TEMPLATE, X_Effect_Id=wanted)
    assert made["data"]["id"] != wanted


async def lost(fleet: Any, client: Client, key: str) -> None:
    """As if the gateway had died before it could keep the answer, long ago."""
    async with await AsyncConnection.connect(fleet.database_url("gateway"), autocommit=True) as connection:
        await connection.execute(
            "UPDATE idempotency_keys SET status = NULL, claimed_at = claimed_at - interval '1 hour' "
            "WHERE user_id = %s AND key = %s",
            (client.user_id, key),
        )


async def test_a_key_whose_secret_nobody_was_told_gets_another_one(fleet, make):
    client = await make()
    body = {"name": "shop", "scopes": ["read"]}
    _, first = await client("POST", "/api-keys", body, Idempotency_Key="a")
    await lost(fleet, client, "a")
    _, second = await client("POST", "/api-keys", body, Idempotency_Key="a")
    assert first["data"]["id"] == second["data"]["id"]
    client.key = second["data"]["apiKey"]
    assert (await client("GET", "/sms/templates"))[0] == 200
    client.key = first["data"]["apiKey"]
    assert (await client("GET", "/sms/templates"))[0] == 401


async def test_a_rotation_that_is_repeated_leaves_the_secret_that_is_in_use(fleet, make):
    client = await make()
    shop = (await client("POST", "/api-keys", {"name": "shop", "scopes": ["read"]}))[1]["data"]
    path = f"/api-keys/{shop['id']}/rotate"
    await client("POST", path, {}, Idempotency_Key="r")
    await lost(fleet, client, "r")
    _, again = await client("POST", path, {}, Idempotency_Key="r")
    for secret in (shop["apiKey"], again["data"]["apiKey"]):
        client.key = secret
        assert (await client("GET", "/sms/templates"))[0] == 200


async def test_a_person_is_made_once_and_invited_again(fleet, make):
    client = await make()
    body = {"email": f"ada@{client.user_id}.example", "name": "Ada", "role": "viewer"}
    _, first = await client("POST", "/users", body, Idempotency_Key="p")
    await lost(fleet, client, "p")
    status, second = await client("POST", "/users", body, Idempotency_Key="p")
    assert (status, second["data"]["id"]) == (201, first["data"]["id"])
    assert second["data"]["invitation"]["url"] != first["data"]["invitation"]["url"]
    assert len((await client("GET", "/users"))[1]["data"]) == 1


async def test_a_test_is_sent_once(fleet, make):
    client = await make()
    template = (await client("POST", "/sms/templates", TEMPLATE))[1]["data"]["id"]
    await client("POST", "/sms/providers", ACCOUNT)
    campaign = {"campaignName": "Sale", "templateId": template, "audienceFilter": {"all": []}}
    made = (await client("POST", "/sms/campaigns", campaign))[1]["data"]["id"]
    path, body = f"/sms/campaigns/{made}/test", {"recipients": [{"address": "+4915112345678"}]}
    answers = []
    for _ in range(2):
        answers.append(await client("POST", path, body, Idempotency_Key="t"))
        await lost(fleet, client, "t")
    assert (answers[0][0], answers[0]) == (202, answers[1])


async def test_the_log_tells_a_repetition_from_a_deed(fleet, make):
    client = await make()
    for _ in range(3):
        await client("POST", "/api-keys", {"name": "shop", "scopes": ["read"]}, Idempotency_Key="k")
    _, log = await client("GET", "/audit?resourceType=api-keys")
    _, made = await client("GET", "/api-keys")
    shop = next(one["id"] for one in made["data"] if one["name"] == "shop")
    told = [(one["status"], one["resourceId"]) for one in log["data"] if one["resourceId"] == shop]
    assert told == [(208, shop), (208, shop), (201, shop)]


async def test_nobody_else_repeats_what_somebody_has_done(fleet, make):
    one = await make("admin")
    other = await make("admin", user_id=one.user_id)
    body = {"name": "shop", "scopes": ["read"]}
    assert (await one("POST", "/api-keys", body, Idempotency_Key="k"))[0] == 201
    assert (await other("POST", "/api-keys", body, Idempotency_Key="k"))[0] == 422


async def test_answers_about_somebody_who_is_erased_are_forgotten(fleet, make):
    client = await make()
    await client("POST", "/customers", {"customers": [{"customerId": "c1", "phoneNumber": "+4915112345678"}]})
    device = {"deviceToken": "token-of-c1", "deviceType": "ios"}
    assert (await client("POST", "/customers/c1/devices", device, Idempotency_Key="d"))[0] == 201
    assert (await client("DELETE", "/customers/c1"))[0] == 204
    status, answer = await client("POST", "/customers/c1/devices", device, Idempotency_Key="d")
    assert (status, "token-of-c1" in json.dumps(answer)) == (404, False)
