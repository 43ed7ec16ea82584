"""What the gateway is answered: the dashboard, the event list, a campaign's course."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.events import CampaignChanged, Content, ProviderChanged, TemplateChanged
from contracts.events.delivery import EVENT_TYPES
from services.analytics import handlers
from services.analytics.domain import BUCKETS_SECONDS, LISTED_MAX, POINTS_MAX, bucket_seconds, points
from shared.codec import now
from shared.ids import new_id
from tests.analytics.records import events_of, record, repriced
from tests.asking import Client

NOON = datetime(2026, 5, 4, 12, 0, 30, tzinfo=UTC)


def of_user(user_id: str, client: Client) -> Client:
    return Client(client.app, client.base, {"X-User-Id": user_id})


def changed(campaign_id: UUID, user_id: str, channel: str = "sms", **fields: Any) -> CampaignChanged:
    usual = {"campaign_name": "Sale", "status": "sent", "created_at": now(), "version": 1, **fields}
    return CampaignChanged(
        event_id=new_id(), occurred_at=now(), campaign_id=campaign_id, user_id=user_id, channel=channel, **usual
    )


# --- dashboard -------------------------------------------------------------------------------------------------------


async def test_an_empty_dashboard_has_every_key(client):
    answer = await of_user(uuid4().hex, client).get("/dashboard")
    assert answer.json()["data"] == {
        "totalSMSCampaigns": 0,
        "totalPushCampaigns": 0,
        "activeSMSCampaigns": 0,
        "activePushCampaigns": 0,
        "totalSMSDelivered": 0,
        "totalPushDelivered": 0,
        "smsSendCost": 0,
        "smsSendCostCurrency": "USD",
        "smsSendCostByCurrency": {},
        "smsSendCostRates": {},
        "smsAverageDeliveryRate": 0,
        "pushAverageOpenRate": 0,
        "pushAverageClickRate": 0,
        "recentSMSCampaigns": [],
        "recentPushCampaigns": [],
        "topPerformingSMSCampaigns": [],
        "topPerformingPushCampaigns": [],
        "smsTemplateCount": 0,
        "pushTemplateCount": 0,
        "smsProviderCount": 0,
        "pushProviderCount": 0,
        "campaignsByStatus": dict.fromkeys(
            ("draft", "scheduled", "sending", "paused", "sent", "failed", "cancelled"), 0
        ),
    }


async def test_the_dashboard_shows_what_happened(database, client):
    user_id = uuid4().hex
    good, poor, push = uuid4(), uuid4(), uuid4()
    await handlers.on_campaigns_changed(
        database,
        [
            changed(good, user_id, created_at=NOON),
            changed(poor, user_id, created_at=NOON + timedelta(hours=1), status="sending"),
            changed(uuid4(), user_id, created_at=NOON + timedelta(hours=2), status="draft"),
            changed(uuid4(), user_id, deleted=True),
            changed(push, user_id, "push"),
        ],
    )
    spoken = {"event_id": new_id(), "occurred_at": now(), "user_id": user_id, "version": 1}
    template = {"template_name": "Sale", "content": Content(body="Hi")}
    await handlers.on_templates_changed(
        database, [TemplateChanged(template_id=uuid4(), channel="sms", **template, **spoken) for _ in range(3)]
    )
    account = {"provider_name": "Ours", "provider_type": "any", "is_active": True, "sealed": b""}
    await handlers.on_providers_changed(
        database, [ProviderChanged(provider_id=uuid4(), channel="push", **account, **spoken)]
    )
    people = [new_id() for _ in range(201)]
    of_sms = {"user_id": user_id}
    await handlers.on_notifications_recorded(
        database,
        [
            record(good, [e for one in people[:200] for e in events_of(one, "sent", cost_micros=62_500)], **of_sms),
            record(good, [e for one in people[:197] for e in events_of(one, "delivered")], **of_sms),
            record(poor, events_of(people[200], "sent", "bounced", cost_micros=500_000), **of_sms),
        ],
    )
    opened = [e for one in (new_id(), new_id(), new_id()) for e in events_of(one, "sent")]
    opened += events_of(opened[0].recipient_id, "delivered", "opened", "clicked")
    opened += events_of(opened[1].recipient_id, "opened")
    await handlers.on_notifications_recorded(database, [record(push, opened, channel="push", **of_sms)])

    shown = (await of_user(user_id, client).get("/dashboard")).json()["data"]
    assert (shown["totalSMSCampaigns"], shown["activeSMSCampaigns"], shown["totalPushCampaigns"]) == (3, 1, 1)
    assert (shown["totalSMSDelivered"], shown["totalPushDelivered"]) == (197, 1)
    assert (shown["smsSendCost"], shown["smsSendCostByCurrency"]) == (13.0, {"USD": 13.0})
    assert (shown["smsAverageDeliveryRate"], shown["pushAverageOpenRate"], shown["pushAverageClickRate"]) == (
        98.0,
        66.7,
        33.3,
    )
    assert (shown["smsTemplateCount"], shown["pushTemplateCount"]) == (3, 0)
    assert (shown["smsProviderCount"], shown["pushProviderCount"]) == (0, 1)
    assert {status: n for status, n in shown["campaignsByStatus"].items() if n} == {"draft": 1, "sending": 1, "sent": 2}
    assert [one["status"] for one in shown["recentSMSCampaigns"]] == ["draft", "sending", "sent"]
    assert [one["id"] for one in shown["topPerformingSMSCampaigns"]] == [str(good), str(poor)]
    best = shown["topPerformingSMSCampaigns"][0]
    assert (best["sentCount"], best["deliveredCount"], best["deliveryRate"]) == (200, 197, 98.5)
    assert [one["openRate"] for one in shown["topPerformingPushCampaigns"]] == [66.7]

    price = repriced(good, people[0], 1_000_000, "EUR", before=62_500)
    await handlers.on_notifications_recorded(database, [msgspec.structs.replace(price, user_id=user_id)])
    shown = (await of_user(user_id, client).get("/dashboard")).json()["data"]
    assert shown["smsSendCostByCurrency"] == {"EUR": 1.0, "USD": 12.9375}
    assert shown["smsSendCost"] == 12.9375 + 1.5
    assert (shown["smsSendCostCurrency"], shown["smsSendCostRates"]) == ("USD", {"EUR": 1.5, "USD": 1.0})


async def test_lists_hold_the_newest_and_the_best_of_each_channel(database, client):
    user_id = uuid4().hex
    campaigns = {channel: [uuid4() for _ in range(LISTED_MAX + 2)] for channel in ("sms", "push")}
    for channel, ids in campaigns.items():
        await handlers.on_campaigns_changed(
            database,
            [changed(one, user_id, channel, created_at=NOON + timedelta(hours=age)) for age, one in enumerate(ids)],
        )
        success = "delivered" if channel == "sms" else "opened"
        for failed, campaign_id in enumerate(ids[1:]):
            people = [new_id() for _ in ids]
            events = [e for one in people for e in events_of(one, "sent")]
            events += [e for one in people[failed:] for e in events_of(one, success)]
            await handlers.on_notifications_recorded(
                database, [record(campaign_id, events, user_id=user_id, channel=channel)]
            )
    shown = (await of_user(user_id, client).get("/dashboard")).json()["data"]
    for channel, title in (("sms", "SMS"), ("push", "Push")):
        ids = [str(one) for one in campaigns[channel]]
        assert [one["id"] for one in shown[f"recent{title}Campaigns"]] == ids[::-1][:LISTED_MAX]
        assert [one["id"] for one in shown[f"topPerforming{title}Campaigns"]] == ids[1:][:LISTED_MAX]


# --- the list of events ----------------------------------------------------------------------------------------------


@pytest.fixture
async def log(database) -> dict[str, Any]:
    """Two campaigns of one tenant and one of another, with events in every order of id and time."""
    user_id, campaigns, people = uuid4().hex, [uuid4(), uuid4()], [new_id() for _ in range(12)]
    events = {
        campaign: [
            event
            for number, one in enumerate(people[position::2])
            for event in events_of(one, "sent", "delivered", at=NOON - timedelta(minutes=7 * number % 5))
        ]
        for position, campaign in enumerate(campaigns)
    }
    await handlers.on_notifications_recorded(
        database, [record(campaign, found, user_id=user_id) for campaign, found in events.items()]
    )
    await handlers.on_notifications_recorded(
        database, [record(uuid4(), events_of(new_id(), "sent", at=NOON), user_id=uuid4().hex)]
    )
    return {"user_id": user_id, "campaigns": campaigns, "people": people, "events": events}


async def listed(client: Client, limit: int, **parameters: Any) -> list[dict[str, Any]]:
    """All pages, one after the other."""
    found, cursor = [], None
    while True:
        wanted = parameters | {"limit": limit} | ({"cursor": cursor} if cursor else {})
        answer = (await client.get("/events", params=wanted)).json()
        found += answer["data"]
        cursor = answer["nextCursor"]
        if cursor is None:
            return found


@pytest.mark.parametrize("campaign", [False, True])
@pytest.mark.parametrize("recipient", [False, True])
@pytest.mark.parametrize("event_type", [None, "delivered"])
@pytest.mark.parametrize("since", [None, NOON - timedelta(minutes=3)])
@pytest.mark.parametrize("until", [None, NOON - timedelta(minutes=1)])
async def test_every_combination_of_filters_finds_its_events_once(
    client, log, campaign, recipient, event_type, since, until
):
    wanted = {
        "campaignId": log["campaigns"][1] if campaign else None,
        "recipientId": log["people"][3] if recipient else None,
        "eventType": event_type,
        "from": since and since.isoformat(),
        "to": until and until.isoformat(),
    }
    expected = [
        (event.event_timestamp, event.id)
        for campaign_id, events in log["events"].items()
        for event in events
        if (not campaign or campaign_id == log["campaigns"][1])
        and (not recipient or event.recipient_id == log["people"][3])
        and (event_type is None or event.event_type == event_type)
        and (since is None or event.event_timestamp >= since)
        and (until is None or event.event_timestamp < until)
    ]
    given_ones = {name: value for name, value in wanted.items() if value is not None}
    found = await listed(of_user(log["user_id"], client), 5, **given_ones)
    assert [one["id"] for one in found] == [str(identity) for _, identity in sorted(expected)]


async def test_an_event_has_the_columns_of_the_specification(client, log):
    (one, *_) = await listed(of_user(log["user_id"], client), 100)
    assert set(one) == {
        *("id", "campaignId", "recipientId", "campaignType", "userId", "eventType", "eventTimestamp", "metadata")
    }
    assert (one["campaignType"], one["userId"], one["metadata"]["provider"]) == ("sms", log["user_id"], "twilio")


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"cursor": "x"}, "cursor"),
        ({"cursor": "WzEsMl0"}, "cursor"),
        ({"eventType": "exploded"}, "eventType"),
        ({"from": "yesterday"}, "from"),
        ({"to": "2026-05-04T12:00:00"}, "to"),
        ({"limit": 1001}, "limit"),
        ({"campaignId": "1"}, "campaignId"),
    ],
)
async def test_a_wrong_filter_is_named(client, wrong, field):
    answer = await client.get("/events", params=wrong)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]


async def test_an_id_that_is_no_recipients_finds_nothing(client):
    for identity in (UUID(int=2**128 - 1), uuid4()):
        assert (await client.get("/events", params={"recipientId": identity})).json()["data"] == []


# --- timeline --------------------------------------------------------------------------------------------------------


async def test_the_timeline_counts_by_time_and_failures_by_code(database, client):
    user_id, campaign_id = uuid4().hex, uuid4()
    await handlers.on_campaigns_changed(database, [changed(campaign_id, user_id)])
    path = f"/sms/campaigns/{campaign_id}/timeline"
    tenant = of_user(user_id, client)
    assert (await tenant.get(path)).json()["data"] == {"bucketSeconds": 60, "points": [], "failures": [], "costs": []}
    later = NOON + timedelta(minutes=2)
    people = [new_id() for _ in range(4)]
    records = [
        record(campaign_id, events_of(people[0], "sent", "delivered", cost_micros=7, at=NOON), user_id=user_id),
        record(campaign_id, events_of(people[0], "opened", "clicked", at=later), user_id=user_id),
        record(
            campaign_id,
            [
                *events_of(people[1], "failed", at=later, error_class="recipient_permanent", code="30005"),
                *events_of(people[2], "bounced", at=later, error_class="recipient_permanent", code="30005"),
                *events_of(people[3], "failed", at=later, error_class="expired"),
            ],
            user_id=user_id,
        ),
        record(campaign_id, events_of(new_id(), "sent", at=later), user_id=user_id, lane="transactional"),
    ]
    for _ in range(2):
        await handlers.on_notifications_recorded(database, records)
    shown = (await tenant.get(path)).json()["data"]
    nothing = dict.fromkeys(("sent", "delivered", "opened", "clicked", "failed", "bounced", "optedOut"), 0)
    assert shown == {
        "bucketSeconds": 60,
        "points": [
            {**nothing, "at": "2026-05-04T12:00:00Z", "sent": 1, "delivered": 1},
            {**nothing, "at": "2026-05-04T12:01:00Z"},
            {**nothing, "at": "2026-05-04T12:02:00Z", "opened": 1, "clicked": 1, "failed": 2, "bounced": 1},
        ],
        "failures": [
            {"errorClass": "recipient_permanent", "code": "30005", "count": 2},
            {"errorClass": "expired", "code": None, "count": 1},
        ],
        "costs": [{"currency": "USD", "micros": 7}],
    }


async def test_a_timeline_of_somebody_else_or_of_the_other_channel_is_not_there(database, client):
    campaign_id, user_id = uuid4(), uuid4().hex
    await handlers.on_campaigns_changed(database, [changed(campaign_id, user_id)])
    for asking, path in (
        (of_user(uuid4().hex, client), f"/sms/campaigns/{campaign_id}/timeline"),
        (of_user(user_id, client), f"/push/campaigns/{campaign_id}/timeline"),
        (of_user(user_id, client), f"/sms/campaigns/{uuid4()}/timeline"),
    ):
        assert (await asking.get(path)).status_code == 404


times = st.datetimes(datetime(1971, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))


@given(st.tuples(times, times).map(sorted), st.integers(0, 10), st.sampled_from(EVENT_TYPES))
def test_points_are_few_and_lose_nothing(span, events, event_type):
    first, last = (at.replace(second=0, microsecond=0) for at in span)
    seconds = bucket_seconds(first, last)
    start = datetime.fromtimestamp(int(last.timestamp()) // seconds * seconds, UTC)
    found = points((first, last), seconds, [(start, event_type, events)])
    assert 1 <= len(found) <= POINTS_MAX
    assert found[0]["at"] <= first
    assert last < found[-1]["at"] + timedelta(seconds=seconds)
    assert {(after["at"] - before["at"]).total_seconds() for before, after in pairwise(found)} <= {seconds}
    assert sum(value for one in found for value in one.values() if isinstance(value, int)) == events
    finer = [one for one in BUCKETS_SECONDS if one < seconds]
    assert not finer or (last - first).total_seconds() / finer[-1] > POINTS_MAX - 2
