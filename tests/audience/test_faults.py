"""Every handler: what if step n fails, and what if it runs twice?"""

from __future__ import annotations

from functools import partial
from uuid import uuid4

from contracts.channels import SMS
from contracts.topics import LOTS
from services.audience.handlers import consent, expanding, importing, requesting
from tests.audience.conftest import Tenant, addresses, as_json, person, phone
from tests.faults import every_step


def without_ids(events):
    """What was said, but for ids and times that are new each time."""
    volatile = ("eventId", "occurredAt", "lotId", "recipientId", "campaignId", "userId", "at")

    def strip(value):
        if isinstance(value, dict):
            return {name: strip(inner) for name, inner in value.items() if name not in volatile}
        return [strip(inner) for inner in value] if isinstance(value, list) else value

    return sorted(repr(strip(as_json(event))) for event in events)


async def test_send_requests(tenant, monkeypatch):
    async def prepare() -> tuple[Tenant, partial]:
        other = Tenant(tenant.database)
        await other.save(person(1), person(2, smsOptedIn=False))
        events = [
            other.request(customer_id="c0001"),
            other.request(address=phone(7)),
            other.request(customer_id="c0002"),
        ]
        return other, partial(requesting.on_send_requested, other.database, events)

    undisturbed, run = await prepare()
    await run()
    await run()
    expected = without_ids(await undisturbed.transactional())
    assert len(expected) == 3
    async for crashing in every_step(monkeypatch, at_least=5):
        disturbed, run = await prepare()
        await crashing(run)
        await run()
        assert without_ids(await disturbed.transactional()) == expected


async def test_stop_and_verdicts(tenant, monkeypatch):
    async for crashing in every_step(monkeypatch, at_least=4):
        one = Tenant(tenant.database)
        await one.save(person(1), person(2, phoneNumber=phone(1)))
        stop = one.inbound(phone(1), "stop")
        run = partial(consent.on_inbound_messages, one.database, [stop])
        await crashing(run)
        await run()
        await run()
        assert await one.changes() == [(phone(1), "all", True)]
        assert (await one.reach("sms"))[0].excluded == {"opted_out": 2}


async def test_an_upsert_is_all_or_nothing_and_may_be_repeated(tenant, monkeypatch):
    async for crashing in every_step(monkeypatch, at_least=10):
        one = Tenant(tenant.database)
        run = partial(one.save, person(1, smsOptedIn=False), person(2))
        await crashing(run)
        (count,) = (await one.rows("SELECT count(*) FROM customers WHERE user_id = %b", one.user_id))[0]
        assert count in (0, 2)
        await run()
        await run()
        assert await one.changes() == [(phone(1), "all", True)]
        assert (await one.reach("sms"))[0].excluded == {"opted_out": 1}


async def test_added_recipients(tenant, monkeypatch):
    async for crashing in every_step(monkeypatch, at_least=4):
        campaign_id = uuid4()
        kind = importing.recipients_of(tenant.user_id, SMS, campaign_id)
        rows = [(n, {"phoneNumber": phone(n)}) for n in range(3)]
        run = partial(importing.save_list, tenant.database, kind, rows)
        await crashing(run)
        await run()
        await run()
        totals, _ = await tenant.reach("sms", campaign_id=campaign_id, audience_filter=None)
        assert (totals.audience, totals.recipients) == (3, 3)


async def test_a_launch(tenant, monkeypatch):
    await tenant.save(person(1))
    async for crashing in every_step(monkeypatch, at_least=1):
        event = tenant.launched("sms")
        run = partial(expanding.on_lifecycle, tenant.database, [event])
        await crashing(run)
        await run()
        await tenant.expand()
        await run()
        await tenant.expand()
        lots = [lot for lot in await tenant.said(LOTS) if lot.campaign_id == event.campaign_id]
        assert addresses(lots) == [phone(1)]
