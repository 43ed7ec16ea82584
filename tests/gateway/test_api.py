"""The API over HTTP, as strangers, tenants and careless clients use it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import pytest

from contracts.http.endpoints import BASE, ENDPOINTS
from services.gateway.settings import GatewaySettings
from tests.gateway.conftest import WAIT_SECONDS, Client
from tests.waiting import until

BODY_BYTES_MAX: int = GatewaySettings.model_fields["body_bytes_max"].default
MEBIBYTE = 1 << 20
SMS_TEMPLATE = {"templateName": "Sale", "content": "Hi {{firstName|there}}, 20% off. Reply STOP to unsubscribe"}

NOBODYS = UUID(int=0)
"""The id of no campaign."""


async def template_of(client: Client, **fields: Any) -> str:
    status, answer = await client("POST", "/sms/templates", SMS_TEMPLATE | fields)
    assert status == 201
    return answer["data"]["id"]


async def campaign_of(client: Client, **fields: Any) -> str:
    body = {"campaignName": "Sale", "templateId": await template_of(client), "audienceFilter": {"all": []}, **fields}
    status, answer = await client("POST", "/sms/campaigns", body)
    assert status == 201, answer
    return answer["data"]["id"]


# --- who may what ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["", "nonsense", "osn_0123456789_wrong", "osn_0123456789_"])
async def test_without_a_key_that_opens_nothing_is_answered(fleet, make, key):
    client = await make()
    client.key = key
    for endpoint in ENDPOINTS:
        path = endpoint.path.replace("{id}", str(uuid4())).replace("{recipientId}", str(uuid4()))
        status, problem = await client(endpoint.method, path)
        assert (status, problem["title"]) == (401, "Not signed in")


@pytest.mark.parametrize("scope", ["read", "write", "send"])
async def test_a_key_does_only_what_its_scopes_allow(fleet, make, scope):
    client = await make(scope)
    allowed = {"read": {"read"}, "write": {"read", "write"}, "send": {"send"}}[scope]
    for endpoint in ENDPOINTS:
        path = endpoint.path.replace("{id}", str(uuid4())).replace("{recipientId}", str(uuid4()))
        if endpoint.scope not in allowed:
            status, problem = await client(endpoint.method, path)
            assert (endpoint.path, status, problem["detail"]) == (
                endpoint.path,
                403,
                f"this key has no scope {endpoint.scope}",
            )


async def test_another_tenants_things_are_not_there(fleet, make):
    ada, bob = await make(), await make()
    campaign_id = await campaign_of(ada)
    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/send"), ("POST", "/clone"), ("GET", "/recipients")):
        status, answer = await bob(method, f"/sms/campaigns/{campaign_id}{path}")
        assert (path, status == 404 or answer["data"] == []) == (path, True)
    status, _ = await bob("GET", f"/sms/campaigns?userId={ada.user_id}")
    assert status == 403
    status, answer = await ada("GET", f"/sms/campaigns?userId={ada.user_id}")
    assert (status, [one["id"] for one in answer["data"]]) == (200, [campaign_id])


async def test_the_fleets_own_endpoints_want_the_fleets_token(fleet, make):
    client = await make()
    headers = {"Authorization": f"Bearer {client.key}"}
    async with client.http.post(f"{client.url}/internal/reconcile", headers=headers) as answer:
        assert answer.status == 401
    for service in ("campaign", "audience", "dispatcher", "analytics"):
        url = f"{fleet.url(service)}{BASE}/sms/campaigns"
        async with client.http.get(url, headers={"X-User-Id": client.user_id}) as answer:
            assert answer.status in (401, 404)


# --- bodies ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/session", "/invitations", "/send", "/users", "/sms/campaigns"])
async def test_a_body_without_end_is_not_taken_up(fleet, make, path):
    """The answer comes at the limit, though the body never ends."""
    client = await make()

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(BODY_BYTES_MAX // MEBIBYTE + 1):
            yield b" " * MEBIBYTE
        await asyncio.Event().wait()

    headers = {"Content-Type": "application/json"}
    if path in ("/send", "/sms/campaigns"):
        headers["Authorization"] = f"Bearer {client.key}"
    async with asyncio.timeout(WAIT_SECONDS):
        async with client.http.post(f"{client.url}{BASE}{path}", data=endless(), headers=headers) as answer:
            assert answer.status == 413


async def test_a_callback_in_chunks_is_passed_on(fleet, make):
    client = await make()

    async def chunks() -> AsyncIterator[bytes]:
        yield b"MessageStatus="
        yield b"delivered"

    async with client.http.post(f"{client.url}{BASE}/callbacks/twilio/{uuid4()}", data=chunks()) as answer:
        assert (answer.status, (await answer.json())["title"]) == (404, "Not found")


# --- bad input names what to change ----------------------------------------------------------------------------------


def fields(problem: dict[str, Any]) -> set[str]:
    return {error["field"] for error in problem["errors"]}


ADDRESS = "messages.0.address"


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/sms/templates", {"templateName": "x", "content": ""}, "content"),
        ("/sms/templates", {"templateName": "x", "content": "x" * 481}, "content"),
        ("/sms/templates", {"templateName": "x", "content": "Hi {{shoeSize}}"}, "content"),
        ("/sms/templates", {"templateName": "x", "content": "Hi {{firstName"}, "content"),
        ("/sms/templates", {"content": "x"}, "templateName"),
        ("/push/templates", {"templateName": "x", "title": "", "body": "x"}, "title"),
        ("/push/templates", {"templateName": "x", "title": "x" * 66, "body": "x"}, "title"),
        ("/push/templates", {"templateName": "x", "title": "x", "body": "x" * 241}, "body"),
        ("/push/templates", {"templateName": "x", "title": "x", "body": "x", "actionUrl": "nowhere"}, "actionUrl"),
        ("/sms/campaigns", {"campaignName": "x", "templateId": str(uuid4())}, "templateId"),
        ("/sms/campaigns", {"campaignName": "x", "templateId": "no id"}, "templateId"),
        ("/sms/campaigns", {"campaignName": "x", "templateId": None, "surprise": 1}, "surprise"),
        ("/sms/providers", {"providerType": "twilio"}, "providerName"),
        ("/customers", {"customers": [{"customerId": "c", "phoneNumber": "12"}]}, "customers.0.phoneNumber"),
        (
            "/audience/preview",
            {"audienceFilter": {"field": "shoeSize", "op": "eq", "value": 1}},
            "audienceFilter.field",
        ),
        ("/send", {"messages": []}, "messages"),
        ("/send", {"messages": [{"channel": "fax", "address": "x", "content": {"body": "x"}}]}, "messages.0.channel"),
        ("/send", {"messages": [{"channel": "sms", "address": "0151 1234567", "content": {"body": "x"}}]}, ADDRESS),
        ("/send", {"messages": [{"channel": "sms", "address": "Ada", "content": {"body": "x"}}]}, ADDRESS),
        ("/send", {"messages": [{"channel": "push", "address": "two words", "content": {"body": "x"}}]}, ADDRESS),
    ],
)
async def test_a_field_that_is_wrong_is_named(fleet, make, path, body, field):
    client = await make()
    status, problem = await client("POST", path, body)
    assert (status, field in fields(problem)) == (422, True), problem


@pytest.mark.parametrize("path", ["/events", "/sms/campaigns", "/customers", "/audit", "/approvals", "/users"])
async def test_a_parameter_that_a_list_does_not_have_is_named(fleet, make, path):
    client = await make("admin")
    status, problem = await client("GET", f"{path}?limitt=1&requestId=x5&userId={client.user_id}")
    assert (status, fields(problem)) == (422, {"limitt", "requestId"})


async def test_different_messages_do_not_share_a_request_id(fleet, make):
    client = await make("send")
    first = {"requestId": "order-1", "channel": "sms", "address": "+4915112345678", "content": {"body": "one"}}
    for other in ({"content": {"body": "two"}}, {"address": "+4915112345679"}):
        status, problem = await client("POST", "/send", {"messages": [first, first, first | other]})
        assert (status, fields(problem)) == (422, {"messages.2.requestId"})
    assert (await client("POST", "/send", {"messages": [first, first]}))[0] == 202


@pytest.mark.parametrize(
    ("audience_filter", "field"),
    [
        ({"field": "shoeSize", "op": "eq", "value": 1}, "audienceFilter.field"),
        ({"all": [{"field": "country", "op": "like", "value": "DE"}]}, "audienceFilter.all.0.op"),
        ({"any": [{"not": {"field": "country", "op": "in", "value": "DE"}}]}, "audienceFilter.any.0.not.value"),
        ({"all": "everybody"}, "audienceFilter.all"),
        ({"all": [], "any": []}, "audienceFilter"),
    ],
)
async def test_the_place_in_a_filter_that_is_wrong_is_named(fleet, make, audience_filter, field):
    client = await make()
    body = {"campaignName": "x", "templateId": await template_of(client), "audienceFilter": audience_filter}
    status, problem = await client("POST", "/sms/campaigns", body)
    assert (status, field in fields(problem)) == (422, True), problem


NUL = "a\0b"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/sms/templates", {"templateName": NUL, "content": "x"}),
        ("POST", "/push/templates", {"templateName": "x", "title": "x", "body": NUL}),
        ("POST", "/sms/providers", {"providerName": NUL, "providerType": "twilio"}),
        ("POST", "/customers", {"customers": [{"customerId": NUL}]}),
        ("POST", "/customers", {"customers": [{"customerId": "c", "firstName": NUL}]}),
        ("POST", "/customers", {"customers": [{"customerId": "c", "attributes": {"plan": NUL}}]}),
        ("POST", "/customers", {"customers": [{"customerId": "c", "attributes": {NUL: "x"}}]}),
        ("POST", "/customers/c/devices", {"deviceToken": NUL, "deviceType": "ios"}),
        ("PUT", "/preferences/c", {"smsCategories": [NUL]}),
        ("POST", "/audience/preview", {"audienceFilter": {"field": "country", "op": "eq", "value": NUL}}),
        ("POST", "/send", {"messages": [{"channel": "sms", "address": NUL, "content": {"body": "x"}}]}),
        ("POST", "/session", {"email": "ada@example.com", "password": "half \ud800 a character"}),
        ("GET", "/customers/%00", None),
        ("DELETE", "/customers/%00", None),
        ("GET", "/audit?action=%00", None),
        ("GET", "/preferences?customerId=%00", None),
        ("GET", "/sms/campaigns?status=%00", None),
        ("GET", "/events?eventType=%00", None),
        ("GET", f"/sms/campaigns/{NOBODYS}/recipients?phoneNumber=%00", None),
        ("GET", f"/sms/campaigns/{NOBODYS}/recipients?status=%00", None),
    ],
)
async def test_a_character_that_cannot_be_stored_is_refused(fleet, make, method, path, body):
    status, problem = await (await make())(method, path, body)
    assert status in (400, 404, 422), problem


@pytest.mark.parametrize(
    "path",
    [
        "/sms/campaigns?limit=0",
        "/sms/campaigns?limit=x",
        "/sms/campaigns?cursor=%00",
        "/sms/campaigns/no-id",
        "/events?campaignId=x",
        "/events?from=yesterday",
    ],
)
async def test_a_query_that_is_wrong_is_refused(fleet, make, path):
    status, _ = await (await make())("GET", path)
    assert status == 422


async def test_a_campaign_does_only_what_its_state_allows(fleet, make):
    client = await make()
    campaign_id = await campaign_of(client)
    status, problem = await client("POST", f"/sms/campaigns/{campaign_id}/pause")
    assert (status, problem["title"]) == (409, "Not possible")
    status, problem = await client("POST", f"/sms/campaigns/{campaign_id}/send")
    assert (status, fields(problem)) == (422, {"providerId"})
    status, problem = await client(
        "POST", f"/sms/campaigns/{campaign_id}/schedule", {"scheduledSendTime": "2020-01-01T00:00:00Z"}
    )
    assert (status, fields(problem)) == (422, {"scheduledSendTime"})
    status, cloned = await client("POST", f"/sms/campaigns/{campaign_id}/clone")
    assert (status, cloned["data"]["campaignName"], cloned["data"]["status"]) == (201, "Sale (copy)", "draft")
    status, _ = await client("DELETE", f"/sms/campaigns/{campaign_id}")
    assert status == 204
    status, _ = await client("GET", f"/sms/campaigns/{campaign_id}")
    assert status == 404


async def test_lists_go_on_where_they_ended(fleet, make):
    client = await make()
    made = [await campaign_of(client) for _ in range(5)]
    seen: list[str] = []
    cursor = ""
    while True:
        _, page = await client("GET", f"/sms/campaigns?limit=2{cursor}")
        seen += [one["id"] for one in page["data"]]
        if page["nextCursor"] is None:
            break
        cursor = f"&cursor={page['nextCursor']}"
    assert sorted(seen) == sorted(made)
    assert len(seen) == 5


async def test_secrets_come_back_masked(fleet, make):
    client = await make()
    secret = uuid4().hex
    body = {
        "providerName": "Ours",
        "providerType": "twilio",
        "accountSid": "AC" + "0" * 32,
        "apiSecret": secret,
        "phoneNumber": "+15005550006",
        "config": {"baseUrl": fleet.url("provider_simulator")},
    }
    status, made = await client("POST", "/sms/providers", body)
    assert status == 201
    _, listed = await client("GET", "/sms/providers")
    assert secret not in json.dumps([made, listed])
    body["config"] = {"baseUrl": "http://169.254.169.254"}
    status, problem = await client("POST", "/sms/providers", body)
    assert status == 422, problem


async def test_the_dashboard_counts_what_is_there(fleet, make):
    client = await make()
    await campaign_of(client)

    async def counted() -> dict[str, Any] | None:
        _, answer = await client("GET", f"/dashboard?userId={client.user_id}")
        data = answer["data"]
        return data if data["totalSMSCampaigns"] == data["smsTemplateCount"] == 1 else None

    await until(counted, WAIT_SECONDS)
    data = await counted()
    assert data is not None
    assert [one["campaignName"] for one in data["recentSMSCampaigns"]] == ["Sale"]
    assert {status: count for status, count in data["campaignsByStatus"].items() if count} == {"draft": 1}
