"""Opt-outs: remembered by address, told to the fleet, not undone by stale exports."""

from __future__ import annotations

from datetime import timedelta

import pytest

from contracts.events import Content
from contracts.topics import PREFERENCE_CHANGES
from services.audience.domain.customers import Customer, Device
from services.audience.handlers import consent
from services.audience.handlers.importing import add_device
from shared.codec import now
from shared.errors import Rejected
from tests.audience.conftest import addresses, person, phone


async def test_stop_counts_for_everybody_at_the_number(tenant):
    await tenant.save(person(1), person(2, phoneNumber=phone(1)), person(3))
    await tenant.write_back(phone(1), "stop")
    assert set(await tenant.changes()) == {(phone(1), "all", True)}
    totals, lots = await tenant.reach("sms")
    assert (addresses(lots), totals.excluded) == ([phone(3)], {"opted_out": 2})
    log = await tenant.rows(
        "SELECT customer_id, opted_out, source FROM consent_log WHERE user_id = %b ORDER BY customer_id",
        tenant.user_id,
    )
    assert log == [("c0001", True, "message"), ("c0002", True, "message")]


async def test_start_takes_it_back_and_an_old_stop_that_comes_again_does_not_count(tenant):
    await tenant.save(person(1))
    stop = await tenant.write_back(phone(1), "stop")
    await tenant.write_back(phone(1), "start")
    await consent.on_inbound_messages(tenant.database, [stop])
    assert await tenant.changes() == [(phone(1), "all", True), (phone(1), "all", False)]
    totals, _ = await tenant.reach("sms")
    assert totals.recipients == 1


async def test_a_stop_from_a_number_that_nobody_has_yet_is_remembered(tenant):
    await tenant.write_back(phone(1), "stop")
    await tenant.save(person(1))
    totals, _ = await tenant.reach("sms")
    assert totals.excluded == {"opted_out": 1}


async def test_a_stale_export_does_not_undo_a_stop(tenant):
    await tenant.save(person(1, smsOptedIn=True))
    await tenant.write_back(phone(1), "stop")
    await tenant.save(person(1, smsOptedIn=True))
    (row,) = await tenant.rows("SELECT sms_opted_in FROM notification_preferences WHERE user_id = %b", tenant.user_id)
    assert row == (False,)
    assert await tenant.changes() == [(phone(1), "all", True)]


async def test_an_import_changes_consent_and_tells_it(tenant):
    await tenant.save(person(1), person(2, smsOptedIn=False), person(3, marketingOptedIn=False))
    expected = {
        (phone(2), "all", True),
        *((address, scope, True) for address in (phone(3), "token-3") for scope in ("marketing", "*")),
    }
    assert set(await tenant.changes()) == expected
    await tenant.save({"customerId": "c0002", "smsOptedIn": "yes"}, {"customerId": "c0001", "firstName": "B"})
    assert (await tenant.changes())[-1] == (phone(2), "all", False)
    assert len(await tenant.changes()) == len(expected) + 1


async def test_an_opt_in_is_not_told_while_somebody_else_at_the_number_is_out(tenant):
    await tenant.save(person(1, smsOptedIn=False), person(2, phoneNumber=phone(1), smsOptedIn=False))
    await tenant.save({"customerId": "c0001", "smsOptedIn": True})
    assert (phone(1), "all", False) not in await tenant.changes()
    await tenant.save({"customerId": "c0002", "smsOptedIn": True})
    assert (phone(1), "all", False) in await tenant.changes()


async def test_a_new_number_of_an_opted_out_customer_is_told(tenant):
    await tenant.save(person(1, smsOptedIn=False))
    await tenant.save({"customerId": "c0001", "phoneNumber": phone(9)})
    assert (await tenant.changes())[-1] == (phone(9), "all", True)
    totals, _ = await tenant.reach("sms")
    assert totals.excluded == {"opted_out": 1}


