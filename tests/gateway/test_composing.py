"""Answers that several services give together, on the running fleet."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from contracts.http.endpoints import BASE
from contracts.links import PREFERENCE_CODE_CHARACTERS, link_values
from deploy.local.fleet import Fleet
from services.gateway.settings import GatewaySettings
from tests.gateway.conftest import WAIT_SECONDS, Client
from tests.gateway.test_api import campaign_of, fields, template_of
from tests.waiting import until

TESTS_PER_DAY: int = GatewaySettings.model_fields["test_messages_per_day"].default


def phone(number: int) -> str:
    return f"+49151{number:08d}"


async def add_provider(client: Client, fleet: Fleet) -> str:
    body = {
        "providerName": "Ours",
        "providerType": "twilio",
        "accountSid": "AC" + uuid4().hex,
        "apiSecret": uuid4().hex,
        "phoneNumber": "+15005550006",
        "config": {"baseUrl": fleet.url("provider_simulator")},
    }
    status, answer = await client("POST", "/sms/providers", body)
    assert status == 201, answer
    return answer["data"]["id"]


async def ready(client: Client, path: str) -> None:
    """Waits until the campaign's service has heard of the account."""

    async def is_ready() -> bool:
        return (await client("GET", path))[1]["data"]["blockers"] == []

    await until(is_ready, WAIT_SECONDS)


async def add_customers(client: Client) -> None:
    customers = [
        {"customerId": "c1", "phoneNumber": phone(1), "firstName": "Ada", "country": "DE"},
        {"customerId": "c2", "phoneNumber": phone(1), "firstName": "Bea"},
        {"customerId": "c3", "phoneNumber": phone(3), "smsOptedIn": False},
        {"customerId": "c4", "firstName": "Dan"},
        {"customerId": "c5", "phoneNumber": "+14165550123", "country": "CA"},
    ]
    status, answer = await client("POST", "/customers", {"customers": customers})
    assert (status, answer["data"]["imported"]) == (200, 5)


async def forecast_of(client: Client, path: str, body: Any = None) -> dict[str, Any]:
    """The whole forecast, asked for until it is complete."""
    found: dict[str, Any] = {}

    async def is_complete() -> bool:
        status, answer = await client("POST", f"{path}/forecast", body)
        assert status in (200, 202), answer
        found.update(answer["data"])
        return status == 200

    await until(is_complete, WAIT_SECONDS)
    return found


async def test_a_forecast_says_what_the_accounting_will_say(fleet, make):
    client = await make()
    await add_customers(client)
    campaign_id = await campaign_of(client)
    path = f"/sms/campaigns/{campaign_id}"
    data = await forecast_of(client, path)
    assert (data["audience"], data["recipients"]) == (5, 2)
    assert data["exclusions"] == {"duplicate": 1, "opted_out": 1, "no_phone": 1}
    assert {one["country"]: one["segments"] for one in data["countries"]} == {"CA": 1, "DE": 1}
    assert [one["code"] for one in data["blockers"]] == ["no_provider"]
    assert (data["cost"], data["providerId"], data["drainReason"]) == (None, None, "no_provider")
    account_id = await add_provider(client, fleet)
    await ready(client, path)
    data = await forecast_of(client, path)
    assert (data["blockers"], data["untariffed"]) == ([], 0)
    assert (data["providerId"], data["drainSeconds"], data["drainReason"]) == (account_id, None, "speed_unknown")
    ((currency, micros),) = [(one["currency"], one["micros"]) for one in data["cost"]]
    assert micros == sum(one["costMicros"] for one in data["countries"]) > 0
    assert {one["currency"] for one in data["countries"]} == {currency}
    status, answer = await client("POST", f"{path}/send")
    assert status == 200, answer

    async def accounted() -> bool:
        status, answer = await client("GET", f"{path}/accounting")
        return status == 200 and answer["data"]["audience"] == 5 and answer["data"]["excluded"] == data["exclusions"]

    await until(accounted, WAIT_SECONDS)
    status, problem = await client("POST", f"{path}/forecast")
    assert (status, problem["title"]) == (409, "Not possible")


