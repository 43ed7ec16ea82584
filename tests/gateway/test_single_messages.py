"""What a client can find out about a single message that could not be sent, on the running fleet."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from tests.gateway.conftest import WAIT_SECONDS
from tests.gateway.test_composing import add_provider, phone
from tests.waiting import until

CONTENT = {"body": "Your code"}


async def test_each_is_listed_with_its_reason_and_explained(fleet, make):
    client = await make()
    customers = [
        {"customerId": "optedOut", "phoneNumber": phone(1), "smsOptedIn": False},
        {"customerId": "noPhone", "firstName": "Ada"},
        {"customerId": "nameless", "phoneNumber": phone(3)},
    ]
    await client("POST", "/customers", {"customers": customers})
    await add_provider(client, fleet)
    hello = {"channel": "sms", "content": {"body": "Hi {{firstName}}"}}
    messages = [
        {**hello, "address": phone(4)},
        *({**hello, "customerId": one["customerId"]} for one in customers),
        {"channel": "sms", "address": phone(5), "content": CONTENT, "providerId": str(uuid4())},
        {"channel": "sms", "address": phone(6), "content": CONTENT, "expiresAt": "2020-01-01T00:00:00Z"},
    ]
    status, answer = await client("POST", "/send", {"messages": messages})
    assert status == 202, answer
    listed: list[dict[str, Any]] = []

    async def are_listed() -> bool:
        _, page = await client("GET", "/sms/recipients?outcome=skipped")
        listed[:] = page["data"]
        return len(listed) == len(messages)

    await until(are_listed, WAIT_SECONDS)
    assert sorted((one["customerId"] or "", one["failureReason"]) for one in listed) == [
        ("", "expired"),
        ("", "missing_variable"),
        ("", "provider_missing"),
        ("nameless", "missing_variable"),
        ("noPhone", "no_phone"),
        ("optedOut", "opted_out"),
    ]
    for one in listed:
        status, answer = await client("GET", f"/sms/campaigns/{one['campaignId']}/recipients/{one['id']}/explain")
        assert status == 200, answer
        assert answer["data"]["recipient"]["failureReason"] == one["failureReason"]
        assert answer["data"]["rules"] is None


@pytest.mark.parametrize("named", [True, False])
async def test_what_waits_says_why(fleet, make, named):
    client = await make()
    body: dict[str, Any] = {"channel": "sms", "address": phone(7), "content": CONTENT}
    if named:
        body["providerId"] = await add_provider(client, fleet)
        await client("PATCH", f"/sms/providers/{body['providerId']}", {"isActive": False})
    await client("POST", "/send", {"messages": [body]})

    async def reason() -> str | None:
        _, page = await client("GET", "/sms/recipients")
        for one in page["data"]:
            _, answer = await client("GET", f"/sms/campaigns/{one['campaignId']}/recipients/{one['id']}/explain")
            return answer["data"]["waitingReason"]
        return None

    await until(reason, WAIT_SECONDS)
    assert await reason() == ("provider_inactive" if named else "no_provider")
