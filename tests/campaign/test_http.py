"""The campaign service's answers, as the gateway gets them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote
from uuid import UUID, uuid4

import pytest

from services.campaign.store import delete_row
from services.campaign.tables import TEMPLATES
from shared.codec import now
from tests.campaign.conftest import TEXTS, Marketer


def codes(found: list[dict[str, str]]) -> list[str]:
    return [one["code"] for one in found]


def fields(answer: Any) -> list[str]:
    assert answer.status_code == 422, answer.text
    return [one["field"] for one in answer.json()["errors"]]


def in_hours(hours: int) -> str:
    return (now() + timedelta(hours=hours)).isoformat()


async def listed(marketer: Marketer, path: str, **query: str) -> list[dict[str, Any]]:
    """All pages of a list, two rows each."""
    rows: list[dict[str, Any]] = []
    cursor = ""
    while True:
        asked = "".join(f"&{name}={quote(value)}" for name, value in query.items())
        answer = await marketer.ask("GET", f"{path}?limit=2{asked}{cursor}")
        assert answer.status_code == 200, answer.text
        rows += answer.json()["data"]
        if answer.json()["nextCursor"] is None:
            return rows
        cursor = f"&cursor={answer.json()['nextCursor']}"


# --- templates -------------------------------------------------------------------------------------------------------


async def test_templates_carry_their_warnings(marketer):
    assert (await marketer.make_template())["warnings"] == []
    bare = {"sms": {"content": "20% off"}, "push": {"title": "News", "body": "x", "actionUrl": None}}
    made = await marketer.make_template(**bare[marketer.channel.name])
    expected = {"sms": ["no_unsubscribe", "no_sender_identity"], "push": ["title_length", "no_deep_link"]}
    assert codes(made["warnings"]) == expected[marketer.channel.name]
    assert all(one["message"] and one["field"] for one in made["warnings"])
    preview = await marketer.ask("POST", f"/templates/{made['id']}/preview", {})
    assert codes(preview.json()["data"]["warnings"]) == expected[marketer.channel.name]


@pytest.mark.parametrize("marketer", [name for name, texts in TEXTS.items() if "title" in texts], indirect=True)
async def test_a_picture_that_cannot_be_looked_at_is_said_and_stops_nothing(marketer):
    made = await marketer.make_template(imageUrl="http://127.0.0.1/x.png")
    assert [(one["code"], one["message"]) for one in made["warnings"]] == [
        ("image_not_seen", "could not be looked at: the host has no public address")
    ]
    path = f"/templates/{made['id']}"
    assert (await marketer.ask("GET", path)).json()["data"]["warnings"] == made["warnings"]
    changed = await marketer.ask("PATCH", path, {"imageUrl": "https://a.example/{{customerId}}.png"})
    assert "depends on the recipient" in changed.json()["data"]["warnings"][0]["message"]
    changed = await marketer.ask("PATCH", path, {"imageUrl": None})
    assert changed.json()["data"]["warnings"] == []


async def test_what_must_be_there_cannot_be_emptied(marketer):
    path = f"/templates/{(await marketer.make_template())['id']}"
    body = next(iter(TEXTS[marketer.channel.name]))
    assert fields(await marketer.ask("PATCH", path, {body: None})) == [body]
    path = f"/campaigns/{(await marketer.make_campaign())['id']}"
    assert fields(await marketer.ask("PATCH", path, {"campaignName": None})) == ["campaignName"]


async def test_templates_are_found_by_their_names_and_sorted(marketer):
    for name in ("Spring", "summer SALE", "100% off", "autumn", "Sale"):
        await marketer.make_template(templateName=name)

    async def names(**query: str) -> list[str]:
        return [one["templateName"] for one in await listed(marketer, "/templates", **query)]

    assert await names() == ["Sale", "autumn", "100% off", "summer SALE", "Spring"]
    assert await names(sort="templateName") == ["100% off", "autumn", "Sale", "Spring", "summer SALE"]
    assert await names(search="sale", sort="createdAt") == ["summer SALE", "Sale"]
    assert await names(search="%") == ["100% off"]
    assert fields(await marketer.ask("GET", "/templates?sort=content")) == ["sort"]
    assert fields(await marketer.ask("GET", "/templates?cursor=abc")) == ["cursor"]


# --- campaigns -------------------------------------------------------------------------------------------------------


async def test_campaigns_are_filtered_and_sorted(marketer):
    await marketer.add_provider()
    template_id = (await marketer.make_template())["id"]
    made = {}
    for name in ("b", "A", "c", "d"):
        made[name] = (await marketer.make_campaign(campaignName=name, templateId=template_id))["id"]
    for name, hours in (("c", 2), ("A", 5)):
        answer = await marketer.ask("POST", f"/campaigns/{made[name]}/schedule", {"scheduledSendTime": in_hours(hours)})
        assert answer.status_code == 200, answer.text

    async def names(**query: str) -> str:
        return "".join(one["campaignName"] for one in await listed(marketer, "/campaigns", **query))

    assert await names() == "dcAb"
    assert await names(sort="createdAt") == "bAcd"
    assert await names(sort="campaignName") == "Abcd"
    assert await names(sort="-campaignName") == "dcbA"
    assert await names(sort="scheduledSendTime") == "cAbd"
    assert await names(status="scheduled") == "cA"
    assert await names(status="draft", sort="campaignName") == "bd"
    assert await names(search="a") == "A"
    assert await names(scheduledTo=in_hours(3)) == "c"
    assert await names(scheduledFrom=in_hours(3)) == "A"
    assert await names(createdFrom=in_hours(1)) == ""
    assert await names(createdTo=in_hours(1)) == "dcAb"
    assert fields(await marketer.ask("GET", "/campaigns?createdFrom=yesterday")) == ["createdFrom"]
    cursor = (await marketer.ask("GET", "/campaigns?limit=1&sort=campaignName")).json()["nextCursor"]
    assert fields(await marketer.ask("GET", f"/campaigns?sort=scheduledSendTime&cursor={cursor}")) == ["cursor"]


async def test_what_keeps_a_campaign_from_being_sent_is_said_before_and_when_it_is_tried(marketer):
    made = await marketer.make_campaign()
    assert codes(made["blockers"]) == ["no_provider"]
    answer = await marketer.ask("POST", f"/campaigns/{made['id']}/send")
    assert (fields(answer), codes(answer.json()["errors"])) == (["providerId"], ["no_provider"])
    off = await marketer.add_provider(is_active=False)
    for provider_id, code in ((off, "provider_inactive"), (uuid4(), "no_provider")):
        changed = await marketer.ask("PATCH", f"/campaigns/{made['id']}", {"providerId": str(provider_id)})
        assert codes(changed.json()["data"]["blockers"]) == [code]
    await marketer.add_provider()
    await marketer.ask("PATCH", f"/campaigns/{made['id']}", {"providerId": None})
    async with marketer.database.begin() as connection:
        await delete_row(connection, TEMPLATES[marketer.channel.name], UUID(made["templateId"]))
    shown = (await marketer.ask("GET", f"/campaigns/{made['id']}")).json()["data"]
    assert codes(shown["blockers"]) == ["no_template"]
    assert fields(await marketer.ask("POST", f"/campaigns/{made['id']}/send")) == ["templateId"]


async def test_a_template_that_is_still_to_be_sent_is_kept(marketer):
    await marketer.add_provider()
    made = await marketer.make_campaign()
    template, campaign = f"/templates/{made['templateId']}", f"/campaigns/{made['id']}"
    answer = await marketer.ask("DELETE", template)
    assert (answer.status_code, made["id"] in answer.json()["detail"]) == (409, True)
    assert (await marketer.ask("POST", f"{campaign}/send")).status_code == 200
    assert (await marketer.ask("DELETE", template)).status_code == 204


async def test_a_transactional_campaign_needs_no_word_on_unsubscribing(marketer):
    bare = {"sms": {"content": "Acme: your parcel is here"}, "push": {}}[marketer.channel.name]
    template_id = (await marketer.make_template(**bare))["id"]
    for category, expected in (("marketing", ["no_unsubscribe"]), ("transactional", [])):
        made = await marketer.make_campaign(templateId=template_id, category=category)
        assert codes(made["warnings"]) == (expected if bare else [])


@pytest.mark.parametrize("at", [None, "2020-01-01T00:00:00Z"])
async def test_a_scheduled_campaign_keeps_a_time_in_the_future(marketer, at):
    await marketer.add_provider()
    path = f"/campaigns/{(await marketer.make_campaign())['id']}"
    assert (await marketer.ask("POST", f"{path}/schedule", {"scheduledSendTime": in_hours(1)})).status_code == 200
    assert fields(await marketer.ask("PATCH", path, {"scheduledSendTime": at})) == ["scheduledSendTime"]


async def test_a_campaign_that_does_not_move_says_why_and_until_when(marketer):
    await marketer.add_provider()
    path = f"/campaigns/{(await marketer.make_campaign())['id']}"

    async def waiting(action: str, body: Any = None) -> tuple[str | None, str | None, str | None]:
        answer = await marketer.ask("POST", f"{path}/{action}", body)
        assert answer.status_code == 200, answer.text
        data = answer.json()["data"]
        return data["waitingReason"], data["waitingText"], data["eta"]

    at = in_hours(1)
    reason, text, eta = await waiting("schedule", {"scheduledSendTime": at})
    assert (reason, text) == ("scheduled", "its time has not come yet")
    assert datetime.fromisoformat(str(eta)) == datetime.fromisoformat(at)
    assert await waiting("send") == ("expanding", "the recipients are being looked up", None)
    assert await waiting("pause") == ("paused by a person", "paused by a person", None)
    assert await waiting("cancel") == (None, None, None)


async def test_a_campaign_that_was_sent_is_copied_to_be_changed(marketer):
    await marketer.add_provider()
    path = f"/campaigns/{(await marketer.make_campaign())['id']}"
    assert (await marketer.ask("POST", f"{path}/send")).status_code == 200
    answer = await marketer.ask("PATCH", path, {"campaignName": "x"})
    assert (answer.status_code, answer.json()["detail"]) == (
        409,
        "a campaign that is sending cannot be changed: clone it and change the copy",
    )
    assert (await marketer.ask("POST", f"{path}/send")).status_code == 409


async def test_unknown_and_foreign_campaigns_are_not_there(marketer):
    made = await marketer.make_campaign()
    stranger = Marketer(marketer.database, marketer.channel, marketer.client)
    for who, campaign_id in ((marketer, uuid4()), (stranger, made["id"])):
        for method, path in (("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/send"), ("POST", "/clone")):
            answer = await who.ask(method, f"/campaigns/{campaign_id}{path}", {} if method == "PATCH" else None)
            assert answer.status_code == 404