async def test_a_forecast_counts_the_segments_of_people_not_of_samples(fleet, make):
    client = await make()
    await add_customers(client)
    text = "Acme: hi {{firstName|you}}, reply STOP to unsubscribe."
    template = await template_of(client, content=text + "x" * (160 - len(text.replace("{{firstName|you}}", "you"))))
    await client(
        "POST", "/customers", {"customers": [{"customerId": "c6", "firstName": "Bartholomew", "phoneNumber": phone(6)}]}
    )
    data = await forecast_of(client, f"/sms/campaigns/{await campaign_of(client, templateId=template)}")
    said = [one["message"] for one in data["warnings"] if one["code"] == "over_one_segment"]
    assert said == ["takes more than one SMS segment: 1 of 3 need 2, each charged"]


async def test_a_forecast_of_nobody_is_a_warning(fleet, make):
    client = await make()
    campaign_id = await campaign_of(client, audienceFilter=None)
    data = await forecast_of(client, f"/sms/campaigns/{campaign_id}", {"restart": False})
    assert "no_recipients" in [one["code"] for one in data["warnings"]]
    assert [one["code"] for one in data["blockers"]] == ["no_provider", "no_audience"]
    status, problem = await client("POST", f"/sms/campaigns/{campaign_id}/forecast", {"restart": "perhaps"})
    assert (status, fields(problem)) == (422, {"restart"})


@pytest.mark.parametrize("above", [None, 10])
@pytest.mark.parametrize("audience_filter", [None, {}])
async def test_a_campaign_without_an_audience_is_not_sent(fleet, make, above, audience_filter):
    client = await make()
    assert (await client("PATCH", "/settings", {"approvalAbove": above}))[0] == 200
    path = f"/sms/campaigns/{await campaign_of(client, audienceFilter=audience_filter)}"
    await add_provider(client, fleet)
    await ready(client, path)
    for action, body in (("send", None), ("schedule", {"scheduledSendTime": "2100-01-01T00:00:00Z"})):
        status, problem = await client("POST", f"{path}/{action}", body)
        assert (status, fields(problem), problem["errors"][0]["code"]) == (422, {"audienceFilter"}, "no_audience")
    assert (await client("POST", f"{path}/recipients", {"recipients": [{"phoneNumber": phone(1)}]}))[0] == 200
    status, answer = await client("POST", f"{path}/send")
    assert (status, answer["data"]["status"]) == (200, "sending")


async def test_an_account_is_kept_while_a_campaign_waits_for_it(fleet, make):
    client = await make()
    await add_customers(client)
    campaign_id = await campaign_of(client)
    path = f"/sms/campaigns/{campaign_id}"
    account = f"/sms/providers/{await add_provider(client, fleet)}"
    await client("PATCH", account, {"config": {"baseUrl": "http://127.0.0.1:9"}})
    await ready(client, path)
    assert (await client("POST", f"{path}/send"))[0] == 200

    async def is_launched() -> bool:
        return (await client("GET", f"{path}/accounting"))[1].get("data", {}).get("waiting", 0) > 0

    await until(is_launched, WAIT_SECONDS)
    status, problem = await client("DELETE", account)
    assert (status, campaign_id in problem["detail"]) == (409, True)
    assert (await client("POST", f"{path}/cancel"))[0] == 200

    async def is_deleted() -> bool:
        return (await client("DELETE", account))[0] == 204

    await until(is_deleted, WAIT_SECONDS)


async def test_a_test_goes_to_few_and_is_not_counted(fleet, make):
    client = await make()
    await add_customers(client)
    campaign_id = await campaign_of(client)
    path = f"/sms/campaigns/{campaign_id}"
    body = {"recipients": [{"customerId": "c1"}, {"address": phone(8)}, {"customerId": "c3"}], "testId": str(uuid4())}
    status, problem = await client("POST", f"{path}/test", body)
    assert (status, fields(problem)) == (422, {"providerId"})
    await add_provider(client, fleet)
    await ready(client, path)
    status, answer = await client("POST", f"{path}/test", body)
    assert status == 202, answer
    sent, by_hand, refused = answer["data"]["messages"]
    assert sent["message"]["text"].startswith("Hi Ada, 20% off")
    assert (by_hand["status"], by_hand["message"]["segments"]) == ("accepted", 1)
    assert (refused["status"], refused["reason"], refused["message"]) == ("excluded", "opted_out", None)
    assert [one["customerId"] for one in answer["data"]["messages"]] == ["c1", None, "c3"]
    repeated = await client("POST", f"{path}/test", body)
    assert repeated == (202, answer)

    async def sent_events() -> list[Any]:
        _, page = await client("GET", "/events?eventType=sent")
        return page["data"] if len(page["data"]) >= 2 else []

    await until(sent_events, WAIT_SECONDS)
    assert len(await sent_events()) == 2
    status, _ = await client("GET", f"{path}/accounting")
    assert status == 404
    dashboard = (await client("GET", "/dashboard"))[1]["data"]
    assert (dashboard["recentSMSCampaigns"][0]["sentCount"], dashboard["smsSendCost"] > 0) == (0, True)


