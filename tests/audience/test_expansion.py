"""From customers to lots: totals that add up, whatever happens in between."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest

from contracts.events import Content
from contracts.topics import AUDIENCE_RESOLVED, LOTS
from services.audience.handlers import expanding
from services.audience.handlers.importing import AlreadyLaunched
from services.audience.store.expansions import delete_addresses
from shared.errors import Rejected
from tests.audience.conftest import LOT, PAGE, addresses, person, phone
from tests.faults import every_step

CHANNELS = pytest.mark.parametrize("channel", ["sms", "push"])


@CHANNELS
async def test_everybody_gets_one_message(tenant, channel):
    await tenant.save(*(person(n) for n in range(25)))
    totals, lots = await tenant.reach(channel, content=Content(body="Hi {{firstName}}"))
    assert (totals.audience, totals.recipients, totals.excluded) == (25, 25, {})
    assert len(set(addresses(lots))) == 25
    first = lots[0].recipients[0]
    assert first.variables == {"firstName": "Ada0"}
    assert (first.customer_id, first.name, lots[0].lane, lots[0].category) == ("c0000", "Ada0", "bulk", "marketing")
    assert first.device_type == {"sms": None, "push": "ios"}[channel]
    assert max(len(lot.recipients) for lot in lots) == LOT


async def test_every_exclusion_has_its_reason(tenant):
    await tenant.save(
        person(1),
        person(2, phoneNumber=None),
        person(3, smsOptedIn=False),
        person(4, marketingOptedIn=False),
        person(5, smsCategories=["news"]),
        person(6),
        person(7),
        person(8, firstName=None),
        person(9, phoneNumber=phone(1)),
        person(10, phoneNumber=phone(3)),
        person(11, smsCategories=["marketing"]),
    )
    await tenant.write_back(phone(6), "stop")
    await tenant.judge("sms", dead=[phone(7)])
    totals, lots = await tenant.reach("sms", content=Content(body="Hi {{firstName}}"))
    assert totals.excluded == {
        "no_phone": 1,
        "opted_out": 5,
        "suppressed": 1,
        "missing_variable": 1,
        "duplicate": 1,
    }
    assert sorted(addresses(lots)) == sorted([phone(1), phone(11)])


async def test_every_device_of_a_customer_is_reached_and_shared_ones_once(tenant):
    await tenant.save(
        person(1, devices=[{"deviceToken": "second"}]),
        person(2, deviceToken=None),
        person(3, deviceToken="token-1"),
        person(4, pushOptedIn=False),
        person(5, deviceToken="token-4"),
    )
    await tenant.judge("push", dead=["second"])
    totals, lots = await tenant.reach("push")
    assert addresses(lots) == ["token-1"]
    assert totals.audience == 6
    assert totals.excluded == {"no_device": 1, "duplicate": 1, "opted_out": 2, "suppressed": 1}


@CHANNELS
async def test_a_transactional_campaign_asks_for_other_consent(tenant, channel):
    await tenant.save(person(1, marketingOptedIn=False), person(2, transactionalOptedIn=False))
    totals, lots = await tenant.reach(channel, category="transactional")
    assert (totals.recipients, totals.excluded) == (1, {"opted_out": 1})
    assert lots[0].recipients[0].customer_id == "c0001"


@CHANNELS
async def test_only_the_tenants_own_customers_are_reached(tenant, channel):
    other = type(tenant)(tenant.database)
    await other.save(person(1))
    await tenant.save(person(2))
    _, lots = await tenant.reach(channel)
    assert [r.customer_id for lot in lots for r in lot.recipients] == ["c0002"]


async def test_added_recipients_come_first_and_once(tenant):
    await tenant.save(*(person(n) for n in range(3)))
    campaign_id = uuid4()
    rows = [
        {"customerId": "c0001", "personalizationData": {"firstName": "Countess"}},
        {"phoneNumber": phone(77), "recipientName": "Grace H", "firstName": "Grace"},
        {"phoneNumber": phone(2), "personalizationData": {"firstName": "Twice"}},
        {"customerId": "nobody"},
        {"phoneNumber": "12"},
    ]
    added = await tenant.add(campaign_id, "sms", *rows)
    again = await tenant.add(campaign_id, "sms", *rows[:3])
    assert (added.imported, added.rejected, again.imported) == (3, 2, 3)
    assert [(row, error.field) for row, error in added.errors] == [(4, "phoneNumber"), (3, "customerId")]
    totals, lots = await tenant.reach("sms", campaign_id=campaign_id, content=Content(body="Hi {{firstName}}"))
    assert (totals.audience, totals.recipients, totals.excluded) == (6, 4, {"duplicate": 2})
    named = {r.address: r.variables["firstName"] for lot in lots for r in lot.recipients}
    assert named == {phone(0): "Ada0", phone(1): "Countess", phone(2): "Twice", phone(77): "Grace"}


@CHANNELS
@pytest.mark.parametrize("audience_filter", [None, {}])
async def test_an_empty_filter_means_the_added_recipients_only(tenant, channel, audience_filter):
    await tenant.save(*(person(n) for n in range(3)))
    campaign_id = uuid4()
    await tenant.add(campaign_id, channel, {"customerId": "c0002"})
    totals, _ = await tenant.reach(channel, campaign_id=campaign_id, audience_filter=audience_filter)
    assert (totals.audience, totals.recipients) == (1, 1)


async def test_an_opted_out_address_stays_out_when_it_is_added_by_hand(tenant):
    await tenant.save(person(1, smsOptedIn=False))
    await tenant.write_back(phone(50), "stop")
    campaign_id = uuid4()
    await tenant.add(campaign_id, "sms", {"phoneNumber": phone(1)}, {"phoneNumber": phone(50)})
    totals, _ = await tenant.reach("sms", campaign_id=campaign_id, audience_filter=None)
    assert (totals.recipients, totals.excluded) == (0, {"opted_out": 2})


async def test_nobody_can_be_added_after_the_launch(tenant):
    campaign_id = await tenant.launch("sms")
    with pytest.raises(AlreadyLaunched):
        await tenant.add(campaign_id, "sms", {"phoneNumber": phone(1)})


async def test_a_launch_that_is_heard_twice_expands_once(tenant):
    await tenant.save(person(1))
    event = tenant.launched("sms")
    for _ in range(2):
        await expanding.on_lifecycle(tenant.database, [event, event])
        await tenant.expand()
    totals, lots = await tenant.resolved(event.campaign_id)
    assert (totals.recipients, len(lots)) == (1, 1)


async def test_a_cancelled_campaign_stops_and_its_totals_still_add_up(tenant):
    await tenant.save(*(person(n) for n in range(4 * PAGE)))
    campaign_id = await tenant.launch("sms")
    for _ in range(2):
        assert await expanding.expand_next(tenant.database, PAGE, LOT)
    await tenant.cancel(campaign_id, "sms")
    await tenant.cancel(campaign_id, "sms")
    await tenant.expand()
    totals, lots = await tenant.resolved(campaign_id)
    assert totals.recipients == LOT
    assert len(lots) == 1


async def test_campaigns_take_turns(tenant):
    await tenant.save(*(person(n) for n in range(5 * PAGE)))
    first = await tenant.launch("sms")
    second = await tenant.launch("sms")
    for _ in range(6):
        await expanding.expand_next(tenant.database, PAGE, LOT)
    pages = {c: sum(e.campaign_id == c for e in await tenant.said(LOTS)) for c in (first, second)}
    assert pages[first] == pages[second] > 0


async def test_replicas_do_not_work_on_the_same_campaign(tenant):
    await tenant.save(*(person(n) for n in range(5 * PAGE)))
    campaign_id = await tenant.launch("sms")
    await asyncio.gather(*(tenant.expand() for _ in range(4)))
    await tenant.expand()
    totals, lots = await tenant.resolved(campaign_id)
    assert totals.recipients == 5 * PAGE == len(set(addresses(lots)))


@pytest.mark.parametrize(
    "fields",
    [
        {"audience_filter": {"all": [{"field": "shoe", "op": "eq", "value": 1}]}, "match": "all.0.field"},
        {"content": Content(body="{{shoe}}"), "match": "shoe"},
    ],
)
async def test_a_launch_that_cannot_be_expanded_is_rejected(tenant, fields):
    with pytest.raises(Rejected, match=fields.pop("match")):
        await expanding.on_lifecycle(tenant.database, [tenant.launched("sms", **fields)])


@CHANNELS
async def test_a_crash_at_any_step_changes_nothing_in_the_end(tenant, channel, monkeypatch):
    await tenant.save(*(person(n, phoneNumber=phone(n % 17), deviceToken=f"t{n % 17}") for n in range(25)))
    undisturbed, lots = await tenant.reach(channel)
    expected = sorted(addresses(lots))
    assert undisturbed.excluded == {"duplicate": 8}
    async for crashing in every_step(monkeypatch, at_least=20):
        campaign_id = await tenant.launch(channel)
        await crashing(tenant.expand)
        await tenant.expand()
        totals, lots = await tenant.resolved(campaign_id)
        assert sorted(addresses(lots)) == expected
        assert (totals.audience, totals.recipients) == (undisturbed.audience, undisturbed.recipients)


async def test_finished_expansions_forget_their_addresses(tenant):
    await tenant.save(*(person(n) for n in range(8)))
    done = await tenant.launch("sms")
    await tenant.expand()
    async with tenant.database.transaction() as connection:
        assert await delete_addresses(connection, 3_600, 100) == 0
        assert await delete_addresses(connection, 0, 5) == 5
        assert await delete_addresses(connection, 0, 5) == 3
    (said,) = await tenant.said(AUDIENCE_RESOLVED)
    assert said.campaign_id == done
