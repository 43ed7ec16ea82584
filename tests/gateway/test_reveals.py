"""People see a part of every address, and one in full when they ask for it; who asked is in the audit log."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import pytest
import pytest_asyncio

from deploy.local.fleet import Fleet
from services.gateway.domain.masking import without_addresses
from tests.gateway.browsing import WAIT_SECONDS, Browser, operator, signed_in
from tests.waiting import until

NUMBER, SHOWN = "+4915112345678", "+49•••••••••78"
TOKEN, TOKEN_SHOWN = "a-token-of-a-device", "…device"
SILENT = "http://127.0.0.1:9"
"""Where no provider answers."""


@pytest_asyncio.fixture(loop_scope="session")
async def shop(fleet: Fleet) -> AsyncIterator[Browser]:
    """An operator on behalf of a tenant with one customer."""
    async with operator(fleet) as found:
        customer = {"customerId": "C 1", "phoneNumber": NUMBER, "deviceToken": TOKEN, "smsOptedIn": True}
        assert (await found("POST", "/customers", {"customers": [customer]}))[0] == 200
        yield found


async def looks(shop: Browser) -> list[tuple[Any, ...]]:
    """(what was done, to what, whose) of all that was looked at, newest first."""
    _, log = await shop("GET", "/audit")
    assert NUMBER not in json.dumps(log)
    deeds = [(one["action"], one["resourceType"], one["resourceId"]) for one in log["data"]]
    return [one for one in deeds if one[0].startswith(("show", "find", "GET"))]


async def test_people_see_a_part_of_every_address(fleet, shop):
    async with signed_in(fleet, shop, "admin") as person:
        everything = {"audienceFilter": {"all": []}}
        for method, path, body in (
            ("GET", "/customers", None),
            ("GET", "/customers/C%201", None),
            ("GET", "/preferences", None),
            ("POST", "/audience/preview", everything),
        ):
            status, answer = await person(method, path, body)
            text = json.dumps(answer, ensure_ascii=False)
            assert (status, SHOWN in text, NUMBER in text, TOKEN in text) == (200, True, False, False), path
            _, whole = await shop(method, path, body)
            assert NUMBER in json.dumps(whole), "programs see fields as they are"
    assert await looks(shop) == []


@pytest.mark.parametrize(("role", "status"), [("viewer", 403), ("marketer", 200), ("approver", 200), ("admin", 200)])
async def test_whose_number_was_looked_at_by_whom_is_written_down(fleet, shop, role, status):
    async with signed_in(fleet, shop, role) as person:
        found, answer = await person("POST", "/customers/C%201/reveal")
        assert found == status
        if status == 200:
            assert answer["data"] == {"customerId": "C 1", "phoneNumber": NUMBER}
        assert await looks(shop) == ([("show address", "customers", "C 1")] if status == 200 else [])
        assert (await person("POST", "/customers/nobody/reveal"))[0] == (404 if status == 200 else 403)


async def test_another_page_makes_nobody_look(fleet, shop):
    async with signed_in(fleet, shop, "admin") as person:
        del person.headers["X-CSRF-Token"]
        assert (await person("POST", "/customers/C%201/reveal"))[0] == 403
    assert await looks(shop) == []


async def test_a_recipient_of_no_customer_is_written_down_by_its_own_id(fleet, shop):
    account = {
        "providerName": "a",
        "providerType": "twilio",
        "accountSid": "AC1",
        "apiSecret": "s",
        "phoneNumber": "+1500",
    }
    _, provider = await shop("POST", "/sms/providers", account | {"config": {"baseUrl": SILENT}})
    _, template = await shop("POST", "/sms/templates", {"templateName": "t", "content": "Acme: hello"})
    ids = {"templateId": template["data"]["id"], "providerId": provider["data"]["id"]}
    _, campaign = await shop("POST", "/sms/campaigns", {"campaignName": "c"} | ids)
    at = f"/sms/campaigns/{campaign['data']['id']}"
    await shop("POST", f"{at}/recipients", {"recipients": [{"phoneNumber": "+4915112345679"}]})
    assert (await shop("POST", f"{at}/send"))[0] == 200
    found: list[str] = []

    async def is_there() -> bool:
        _, answer = await shop("GET", f"{at}/recipients")
        found[:] = [one["id"] for one in answer["data"] if one.get("userId")]
        return bool(found)

    await until(is_there, WAIT_SECONDS)
    async with signed_in(fleet, shop, "marketer") as person:
        _, answer = await person("GET", f"{at}/recipients/{found[0]}/explain")
        assert answer["data"]["recipient"]["phoneNumber"] == "+49•••••••••79"
        _, answer = await person("POST", f"{at}/recipients/{found[0]}/reveal")
        assert answer["data"] == {"customerId": None, "phoneNumber": "+4915112345679"}
        _, answer = await person("GET", "/sms/providers")
        assert answer["data"][0]["phoneNumber"] == "+1500", "a sender is no customer"
    assert await looks(shop) == [("show address", "recipients", found[0])]


async def test_files_are_for_those_who_see_addresses(fleet, shop):
    async with signed_in(fleet, shop, "viewer") as viewer, signed_in(fleet, shop, "marketer") as marketer:
        assert (await viewer("GET", "/customers/export"))[0] == 403
        status, text = await marketer("GET", "/customers/export")
        assert (status, NUMBER in text) == (200, True)
    assert await looks(shop) == [("GET /customers/export", "customers/export", None)]


def of_number(operator: str, *values: Any) -> dict[str, Any]:
    """A preview of whoever has one of these numbers, deep in a filter."""
    nodes = [{"field": "phoneNumber", "op": operator, "value": value} for value in values]
    return {"audienceFilter": {"all": [{"not": {"any": nodes}}]}}


PARTS = (of_number("startsWith", "+491"), of_number("gt", "+49"), of_number("in", [NUMBER]), of_number("eq", "1", "2"))


@pytest.mark.parametrize(("role", "status"), [("viewer", 403), ("marketer", 200)])
async def test_nobody_puts_a_number_together_unseen(fleet, shop, role, status):
    async with signed_in(fleet, shop, role) as person:
        for asked in (of_number("eq", NUMBER), of_number("exists", True)):
            assert (await person("POST", "/audience/preview", asked))[0] == 200
        assert await looks(shop) == []
        for asked in PARTS:
            found, answer = await person("POST", "/audience/preview", asked)
            assert found == status, answer
            assert (await shop("POST", "/audience/preview", asked))[0] == 200, "programs see fields as they are"
        expected = [("find by address", "customers", None)] * len(PARTS) if status == 200 else []
        assert await looks(shop) == expected
        for search, count in (("%2B49151", 0), (quote(NUMBER), 1), ("C", 1)):
            _, answer = await person("GET", f"/customers?search={search}")
            assert len(answer["data"]) == count, search
    _, answer = await shop("GET", "/customers?search=%2B49151")
    assert len(answer["data"]) == 1


async def test_the_filter_of_a_campaign_tells_no_number_unseen(fleet, shop):
    _, template = await shop("POST", "/sms/templates", {"templateName": "t", "content": "Acme: hello"})
    body = {"campaignName": "c", "templateId": template["data"]["id"]}
    async with signed_in(fleet, shop, "marketer") as person:
        _, made = await person("POST", "/sms/campaigns", body | of_number("startsWith", "+49"))
        assert len(await looks(shop)) == 1
        assert (await person("PATCH", f"/sms/campaigns/{made['data']['id']}", of_number("gt", "+49")))[0] == 200
        assert (await person("PATCH", f"/sms/campaigns/{made['data']['id']}", {"campaignName": "d"}))[0] == 200
        assert await looks(shop) == [("find by address", "customers", None)] * 2


def test_what_is_masked_stays_as_it_is():
    answer = {"data": [{"phoneNumber": NUMBER, "name": NUMBER}, {"devices": [{"deviceToken": TOKEN}]}, None, 1]}
    masked = {"data": [{"phoneNumber": SHOWN, "name": NUMBER}, {"devices": [{"deviceToken": TOKEN_SHOWN}]}, None, 1]}
    assert without_addresses(answer) == masked == without_addresses(masked)
