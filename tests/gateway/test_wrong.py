"""What is wrong in a request, for every operation of the description: one rule for what is no JSON, public names only,
and all that is wrong at once."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode as b64encode
from typing import Any
from uuid import uuid4

import pytest
from aiohttp import FormData

from contracts.http.described.examples import PROVIDERS
from contracts.http.model import LEVELS_MAX
from services.gateway.app import STRANGERS_BYTES_MAX
from tests.gateway.test_api import fields
from tests.gateway.test_other_tenants import BASE, DOCUMENT, resolved

OPERATIONS = [
    (method.upper(), path.removeprefix(BASE), one)
    for path, described in DOCUMENT["paths"].items()
    for method, one in described.items()
]
OPTIONAL = frozenset(f"/{channel}/campaigns/{{id}}/forecast" for channel in ("sms", "push"))
"""Where nothing is a body, too."""

MODELS = ("/sms/templates", "/send", "/session", "/sms/campaigns/{id}/test", "/sms/providers", "/settings")
LISTS = ("/customers", "/audience/preview")
METHODS = {"/settings": "PATCH"}


def json_of(operation: dict[str, Any]) -> dict[str, Any] | None:
    """The schema of the body, where it is JSON."""
    content = operation.get("requestBody", {}).get("content", {})
    return content.get("application/json", {}).get("schema")


WITH_BODY = [(method, path) for method, path, one in OPERATIONS if json_of(one)]


def with_ids(path: str, value: str) -> str:
    for name in ("id", "recipientId"):
        path = path.replace(f"{{{name}}}", value)
    return path


@pytest.mark.parametrize(("method", "path"), WITH_BODY)
@pytest.mark.parametrize(
    "raw", [b"", b"{", b'{"a": 1}}', b'{"a": "\xff"}', b"[" * 50_000], ids=lambda raw: repr(raw[:9])
)
async def test_what_is_no_json_is_400_everywhere(fleet, make, method, path, raw):
    status, problem = await (await make())(method, with_ids(path, str(uuid4())), raw=raw)
    if status == 404 or (not raw and path in OPTIONAL):
        assert "{id}" in path
    else:
        assert (status, problem["title"]) == (400, "The body is not JSON")


@pytest.mark.parametrize(("method", "path"), WITH_BODY)
@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded"])
async def test_what_is_not_said_to_be_json_is_415_everywhere(fleet, make, method, path, kind):
    status, _ = await (await make())(method, with_ids(path, str(uuid4())), {}, Content_Type=kind)
    assert status == 415 or (status == 404 and "{id}" in path)


async def test_what_a_command_without_a_body_is_sent_does_not_matter(fleet, make):
    path = f"/sms/campaigns/{uuid4()}/pause"
    assert (await (await make())("POST", path, raw=b"{", Content_Type="text/plain"))[0] == 404


@pytest.mark.parametrize("path", [*MODELS, *LISTS])
@pytest.mark.parametrize("raw", [b"[]", b'"text"', b"7", b"null"])
async def test_json_that_is_no_object_is_422(fleet, make, path, raw):
    status, problem = await (await make())(METHODS.get(path, "POST"), with_ids(path, str(uuid4())), raw=raw)
    assert (status, problem["title"]) == (422, "Invalid input")


def wrong_bodies(schema: dict[str, Any]) -> list[Any]:
    """Bodies with all fields wrong, each in another way."""
    names = resolved(schema).get("properties", {})
    return [dict.fromkeys(names, value) for value in ({"no": 1}, [{"no": 1}], None, "", -1)]


def queries_of(operation: dict[str, Any]) -> str:
    names = [one["name"] for one in operation["parameters"] if one["in"] == "query"]
    return "&".join(f"{name}=%7E" for name in names if name != "userId")


@pytest.mark.parametrize(
    ("method", "path", "operation"), OPERATIONS, ids=lambda one: one if isinstance(one, str) else ""
)
async def test_no_error_speaks_as_only_we_do(fleet, make, method, path, operation):
    client = await make()
    schema = json_of(operation)
    asked = [await client(method, f"{with_ids(path, 'no-id')}?{queries_of(operation)}", raw=b"")]
    for body in wrong_bodies(schema) if schema else ():
        asked.append(await client(method, with_ids(path, str(uuid4())), body))
    for status, answer in asked:
        named = fields(answer) if status >= 400 and "errors" in answer else set()
        assert status < 500
        assert not [name for name in named if "_" in name], answer
        said = [one["message"] for one in answer["errors"]] if named else []
        assert not [one for one in said if "nput should" in one or "tring should" in one or "alue should" in one], said


def nested(levels: int) -> bytes:
    return b'{"not":' * levels + b'{"all":[]}' + b"}" * levels


@pytest.mark.parametrize("levels", [LEVELS_MAX, 300, 480, 700, 950, 1_500, 50_000])
async def test_no_depth_is_too_deep_to_be_refused(fleet, make, levels):
    client = await make()
    lists = b"[" * levels + b"]" * levels
    for path, raw in (
        ("/audience/preview", b'{"audienceFilter":%b}' % nested(levels)),
        ("/sms/campaigns", b'{"campaignName":"x","templateId":"%b","audienceFilter":%b}' % (b"x", nested(levels))),
        ("/sms/providers", b'{"providerName":"x","providerType":"twilio","config":{"a":%b}}' % lists),
        ("/customers", b'{"customers":[{"customerId":"d","attributes":{"a":%b}}]}' % lists),
        ("/send", b'{"messages":[{"channel":"sms","variables":{"a":%b}}]}' % lists),
    ):
        status, problem = await client("POST", path, raw=raw)
        assert status in (400, 422), problem


@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"-1e400", b"1" + b"0" * 5_000])
async def test_what_is_no_number_of_json_is_refused(fleet, make, number):
    client = await make()
    audience_filter = b'{"all":[{"field":"attributes.x","op":"gt","value":%b}]}' % number
    for path, raw in (
        ("/audience/preview", b'{"audienceFilter":%b}' % audience_filter),
        ("/sms/campaigns", b'{"campaignName":"x","templateId":"x","audienceFilter":%b}' % audience_filter),
        ("/sms/providers", b'{"providerName":"x","providerType":"twilio","config":{"a":%b}}' % number),
        ("/customers", b'{"customers":[{"customerId":"d","attributes":{"a":%b}}]}' % number),
    ):
        status, problem = await client("POST", path, raw=raw)
        assert status in (400, 422), problem


async def test_all_that_is_wrong_with_an_account_is_told_at_once(fleet, make):
    client = await make()
    body = {
        "providerType": "apns",
        "apiKey": 7,
        "config": {"privateKey": "no key", "topic": "a b", "baseUrl": "http://x"},
    }
    status, problem = await client("POST", "/push/providers", body)
    assert status == 422
    assert fields(problem) == {
        *(
            "providerName",
            "apiKey",
            "config.keyId",
            "config.teamId",
            "config.privateKey",
            "config.topic",
            "config.baseUrl",
        )
    }
    made = (await client("POST", "/sms/providers", PROVIDERS["sms"]))[1]["data"]
    change = {"accountSid": "", "phoneNumber": None, "isActive": "maybe", "config": {"ratePerSecond": -1}}
    status, problem = await client("PATCH", f"/sms/providers/{made['id']}", change)
    assert (status, fields(problem)) == (422, {"accountSid", "phoneNumber", "isActive", "config.ratePerSecond"})
    assert json.dumps(problem).count("ratePerSecond") == 1


def cursor(text: bytes) -> str:
    return b64encode(text).decode()


FORGED = [
    "nonsense",
    "%FF",
    *map(
        cursor,
        (
            b"a\0b",
            b'["a\\u0000b"]',
            b'["\\ud800"]',
            b'["\\u0000", "00000000-0000-0000-0000-000000000000"]',
            b'["\\ud800", "00000000-0000-0000-0000-000000000000"]',
            b'["9999-99-99", null]',
            b"[[], {}]",
            b"[" * 5_000,
            b"\xff",
        ),
    ),
]
LISTED = [path for method, path, one in OPERATIONS if "cursor" in {p["name"] for p in one["parameters"]}]


@pytest.mark.parametrize("path", [*LISTED, "/sms/templates?sort=templateName", "/sms/campaigns?sort=-campaignName"])
async def test_a_cursor_that_is_not_ours_is_refused(fleet, make, path):
    client = await make()
    for forged in FORGED:
        query = f"{'&' if '?' in path else '?'}cursor={forged}"
        status, problem = await client("GET", with_ids(path, str(uuid4())) + query)
        assert (status == 404 and "{id}" in path) or (status, fields(problem)) == (422, {"cursor"}), (forged, problem)


@pytest.mark.parametrize("key", ["", " ", "é", "a b", "x" * 201])
async def test_an_idempotency_key_is_short_and_plain(fleet, make, key):
    client = await make()
    status, problem = await client("POST", "/sms/campaigns", {}, Idempotency_Key=key)
    assert (status, fields(problem)) == (422, {"Idempotency-Key"})


async def test_before_it_is_known_who_asks_little_is_taken_up(fleet, make):
    client = await make()
    body = {"email": "ada@example.com", "password": "x" * STRANGERS_BYTES_MAX}
    assert (await client("POST", "/session", body))[0] == 413
    with_file = FormData({"email": "ada@example.com"})
    with_file.add_field("password", b"x" * STRANGERS_BYTES_MAX, filename="x")
    async with client.http.post(f"{client.url}/notification/sign-in", data=with_file) as answer:
        assert answer.status == 415
    client.key = ""
    assert (await client("POST", "/send", raw=b" " * (STRANGERS_BYTES_MAX * 2)))[0] == 401
