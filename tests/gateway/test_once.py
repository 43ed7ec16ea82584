"""A write with an Idempotency-Key has one effect and one answer, however often and by whomever it is sent."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from uuid import uuid4

import pytest
from psycopg import AsyncConnection

from contracts.http.endpoints import BASE
from tests.gateway.conftest import Client

AT_ONCE = 10
TEMPLATE = {"templateName": "Sale", "content": "Acme: 20% off. Reply STOP to unsubscribe"}
SEND = {"messages": [{"channel": "sms", "address": "+14155550123", "content": {"body": "Your code is 1234"}}]}
PERSON = {"email": "ada@{tenant}.example", "name": "Ada", "role": "marketer"}
WRITES = [
    ("POST", "/sms/templates", TEMPLATE, "/sms/templates"),
    ("POST", "/send", SEND, None),
    ("POST", "/users", PERSON, "/users"),
    ("POST", "/api-keys", {"name": "shop", "scopes": ["send"]}, "/api-keys?limit=1000"),
    ("PATCH", "/settings", {"businessName": "Acme"}, None),
]
each_write = pytest.mark.parametrize(
    ("method", "path", "body", "listed"), WRITES, ids=[path for _, path, _, _ in WRITES]
)


async def ask(client: Client, method: str, path: str, body: Any, key: str) -> tuple[int, bytes]:
    """(status, the very bytes)."""
    headers = {"Authorization": f"Bearer {client.key}", "Idempotency-Key": key}
    async with client.http.request(method, client.url + BASE + path, json=body, headers=headers) as answer:
        return answer.status, await answer.read()


def of_tenant(body: Any, client: Client) -> Any:
    return json.loads(json.dumps(body).replace("{tenant}", client.user_id))


@each_write
async def test_ten_at_once_have_one_effect_and_one_answer(fleet, make, method, path, body, listed):
    client = await make()
    body = of_tenant(body, client)
    before = len((await client("GET", listed))[1]["data"]) if listed else 0
    answers = await asyncio.gather(*(ask(client, method, path, body, "same") for _ in range(AT_ONCE)))
    done = {answer for answer in answers if answer[0] != 409}
    assert len(done) == 1
    assert {status for status, _ in done} <= {200, 201, 202}
    assert {await ask(client, method, path, body, "same") for _ in range(2)} == done
    if listed:
        assert len((await client("GET", listed))[1]["data"]) == before + 1


@each_write
async def test_another_request_under_the_same_key_is_refused(fleet, make, method, path, body, listed):
    client = await make()
    await ask(client, method, path, of_tenant(body, client), "one")
    other = of_tenant(body, client) | {"name": "Other"}
    status, _ = await ask(client, method, path, other, "one")
    assert status == 422


async def test_a_refusal_is_decided_anew(fleet, make):
    client = await make()
    person = of_tenant(PERSON, client)
    _, made = await client("POST", "/users", person)
    assert (await ask(client, "POST", "/users", person, "again"))[0] == 422
    await client("DELETE", f"/users/{made['data']['id']}")
    assert (await ask(client, "POST", "/users", person, "again"))[0] == 201


async def test_whoever_may_not_do_it_does_not_get_the_answer_again(fleet, make):
    admin = await make("admin")
    body = {"name": "shop", "scopes": ["send"]}
    assert (await ask(admin, "POST", "/api-keys", body, "one"))[0] == 201
    marketer = await make("write", "send", user_id=admin.user_id)
    assert (await ask(marketer, "POST", "/api-keys", body, "one"))[0] == 403


async def test_a_new_secret_is_given_once_and_kept_sealed(fleet, make):
    client = await make()
    _, made = await client("POST", "/api-keys", {"name": "shop", "scopes": ["read"]})
    path = f"/api-keys/{made['data']['id']}/rotate"
    key = uuid4().hex
    status, answer = await ask(client, "POST", path, {}, key)
    assert (status, (await ask(client, "POST", path, {}, key))[1]) == (200, answer)
    secret = json.loads(answer)["data"]["apiKey"]
    async with await AsyncConnection.connect(fleet.database_url("gateway")) as connection:
        cursor = await connection.execute("SELECT body FROM idempotency_keys WHERE key = %s", (key,))
        row = await cursor.fetchone()
    assert row is not None
    assert secret.encode() not in bytes(row[0])
