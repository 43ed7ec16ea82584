"""A forecast says of a campaign, before it is sent, what its expansion will say."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest

from contracts.channels import CHANNELS
from contracts.events import Content
from services.audience.handlers import expanding, walking
from services.audience.handlers.forecasting import forecast_campaign, forecast_next, wait_for_forecast
from services.audience.routes import make_routes
from services.audience.store.expansions import delete_addresses
from services.audience.store.forecasts import Forecast, delete_forecasts
from tests.asking import Client
from tests.audience.conftest import EVERYBODY, PAGE, Tenant, person, phone, settings_of
from tests.faults import every_step

HELLO = Content(body="Hi {{firstName}}")
BOTH = pytest.mark.parametrize("channel", sorted(CHANNELS))


async def ask(
    tenant: Tenant,
    channel: str,
    campaign_id: UUID,
    content: Content = HELLO,
    audience_filter: dict[str, Any] | None = EVERYBODY,
    fresh_seconds: float = 600,
) -> None:
    await forecast_campaign(
        tenant.database,
        campaign_id,
        tenant.user_id,
        CHANNELS[channel],
        "marketing",
        content,
        audience_filter,
        fresh_seconds,
    )


async def run(tenant: Tenant) -> None:
    while await forecast_next(tenant.database, PAGE):
        pass


async def newest(tenant: Tenant, campaign_id: UUID) -> Forecast:
    found = await wait_for_forecast(tenant.database, campaign_id, tenant.user_id, 0)
    assert found is not None
    return found


async def forecast(tenant: Tenant, channel: str, **question: Any) -> Forecast:
    campaign_id = question.pop("campaign_id", None) or uuid4()
    await ask(tenant, channel, campaign_id, **question)
    await run(tenant)
    found = await newest(tenant, campaign_id)
    assert found.audience == found.recipients + sum(found.excluded.values())
    return found


@BOTH
async def test_it_says_what_the_expansion_will_say(tenant, channel):
    await tenant.save(
        *(person(n, phoneNumber=phone(n % 20), deviceToken=f"token-{n % 20}") for n in range(25)),
        person(30, phoneNumber=None, deviceToken=None),
        person(31, smsOptedIn=False, pushOptedIn=False),
        person(32, firstName=None),
    )
    campaign_id = uuid4()
    address = {"sms": {"phoneNumber": phone(77)}, "push": {"deviceToken": "by hand"}}[channel]
    await tenant.add(campaign_id, channel, {**address, "firstName": "Grace"}, {"customerId": "c0001"})
    found = await forecast(tenant, channel, campaign_id=campaign_id)
    totals, _ = await tenant.reach(channel, campaign_id=campaign_id, content=HELLO)
    assert (found.audience, found.recipients, found.excluded) == (
        totals.audience,
        totals.recipients,
        totals.excluded,
    )
    assert found.excluded["duplicate"] == 6
    assert await tenant.said(expanding.topics.LOTS) != []


async def test_texts_are_rendered_and_counted_for_everybody(tenant):
    await tenant.save(
        person(1, firstName="Al"),
        person(2, firstName="Ada " * 45),
        person(3, firstName="Ада"),
        person(4, firstName=None),
        person(5, phoneNumber="+14165550123", country="CA"),
        person(6, firstName="x" * 200, lastName="y" * 200),
    )
    found = await forecast(tenant, "sms", content=Content(body="Hi {{firstName}} {{lastName|}}{{lastName|}}"))
    tally = found.tally
    assert found.excluded == {"missing_variable": 1}
    assert tally.missing_variables == {"firstName": 1}
    assert [(s.customer_id, s.text) for s in tally.missing] == [("c0004", "Hi {{firstName}} ")]
    assert (tally.segments, tally.histogram) == (9, {1: 3, 2: 1, 4: 1})
    assert tally.encodings == {"GSM-7": 4, "UCS-2": 1}
    assert {code: (c.recipients, c.segments) for code, c in tally.countries.items()} == {"DE": (4, 8), "CA": (1, 1)}
    assert tally.too_long == 1
    assert (tally.longest.customer_id, tally.shortest.customer_id) == ("c0006", "c0001")
    assert [s.encoding for s in tally.other_alphabet] == ["UCS-2"]
    assert tally.shortest.segments == 1
    assert tally.shortest.characters == len(tally.shortest.text)


async def test_push_shows_titles_and_counts_countries_by_customer(tenant):
    await tenant.save(person(1), person(2, country="SE"), person(3, country=None))
    found = await forecast(tenant, "push", content=Content(body="{{firstName}}", title="News for {{firstName}}"))
    assert {code: c.recipients for code, c in found.tally.countries.items()} == {"DE": 1, "SE": 1, "ZZ": 1}
    assert found.tally.encodings == {}
    assert (found.tally.next.title, found.tally.next.segments) == ("News for Ada3", None)


async def test_nothing_is_sent_and_nothing_is_claimed_from_the_campaign(tenant):
    await tenant.save(*(person(n) for n in range(3)))
    campaign_id = uuid4()
    await forecast(tenant, "sms", campaign_id=campaign_id)
    assert await tenant.said(expanding.topics.LOTS) == []
    totals, _ = await tenant.reach("sms", campaign_id=campaign_id)
    assert totals.recipients == 3


@BOTH
async def test_the_same_question_has_one_answer_and_a_changed_campaign_another(tenant, channel):
    await tenant.save(*(person(n) for n in range(3 * PAGE)))
    campaign_id = uuid4()
    await asyncio.gather(*(ask(tenant, channel, campaign_id) for _ in range(5)))
    assert await forecast_next(tenant.database, PAGE)
    first = (await newest(tenant, campaign_id)).claims_id
    await run(tenant)
    await ask(tenant, channel, campaign_id)
    assert (await newest(tenant, campaign_id)).claims_id == first
    changes: list[dict[str, Any]] = [
        {"content": Content(body="Bye {{firstName}}")},
        {"audience_filter": None},
        {"fresh_seconds": 0},
    ]
    seen = {first}
    for change in changes:
        await ask(tenant, channel, campaign_id, **change)
        seen.add((await newest(tenant, campaign_id)).claims_id)
        await run(tenant)
    await tenant.add(campaign_id, channel, {"customerId": "c0001"})
    await ask(tenant, channel, campaign_id, fresh_seconds=600)
    seen.add((await newest(tenant, campaign_id)).claims_id)
    assert len(seen) == 5
    assert len(await tenant.rows("SELECT FROM forecasts WHERE state = 'running'")) == 1
    await run(tenant)


@BOTH
async def test_a_crash_at_any_step_changes_nothing_in_the_end(tenant, channel, monkeypatch):
    await tenant.save(*(person(n, phoneNumber=phone(n % 17), deviceToken=f"t{n % 17}") for n in range(25)))
    undisturbed = await forecast(tenant, channel)
    async for crashing in every_step(monkeypatch, at_least=8):
        campaign_id = uuid4()
        await ask(tenant, channel, campaign_id)
        await crashing(lambda: run(tenant))
        await run(tenant)
        found = await newest(tenant, campaign_id)
        assert (found.audience, found.excluded, found.tally) == (
            undisturbed.audience,
            undisturbed.excluded,
            undisturbed.tally,
        )


async def test_replicas_share_the_work(tenant):
    await tenant.save(*(person(n) for n in range(5 * PAGE)))
    campaign_id = uuid4()
    await ask(tenant, "sms", campaign_id)
    await asyncio.gather(*(run(tenant) for _ in range(4)))
    await run(tenant)
    assert (await newest(tenant, campaign_id)).recipients == 5 * PAGE


async def test_whoever_is_found_after_the_limit_is_excluded(tenant, monkeypatch):
    monkeypatch.setattr(walking, "RECIPIENTS_MAX", 12)
    await tenant.save(*(person(n) for n in range(20)))
    found = await forecast(tenant, "sms")
    assert (found.recipients, found.excluded) == (12, {"over_limit": 8})
    totals, _ = await tenant.reach("sms")
    assert (totals.recipients, totals.excluded) == (12, {"over_limit": 8})


async def test_an_ended_forecast_forgets_its_addresses_and_then_itself(tenant):
    await tenant.save(*(person(n) for n in range(3)))
    await forecast(tenant, "sms")
    async with tenant.database.transaction() as connection:
        assert await delete_forecasts(connection, 0, 100) == 0
        assert await delete_addresses(connection, 3_600, 100) == 3
        assert await delete_forecasts(connection, 3_600, 100) == 0
        assert await delete_forecasts(connection, 0, 100) == 1


async def test_erasing_a_customer_erases_the_samples(tenant):
    await tenant.save(person(1))
    await forecast(tenant, "sms")
    client = internal(tenant, base="/api/notification")
    assert (await client.delete("/customers/c0001")).status_code == 204
    assert await tenant.rows("SELECT FROM forecasts WHERE user_id = %b", tenant.user_id) == []


# --- over HTTP -------------------------------------------------------------------------------------------------------


def internal(tenant: Tenant, base: str = "/internal/sms/campaigns") -> Client:
    settings = settings_of(forecast_wait_seconds=0)
    return Client(make_routes(tenant.database, settings, asyncio.Event()), base, {"X-User-Id": tenant.user_id})


def plan(**fields: Any) -> dict[str, Any]:
    return {
        "campaignId": str(uuid4()),
        "status": "draft",
        "category": "marketing",
        "content": {"body": "Hi {{firstName}}"},
        "audienceFilter": EVERYBODY,
        **fields,
    }


async def test_it_is_answered_as_far_as_it_is_and_then_whole(tenant):
    await tenant.save(*(person(n) for n in range(3)))
    client, path = internal(tenant), f"/{uuid4()}/forecast"
    under_way = await client.post(path, json=plan())
    assert (under_way.status_code, under_way.json()["data"]["complete"]) == (202, False)
    await run(tenant)
    done = await client.post(path, json=plan())
    data = done.json()["data"]
    assert (done.status_code, data["complete"], data["audience"], data["recipients"]) == (200, True, 3, 3)
    assert data["segments"] == {"total": 3, "histogram": {"1": 3}}
    assert data["countries"] == [{"country": "DE", "recipients": 3, "segments": 3}]
    assert data["outliers"]["longest"]["recipient"] == "Ada0"
    other = Client(client.app, client.base, {"X-User-Id": "somebody else"})
    assert (await other.post(path, json=plan())).json()["data"]["recipients"] == 0


async def test_a_running_forecast_can_be_cancelled(tenant):
    await tenant.save(person(1))
    client, path = internal(tenant), f"/{uuid4()}/forecast"
    public = internal(tenant, base="/api/notification/sms/campaigns")
    assert (await public.delete(path)).status_code == 404
    await client.post(path, json=plan())
    assert (await public.delete(path)).status_code == 204
    assert not await forecast_next(tenant.database, PAGE)
    assert (await client.post(path, json=plan())).status_code == 202


@pytest.mark.parametrize(
    "fields",
    [
        {"content": None},
        {"content": {"body": "{{shoe}}"}},
        {"audienceFilter": {"field": "shoe", "op": "eq", "value": 1}},
        {"campaignId": 1},
    ],
)
async def test_a_plan_that_cannot_be_forecast_is_refused(tenant, fields):
    assert (await internal(tenant).post(f"/{uuid4()}/forecast", json=plan(**fields))).status_code == 422