@pytest.mark.parametrize("scope", ["sms_opted_in", "marketing_opted_in"])
async def test_choices_of_the_customer_outlive_imports_until_taken_back(tenant, scope):
    await tenant.save(person(1))
    customer = Customer("c0001")
    await consent.set_preferences(tenant.database, tenant.user_id, customer, {scope: False})
    await tenant.save(person(1, smsOptedIn=True, marketingOptedIn=True))
    totals, _ = await tenant.reach("sms")
    assert totals.excluded == {"opted_out": 1}
    await consent.set_preferences(tenant.database, tenant.user_id, customer, {scope: True})
    totals, _ = await tenant.reach("sms")
    assert totals.recipients == 1
    names = {"sms_opted_in": ["all"], "marketing_opted_in": ["*", "marketing"]}[scope]
    told = [(scope, out) for address, scope, out in await tenant.changes() if address == phone(1)]
    assert told == [(name, out) for out in (True, False) for name in names]


async def test_opting_in_on_the_page_takes_back_a_stop(tenant):
    await tenant.save(person(1))
    await tenant.write_back(phone(1), "stop")
    await consent.set_preferences(tenant.database, tenant.user_id, Customer("c0001"), {"sms_opted_in": True})
    assert (await tenant.changes())[-1] == (phone(1), "all", False)
    totals, _ = await tenant.reach("sms")
    assert totals.recipients == 1


async def test_categories_restrict(tenant):
    await tenant.save(person(1))
    await consent.set_preferences(
        tenant.database, tenant.user_id, Customer("c0001"), {"sms_categories": ["news", "transactional"]}
    )
    assert set(await tenant.changes()) == {
        (phone(1), "marketing", True),
        (phone(1), "*", True),
        (phone(1), "news", False),
        (phone(1), "transactional", False),
    }
    assert (await tenant.reach("sms", category="news"))[0].recipients == 1
    assert (await tenant.reach("sms", category="marketing"))[0].recipients == 0
    assert (await tenant.reach("push", category="marketing"))[0].recipients == 1


async def test_preferences_can_be_made_for_somebody_new(tenant):
    customer = Customer("new", phone_number=phone(5), devices=[Device("new-token")])
    await consent.set_preferences(tenant.database, tenant.user_id, customer, {"push_opted_in": False})
    assert (await tenant.reach("sms"))[0].recipients == 1
    assert (await tenant.reach("push"))[0].excluded == {"opted_out": 1}


async def test_verdicts_of_providers(tenant):
    await tenant.save(person(1), person(2), person(3))
    await tenant.judge("sms", dead=[phone(1)], opted_out=[phone(2)])
    assert await tenant.changes() == [(phone(2), "all", True)]
    totals, _ = await tenant.reach("sms")
    assert (totals.recipients, totals.excluded) == (1, {"suppressed": 1, "opted_out": 1})


async def test_a_dead_device_that_registers_again_lives(tenant):
    await tenant.save(person(1))
    await tenant.judge("push", dead=["token-1"])
    assert (await tenant.reach("push"))[0].excluded == {"suppressed": 1}
    assert await add_device(tenant.database, tenant.user_id, "c0001", Device("token-1", "ios"))
    assert (await tenant.reach("push"))[0].recipients == 1
    assert not await add_device(tenant.database, tenant.user_id, "nobody", Device("x"))


async def test_a_verdict_from_before_the_registration_means_nothing(tenant):
    """Apple says since when a token is dead; the news may come after the app has registered again."""
    await tenant.save(person(1))
    before = now() - timedelta(hours=1)
    await tenant.judge("push", at=before, dead=["token-1"])
    assert (await tenant.reach("push"))[0].recipients == 1
    await tenant.judge("push", dead=["token-1"])
    assert (await tenant.reach("push"))[0].excluded == {"suppressed": 1}


async def test_a_file_revives_only_devices_that_it_says_were_seen_later(tenant):
    await tenant.save(person(1))
    await tenant.judge("push", dead=["token-1"])
    await tenant.save(person(1))
    assert (await tenant.reach("push"))[0].excluded == {"suppressed": 1}, "the same file says nothing new"
    seen = (now() + timedelta(seconds=1)).isoformat()
    await tenant.save(person(1, devices=[{"deviceToken": "token-1", "lastSeenAt": seen}]))
    assert (await tenant.reach("push"))[0].recipients == 1