async def test_a_test_shows_links_as_long_as_those_that_are_sent(fleet, make):
    client = await make()
    text = "Sale at Acme. Stop: {{unsubscribeUrl}}"
    _, template = await client("POST", "/sms/templates", {"templateName": "Sale", "content": text})
    provider_id = await add_provider(client, fleet)
    campaign_id = await campaign_of(client, providerId=provider_id, templateId=template["data"]["id"])
    path = f"/sms/campaigns/{campaign_id}"
    await ready(client, path)
    status, answer = await client("POST", f"{path}/test", {"recipients": [{"address": phone(1)}]})
    assert status == 202, answer
    sent = link_values(fleet.url("gateway"), "0" * PREFERENCE_CODE_CHARACTERS)["unsubscribeUrl"]
    assert answer["data"]["messages"][0]["message"]["text"] == text.replace("{{unsubscribeUrl}}", sent)


async def test_a_test_is_for_those_only_who_take_messages_of_its_category(fleet, make):
    client = await make()
    customers = [
        {"customerId": "c1", "phoneNumber": phone(1), "marketingOptedIn": False},
        {"customerId": "c2", "phoneNumber": phone(2), "smsCategories": ["news"]},
    ]
    assert (await client("POST", "/customers", {"customers": customers}))[0] == 200
    provider_id = await add_provider(client, fleet)
    body = {"recipients": [{"customerId": "c1"}, {"customerId": "c2"}, {"address": phone(1)}]}
    for category, expected in (
        ("marketing", ["opted_out", "opted_out", "opted_out"]),
        ("news", ["opted_out", None, "opted_out"]),
        ("transactional", [None, "opted_out", None]),
    ):
        path = f"/sms/campaigns/{await campaign_of(client, providerId=provider_id, category=category)}"
        await ready(client, path)
        status, answer = await client("POST", f"{path}/test", body)
        assert (status, [one["reason"] for one in answer["data"]["messages"]]) == (202, expected), category


