"""What people decide by the link in a message, and what their campaigns see of it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from services.audience.handlers.own_preferences import Own, Person, choose_own, find_own
from services.audience.routes import make_routes
from shared.database import TenantDatabase
from tests.asking import Client
from tests.audience.conftest import Tenant, addresses, person, phone, settings_of

ADA = Person("sms", phone(1), "c0001")
NOBODY = Person("sms", phone(1))
FLAGS = {"sms_opted_in", "push_opted_in", "marketing_opted_in", "transactional_opted_in"}
MARKETING_OFF = {"marketing_opted_in": False}
MARKETING_ON = {"marketing_opted_in": True}


async def choose(tenant: Tenant, who: Person, **choices: Any) -> Own:
    _, after = await choose_own(tenant.database, tenant.user_id, who, choices)
    return after


async def log(tenant: Tenant) -> list[tuple[Any, ...]]:
    return await tenant.rows(
        "SELECT channel, customer_id, address, scope, opted_out, source FROM consent_log"
        " WHERE user_id = %b ORDER BY id",
        tenant.user_id,
    )


async def test_a_customer_sees_everything_that_can_be_chosen(tenant):
    await tenant.save(person(1, smsCategories=["news"]))
    for category in ("marketing", "offers", "transactional"):
        await tenant.launch("sms", category=category)
    own = await find_own(tenant.database, tenant.user_id, ADA)
    assert own.choices.items() >= dict.fromkeys(FLAGS, True).items()
    assert (own.choices["sms_categories"], own.choices["push_categories"]) == (["news"], ["news", "offers"])
    assert own.offered == ["news", "offers"]
    assert own.phone_number is not None
    assert (own.phone_number[:3], own.phone_number[-2:], "•" in own.phone_number) == ("+49", "01", True)


async def test_no_more_marketing_leaves_the_rest_and_reaches_every_address(tenant):
    await tenant.save(person(1), person(2))
    before, after = await choose_own(tenant.database, tenant.user_id, ADA, MARKETING_OFF)
    assert (before.choices["marketing_opted_in"], after.choices["marketing_opted_in"]) == (True, False)
    for channel, address in (("sms", phone(1)), ("push", "token-1")):
        totals, lots = await tenant.reach(channel)
        assert (address in addresses(lots), totals.excluded) == (False, {"opted_out": 1})
        totals, _ = await tenant.reach(channel, category="transactional")
        assert totals.recipients == 2


async def test_each_change_is_logged_with_its_source_and_told(tenant):
    await tenant.save(person(1, deviceToken=None, deviceType=None))
    await choose(tenant, ADA, **MARKETING_OFF)
    await choose(tenant, ADA, **MARKETING_ON)
    expected = [(scope, out) for out in (True, False) for scope in ("*", "marketing")]
    assert await log(tenant) == [("sms", "c0001", phone(1), *change, "preference_page") for change in expected]
    assert await tenant.changes() == [(phone(1), *change) for change in expected]
    totals, _ = await tenant.reach("sms")
    assert totals.recipients == 1


async def test_what_stays_as_it_was_is_not_logged(tenant):
    await tenant.save(person(1))
    await choose(tenant, ADA, **dict.fromkeys(FLAGS, True))
    assert await log(tenant) == []


async def test_no_import_undoes_it(tenant):
    await tenant.save(person(1, marketingOptedIn=False))
    await choose(tenant, ADA, **MARKETING_OFF)
    await tenant.save(person(1, marketingOptedIn=True))
    totals, _ = await tenant.reach("sms")
    assert totals.excluded == {"opted_out": 1}


async def test_topics_of_a_channel_are_chosen_and_all_of_them_include_those_to_come(tenant):
    await tenant.save(person(1))
    for category in ("news", "offers"):
        await tenant.launch("sms", category=category)
    await choose(tenant, ADA, sms_categories=["offers", "unheard-of"])
    for category, reached in (("news", 0), ("offers", 1), ("marketing", 1), ("transactional", 1)):
        totals, _ = await tenant.reach("sms", category=category)
        assert (category, totals.recipients) == (category, reached)
    totals, _ = await tenant.reach("push", category="news")
    assert totals.recipients == 1
    await choose(tenant, ADA, sms_categories=["offers", "news"])
    totals, _ = await tenant.reach("sms", category="brand-new")
    assert totals.recipients == 1


@pytest.mark.parametrize("who", [NOBODY, Person("sms", phone(1), "erased")], ids=["address", "erased"])
async def test_who_is_no_customer_decides_for_the_address(tenant, who):
    own = await find_own(tenant.database, tenant.user_id, who)
    assert own.choices == dict.fromkeys(("sms_opted_in", "marketing_opted_in", "transactional_opted_in"), True)
    own = await choose(tenant, who, **MARKETING_OFF, push_opted_in=False, sms_categories=["news"])
    assert own.choices == {"sms_opted_in": True, "marketing_opted_in": False, "transactional_opted_in": True}
    assert await log(tenant) == [
        ("sms", None, phone(1), scope, True, "preference_page") for scope in ("*", "marketing")
    ]
    for category in ("marketing", "transactional"):
        await tenant.send(tenant.request(address=phone(1), category=category))
    assert [(lot.category, lot.skip_reason) for lot in await tenant.transactional()] == [
        ("marketing", "opted_out"),
        ("transactional", None),
    ]
    await choose(tenant, who, **MARKETING_ON)
    await tenant.send(tenant.request(address=phone(1), category="marketing"))
    last = (await tenant.transactional())[-1]
    assert (last.category, last.skip_reason) == ("marketing", None)


async def test_a_number_that_the_customer_had_when_the_message_went_is_left_alone_too(tenant):
    await tenant.save(person(1, phoneNumber=phone(7)))
    await choose(tenant, ADA, **MARKETING_OFF)
    told = {address for address, _, _ in await tenant.changes()}
    assert told == {phone(1), phone(7), "token-1"}


@pytest.fixture
def client(tenant) -> Client:
    settings = settings_of()
    headers = {"X-User-Id": tenant.user_id, "Content-Type": "application/json"}
    return Client(make_routes(TenantDatabase(tenant.database), settings, asyncio.Event()), "", headers)


async def test_the_gateway_asks_and_changes(tenant, client):
    await tenant.save(person(1))
    whom = {"channel": "sms", "address": phone(1), "customerId": "c0001"}
    answer = await client.post("/internal/own-preferences", json=whom | {"flags": {"smsOptedIn": False}})
    data = answer.json()["data"]
    assert (data["before"]["flags"]["smsOptedIn"], data["now"]["flags"]["smsOptedIn"]) == (True, False)
    answer = await client.post("/internal/own-preferences", json=whom)
    assert answer.json()["data"] == data | {"before": None}
    assert phone(1) not in answer.text


@pytest.mark.parametrize("wrong", [{"flags": {"smsCategories": True}}, {"topics": {"sms": "news"}}, {"channel": "fax"}])
async def test_what_makes_no_sense_is_named(tenant, client, wrong):
    whom = {"channel": "sms", "address": phone(1), "customerId": "c0001"}
    answer = await client.post("/internal/own-preferences", json=whom | wrong)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"].startswith(next(iter(wrong)))
    assert phone(1) not in answer.text


async def test_another_tenants_customer_is_nobody(tenant, client):
    await tenant.save(person(1))
    other = Tenant(tenant.database)
    own = await find_own(TenantDatabase(tenant.database), other.user_id, ADA)
    assert own.offered == []
    assert "push_opted_in" not in own.choices
