"""API keys over their life, limits of requests, and who changed what."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

from tests.gateway.browsing import PASSWORD, Browser, browser, operator, person_of, signed_in
from tests.waiting import until

TEMPLATE = {"templateName": "Sale", "content": "Hi, 20% off. Reply STOP to unsubscribe"}


@pytest_asyncio.fixture(loop_scope="session")
async def boss(fleet):
    async with operator(fleet) as found:
        yield found


def with_key(somebody: Browser, key: str) -> Browser:
    return Browser(somebody.http, somebody.url, {"Authorization": f"Bearer {key}"})


async def key_of(boss: Browser, *scopes: str) -> dict[str, Any]:
    status, answer = await boss("POST", "/api-keys", {"name": "test", "scopes": list(scopes) or ["admin"]})
    assert status == 201
    return answer["data"]


def fields(problem: dict[str, Any]) -> set[str]:
    return {error["field"] for error in problem["errors"]}


# --- keys ------------------------------------------------------------------------------------------------------------


async def test_a_key_is_shown_once(fleet, boss):
    made = await key_of(boss, "read")
    _, listed = await boss("GET", "/api-keys")
    assert [one["prefix"] for one in listed["data"]] == [made["prefix"]]
    assert made["apiKey"].rpartition("_")[2] not in str(listed)
    assert (await with_key(boss, made["apiKey"])("GET", "/sms/templates"))[0] == 200


async def test_only_who_may_everything_makes_keys(fleet, boss):
    for scope in ("read", "write", "send"):
        key = with_key(boss, (await key_of(boss, scope))["apiKey"])
        assert (await key("POST", "/api-keys", {"scopes": ["admin"]}))[0] == 403
        assert (await key("GET", "/api-keys"))[0] == 403
    async with signed_in(fleet, boss, "approver") as someone:
        assert (await someone("POST", "/api-keys", {"scopes": ["read"]}))[0] == 403
    admin = with_key(boss, (await key_of(boss))["apiKey"])
    assert (await admin("POST", "/api-keys", {"scopes": ["read"]}))[0] == 201


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"scopes": ["root"]}, "scopes.0"),
        ({"scopes": ["approve"]}, "scopes.0"),
        ({"scopes": []}, "scopes"),
        ({"expiresAt": "2020-01-01T00:00:00Z"}, "expiresAt"),
        ({"name": ""}, "name"),
    ],
)
async def test_a_field_that_is_wrong_is_named(fleet, boss, body, field):
    status, problem = await boss("POST", "/api-keys", body)
    assert (status, fields(problem)) == (422, {field})


async def test_a_rotated_keys_old_secret_works_for_the_overlap(fleet, boss):
    made = await key_of(boss, "read")
    status, answer = await boss("POST", f"/api-keys/{made['id']}/rotate", {})
    rotated = answer["data"]
    until_then = datetime.fromisoformat(rotated["previousUntil"]) - datetime.now(UTC)
    assert (status, timedelta(hours=23) < until_then <= timedelta(hours=24)) == (200, True)
    for key in (made["apiKey"], rotated["apiKey"]):
        assert (await with_key(boss, key)("GET", "/sms/templates"))[0] == 200
    _, answer = await boss("POST", f"/api-keys/{made['id']}/rotate", {"overlapHours": 0})
    for key, expected in ((made["apiKey"], 401), (rotated["apiKey"], 401), (answer["data"]["apiKey"], 200)):
        assert (await with_key(boss, key)("GET", "/sms/templates"))[0] == expected
    status, problem = await boss("POST", f"/api-keys/{made['id']}/rotate", {"overlapHours": 169})
    assert (status, fields(problem)) == (422, {"overlapHours"})


async def test_a_revoked_key_opens_nothing(fleet, boss):
    made = await key_of(boss)
    key = with_key(boss, made["apiKey"])
    assert (await key("GET", "/sms/templates"))[0] == 200
    async with operator(fleet) as stranger:
        assert (await stranger("DELETE", f"/api-keys/{made['id']}"))[0] == 404
    assert (await boss("DELETE", f"/api-keys/{made['id']}"))[0] == 204
    assert (await key("GET", "/sms/templates"))[0] == 401
    assert (await boss("POST", f"/api-keys/{made['id']}/rotate", {}))[0] == 409
    _, listed = await boss("GET", "/api-keys")
    assert listed["data"][0]["revokedAt"] is not None


async def test_the_last_use_is_known(fleet, boss):
    made = await key_of(boss, "read")
    await with_key(boss, made["apiKey"])("GET", "/sms/templates")

    async def used() -> bool:
        return (await boss("GET", "/api-keys"))[1]["data"][0]["lastUsedAt"] is not None

    await until(used, 40.0)


# --- limits ----------------------------------------------------------------------------------------------------------


async def test_beyond_its_limit_a_key_has_to_wait(fleet, boss):
    assert (await boss("PATCH", "/settings", {"requestsPerMinute": 10}))[1]["data"]["requestsPerMinute"] == 10
    key = with_key(boss, (await key_of(boss, "read"))["apiKey"])
    for left in range(9, -1, -1):
        assert (await key("GET", "/sms/templates"))[0] == 200
        assert (key.answer["RateLimit-Limit"], key.answer["RateLimit-Remaining"]) == ("10", str(left))
    status, problem = await key("GET", "/sms/templates")
    assert (status, problem["title"]) == (429, "Too many requests")
    assert 1 <= int(key.answer["Retry-After"]) <= 6
    assert int(key.answer["RateLimit-Reset"]) == 60
    other = with_key(boss, (await key_of(boss, "read"))["apiKey"])
    assert (await other("GET", "/sms/templates"))[0] == 200


async def test_no_tenant_allows_itself_more_than_the_operator(fleet, boss):
    status, problem = await boss("PATCH", "/settings", {"requestsPerMinute": 12_001})
    assert (status, fields(problem)) == (422, {"requestsPerMinute"})
    status, answer = await boss("PATCH", "/settings", {"requestsPerMinute": None})
    assert (status, answer["data"]["requestsPerMinute"]) == (200, 12_000)


# --- audit -----------------------------------------------------------------------------------------------------------


async def test_every_change_is_written_down_with_its_outcome(fleet, boss):
    async with signed_in(fleet, boss, "marketer") as someone:
        _, made = await someone("POST", "/sms/templates", TEMPLATE)
        template_id = made["data"]["id"]
        request_id = someone.answer["X-Request-Id"]
        await someone("PATCH", f"/sms/templates/{template_id}", {"content": ""})
        await someone("POST", "/api-keys", {})
        _, session = await someone("GET", "/session")
        assert (await someone("GET", "/audit"))[0] == 403
    actor = session["data"]["person"]["id"]
    _, log = await boss("GET", f"/audit?actorId={actor}")
    assert [(one["action"], one["resourceType"], one["status"]) for one in log["data"]] == [
        ("POST /api-keys", "api-keys", 403),
        ("PATCH /sms/templates/{id}", "sms/templates", 422),
        ("POST /sms/templates", "sms/templates", 201),
        ("sign in", "session", 200),
    ]
    assert (log["data"][2]["resourceId"], log["data"][2]["requestId"]) == (template_id, request_id)
    assert {one["source"] for one in log["data"]} == {"127.0.0.0/24"}
    _, found = await boss("GET", f"/audit?resourceId={template_id}&resourceType=sms/templates&limit=1")
    assert found["data"][0]["status"] == 422
    _, further = await boss("GET", f"/audit?resourceId={template_id}&limit=1&cursor={found['nextCursor']}")
    assert ([one["status"] for one in further["data"]], further["nextCursor"]) == ([201], None)


async def test_who_cannot_sign_in_is_written_down_where_there_is_an_account(fleet, boss):
    person = await person_of(boss, "viewer")
    nobody = f"{uuid4().hex}@example.com"
    async with browser(fleet) as someone:
        for number in range(7):
            await someone.sign_in(person["email"], f"guess number {number} of many")
        await someone.sign_in(nobody, "a guess")
        assert (await someone.sign_in(person["email"], PASSWORD))[0] == 429
    _, log = await boss("GET", f"/audit?actorId={person['id']}")
    assert [(one["action"], one["status"]) for one in log["data"]] == [
        ("sign in, refused and locked", 401),
        *[("sign in, refused", 401)] * 4,
    ]
    assert {(one["actor"]["kind"], one["actor"]["name"]) for one in log["data"]} == {("unknown", person["email"])}
    text = json.dumps((await boss("GET", "/audit"))[1])
    assert "guess" not in text
    assert nobody not in text


async def test_looking_and_strangers_leave_no_entry(fleet, boss):
    key = with_key(boss, (await key_of(boss))["apiKey"])
    before = (await boss("GET", "/audit"))[1]["data"]
    await key("GET", "/sms/templates")
    await with_key(boss, "osn_0123456789_wrong")("POST", "/sms/templates", TEMPLATE)
    assert (await boss("GET", "/audit"))[1]["data"] == before
    async with operator(fleet) as stranger:
        assert (await stranger("GET", "/audit"))[1]["data"] == []


async def test_times_bound_the_log(fleet, boss):
    await key_of(boss)
    now = datetime.now(UTC) + timedelta(minutes=1)
    for query, expected in ((f"from={now:%FT%TZ}", 0), (f"to={now:%FT%TZ}", 1), ("from=yesterday", None)):
        _, answer = await boss("GET", f"/audit?{query}")
        assert len(answer["data"]) == expected if expected is not None else fields(answer) == {"from"}


# --- headers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/openapi.json", "/docs", "/nowhere", "/api/notification/session"])
async def test_browsers_are_told_to_be_careful(fleet, path):
    async with browser(fleet) as someone, someone.http.get(someone.url + path) as answer:
        headers = answer.headers
        assert headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert (headers["X-Content-Type-Options"], headers["Referrer-Policy"]) == ("nosniff", "no-referrer")
        assert "Strict-Transport-Security" not in headers
        assert "X-Request-Id" in headers


async def test_a_form_that_is_too_long_is_refused(fleet, boss):
    person = await person_of(boss, "marketer")
    async with browser(fleet) as someone:
        await someone.sign_in(person["email"])
        form = {"csrfToken": someone.headers["X-CSRF-Token"], "text": "x" * (2 << 20)}
        url = f"{someone.url}/api/notification/sms/templates"
        async with someone.http.post(url, data=form) as answer:
            assert answer.status == 413
        async with someone.http.post(url, data={"csrfToken": form["csrfToken"]}) as answer:
            assert answer.status == 415
        async with someone.http.post(url, data={"csrfToken": "no"}) as answer:
            assert answer.status == 403


async def test_many_at_once_are_counted_together(fleet, boss):
    await boss("PATCH", "/settings", {"requestsPerMinute": 10})
    key = (await key_of(boss, "read"))["apiKey"]
    answers = await asyncio.gather(*(with_key(boss, key)("GET", "/sms/templates") for _ in range(30)))
    assert sorted(status for status, _ in answers) == [200] * 10 + [429] * 20