async def test_a_tenant_tries_out_only_so_much_a_day(fleet, make):
    client = await make()
    path = f"/sms/campaigns/{await campaign_of(client, providerId=await add_provider(client, fleet))}"
    await ready(client, path)
    body = {"recipients": [{"address": phone(n)} for n in range(10)]}
    answers = await asyncio.gather(*(client("POST", f"{path}/test", body) for _ in range(TESTS_PER_DAY // 10 + 3)))
    assert sorted(status for status, _ in answers) == [202] * (TESTS_PER_DAY // 10) + [429] * 3
    assert "midnight" in next(answer for status, answer in answers if status == 429)["detail"]
    assert (await client("POST", f"{path}/test", {"recipients": [{"address": phone(1)}]}))[0] == 429


@pytest.mark.parametrize(
    ("recipients", "field"),
    [
        ([], "recipients"),
        ([{"customerId": f"c{n}"} for n in range(11)], "recipients"),
        ([{"customerId": "c1", "address": phone(1)}], "recipients.0"),
        ([{"customerId": "c1"}, {"customerId": "nobody"}], "recipients.1.customerId"),
        ([{"address": "12"}], "recipients.0.address"),
    ],
)
async def test_a_test_that_cannot_be_sent_is_refused_as_a_whole(fleet, make, recipients, field):
    client = await make()
    await add_customers(client)
    campaign_id = await campaign_of(client, providerId=await add_provider(client, fleet))
    path = f"/sms/campaigns/{campaign_id}"
    await ready(client, path)
    status, problem = await client("POST", f"{path}/test", {"recipients": recipients})
    assert (status, fields(problem)) == (422, {field})


async def test_everybody_can_be_explained(fleet, make):
    client = await make()
    await add_customers(client)
    provider_id = await add_provider(client, fleet)
    by_country = {"all": [{"field": "country", "op": "exists"}]}
    everybody = await campaign_of(client, providerId=provider_id)
    path = f"/sms/campaigns/{everybody}"

    async def decision(customer_id: str, at: str = path) -> str:
        status, answer = await client("GET", f"{at}/explain?customerId={customer_id}")
        assert status == 200, answer
        return answer["data"]["decision"]

    assert [await decision(f"c{n}") for n in (1, 3, 4)] == ["recipient", "opted_out", "no_phone"]
    narrow = f"/sms/campaigns/{await campaign_of(client, audienceFilter=by_country)}"
    assert await decision("c4", narrow) == "not_in_audience"
    _, answer = await client("GET", f"{narrow}/explain?customerId=c4")
    assert answer["data"]["rules"][0]["details"]["conditions"] == [
        {"path": "all.0", "met": False, "field": "country", "op": "exists", "value": None}
    ]
    await ready(client, path)
    assert (await client("POST", f"{path}/send"))[0] == 200

    async def delivered() -> list[Any]:
        _, page = await client("GET", f"{path}/recipients?status=delivered")
        return page["data"] if len(page["data"]) == 2 else []

    await until(delivered, WAIT_SECONDS)
    assert [await decision(f"c{n}") for n in range(1, 6)] == [
        "recipient",
        "duplicate",
        "opted_out",
        "no_phone",
        "recipient",
    ]
    first = (await delivered())[0]

    async def story() -> dict[str, Any]:
        status, answer = await client("GET", f"{path}/recipients/{first['id']}/explain")
        assert status == 200, answer
        kinds = {one["eventType"] for one in answer["data"]["events"]}
        return answer["data"] if kinds >= {"sent", "delivered"} else {}

    await until(story, WAIT_SECONDS)
    told = await story()
    assert len(told["attempts"]) == 1
    async with client.http.get(
        f"{client.url}{BASE}{path}/recipients/export?format=jsonl", headers={"Authorization": f"Bearer {client.key}"}
    ) as file:
        assert file.headers["Content-Disposition"].startswith("attachment")
        assert (await file.text()).splitlines()[-1] == '{"complete":true,"rows":2}'
    assert all(rule["met"] for rule in told["rules"])
    for unknown in (f"{path}/explain?customerId=nobody", f"{path}/recipients/{uuid4()}/explain"):
        assert (await client("GET", unknown))[0] == 404
    status, problem = await client("GET", f"{path}/explain")
    assert (status, fields(problem)) == (422, {"customerId"})


async def test_recipients_are_listed_before_the_launch(fleet, make):
    client = await make()
    campaign_id = await campaign_of(client, audienceFilter=None)
    path = f"/sms/campaigns/{campaign_id}/recipients"
    rows = [{"phoneNumber": phone(n), "recipientName": f"Ada {n}"} for n in range(5)]
    assert (await client("POST", path, {"recipients": rows}))[0] == 200
    seen: list[str] = []
    cursor = ""
    while True:
        _, page = await client("GET", f"{path}?limit=2{cursor}")
        seen += [one["phoneNumber"] for one in page["data"]]
        if page["nextCursor"] is None:
            break
        cursor = f"&cursor={page['nextCursor']}"
    assert sorted(seen) == [row["phoneNumber"] for row in rows]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "recipients"),
        ("GET", "recipients/export"),
        ("POST", "recipients"),
        ("POST", "recipients/import"),
        ("GET", "explain?customerId=c1"),
        ("POST", "forecast"),
        ("DELETE", "forecast"),
        ("POST", "test"),
        ("GET", "accounting"),
    ],
)
async def test_a_campaign_that_is_not_there_is_not_there_for_anything(fleet, make, method, path):
    client, stranger = await make(), await make()
    body = {
        "recipients": {"recipients": [{"phoneNumber": phone(1)}]},
        "test": {"recipients": [{"address": phone(1)}]},
    }.get(path)
    answers = [
        await who(method, f"/sms/campaigns/{campaign_id}/{path}", body)
        for who, campaign_id in ((client, uuid4()), (stranger, await campaign_of(client)))
    ]
    assert [status for status, _ in answers] == [404, 404]
    assert answers[0] == answers[1]