async def test_installation_ids_are_kept_beside_tokens(tenant):
    installation = "dIsVQ2QVRT-TW7L6VfeAMh"
    await tenant.save(person(1, devices=[{"deviceToken": "token-9", "installationId": installation}]))
    await tenant.save(person(1, devices=[{"deviceToken": "token-9"}]))
    assert (installation,) in await tenant.rows("SELECT installation_id FROM devices")


async def test_send_requests_become_one_lot_each_and_only_once(tenant):
    await tenant.save(person(1, devices=[{"deviceToken": "second"}], firstName="Ada"))
    by_address = tenant.request(address=phone(70))
    by_customer = tenant.request(customer_id="c0001", variables={"code": "4711"})
    to_devices = tenant.request("push", customer_id="c0001")
    await tenant.send(by_address, by_customer, by_address, to_devices)
    await tenant.send(by_customer, to_devices)
    lots = await tenant.transactional()
    assert sorted(addresses(lots)) == sorted([phone(70), phone(1), "second", "token-1"])
    assert len(lots) == 3
    assert {lot.lane for lot in lots} == {"transactional"}
    assert len({lot.campaign_id for lot in lots}) == 3


async def test_inline_content_gets_only_what_it_names(tenant):
    await tenant.save(person(1))
    content = Content(body="{{firstName}}: {{code}}")
    await tenant.send(tenant.request(customer_id="c0001", content=content, variables={"code": "1", "other": "2"}))
    (lot,) = await tenant.transactional()
    assert lot.recipients[0].variables == {"firstName": "Ada1", "code": "1"}


async def test_requests_that_may_not_be_sent_become_lots_that_are_skipped(tenant):
    await tenant.save(
        person(1, smsOptedIn=False), person(2, phoneNumber=None), person(3, marketingOptedIn=False), person(4)
    )
    await tenant.judge("sms", dead=[phone(4)])
    await tenant.send(
        tenant.request(customer_id="c0001"),
        tenant.request(address=phone(1)),
        tenant.request(customer_id="c0002"),
        tenant.request(customer_id="c0003"),
        tenant.request(customer_id="c0003", category="marketing"),
        tenant.request(customer_id="c0004"),
        tenant.request(customer_id="c0003", content=Content(body="{{code}}")),
        tenant.request(address=phone(7), content=Content(body="{{firstName}}")),
    )
    lots = await tenant.transactional()
    assert [(lot.skip_reason, addresses([lot])) for lot in lots] == [
        ("opted_out", [phone(1)]),
        ("opted_out", [phone(1)]),
        ("no_phone", [""]),
        (None, [phone(3)]),
        ("opted_out", [phone(3)]),
        ("suppressed", [phone(4)]),
        ("missing_variable", [phone(3)]),
        ("missing_variable", [phone(7)]),
    ]
    assert [lot.content is None for lot in lots] == [lot.skip_reason is not None for lot in lots]


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"channel": "fax", "address": "1"}, "channel"),
        ({"customer_id": "nobody"}, "customerId"),
        ({"address": "12"}, "address"),
        ({}, "customerId or address"),
        ({"address": "+4915123456789", "content": None}, "templateId or content"),
        ({"address": "+4915123456789", "request_id": ""}, "requestId"),
    ],
)
async def test_unusable_requests_are_rejected_by_name(tenant, fields, named):
    with pytest.raises(Rejected, match=named):
        await tenant.send(tenant.request(**{"channel": "sms", **fields}))
    assert await tenant.transactional() == []
    assert await tenant.rows("SELECT 1 FROM send_requests WHERE user_id = %b", tenant.user_id) == []


async def test_many_changes_are_cut_into_records(tenant):
    await tenant.save(*(person(n, smsOptedIn=False) for n in range(600)))
    assert [len(e.changes) for e in await tenant.said(PREFERENCE_CHANGES)] == [500, 100]
