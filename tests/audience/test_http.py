"""The public answers, through the app as the gateway calls it."""

from __future__ import annotations

import asyncio
import csv
import json
from uuid import uuid4

import pytest

from services.audience.handlers import importing
from services.audience.routes import make_routes
from services.audience.routes.bodies import consent_warnings
from shared.http import only_with_token
from tests.asking import Client
from tests.audience.conftest import person, phone, settings_of

BASE = "/api/notification"


@pytest.fixture
def client(tenant) -> Client:
    settings = settings_of()
    app = only_with_token(make_routes(tenant.database, settings, asyncio.Event()), "token")
    return Client(app, BASE, {"Authorization": "Bearer token", "X-User-Id": tenant.user_id})


async def test_strangers_are_refused(client):
    answer = await client.get("/customers", headers={"Authorization": "Bearer other"})
    assert answer.status_code == 401


async def test_good_rows_are_saved_and_bad_ones_named(client):
    answer = await client.post("/customers", json={"customers": [person(1), person(2, phoneNumber="12"), 3]})
    assert answer.status_code == 200
    assert answer.json()["data"] == {
        "imported": 1,
        "rejected": 2,
        "errors": [
            {"index": 1, "field": "phoneNumber", "message": "not a valid phone number of its country"},
            {"index": 2, "field": "row", "message": "must be an object"},
        ],
        "warnings": consent_warnings(1, {"smsOptedIn", "pushOptedIn", "marketingOptedIn"}),
    }
    shown = (await client.get("/customers/c0001")).json()["data"]
    assert (shown["phoneNumber"], shown["smsOptedIn"]) == (phone(1), True)
    assert shown["devices"][0]["deviceToken"] == "token-1"


SAYS_ALL = {"smsOptedIn": False, "pushOptedIn": False, "marketingOptedIn": True}


@pytest.mark.parametrize(
    ("left_out", "row", "warns"),
    [
        ("", {}, False),
        ("marketingOptedIn", {}, True),
        ("smsOptedIn", {}, True),
        ("smsOptedIn", {"phoneNumber": None}, False),
        ("pushOptedIn", {}, True),
        ("pushOptedIn", {"deviceToken": None, "deviceType": None}, False),
    ],
)
async def test_consent_that_is_taken_for_granted_is_told(client, left_out, row, warns):
    said = {name: value for name, value in SAYS_ALL.items() if name != left_out}
    data = (await client.post("/customers", json=[person(1) | said | row])).json()["data"]
    assert [one["code"] for one in data["warnings"]] == (["consent_assumed"] if warns else [])
    assert not data["warnings"] or data["warnings"][0]["message"].startswith(f"1 left out {left_out}:")


async def test_a_workbook_is_told_what_it_is(client):
    answer = await client.post("/customers/import", content=b"PK\x03\x04 and what a zip archive holds")
    assert (answer.status_code, "save it as" in answer.json()["detail"]) == (422, True)


async def test_an_import_remembers_what_it_took_for_granted(client):
    content = b"customerId,phoneNumber,smsOptedIn\nf1,+4915112345678,true\nf2,+4915112345679,\n"
    answer = (await client.post("/customers/import", content=content)).json()["data"]
    kept = (await client.get(f"/customers/imports/{answer['importId']}")).json()["data"]
    assert answer["warnings"] == kept["warnings"] == consent_warnings(2, {"marketingOptedIn", "smsOptedIn"})


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"[]", 422),
        (b'{"customers": 1}', 422),
        (b'[{"customerId": ""}]', 422),
        (b"[" + b",".join([b"{}"] * 10_001) + b"]", 422),
    ],
)
async def test_bodies_that_cannot_be_used(client, body, status):
    answer = await client.post("/customers", content=body)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


async def test_customers_are_listed_in_pages(client, tenant):
    await tenant.save(*(person(n) for n in range(5)))
    first = (await client.get("/customers?limit=3")).json()
    second = (await client.get("/customers", params={"limit": 3, "cursor": first["nextCursor"]})).json()
    assert [c["customerId"] for c in first["data"] + second["data"]] == [f"c{n:04d}" for n in range(5)]
    assert second["nextCursor"] is None
    assert (await client.get("/customers?cursor=%FF")).status_code == 422


async def test_erasing_leaves_nothing_but_the_opt_out(client, tenant):
    await tenant.save(person(1))
    await tenant.write_back(phone(1), "stop")
    assert (await client.delete("/customers/c0001")).status_code == 204
    assert (await client.delete("/customers/c0001")).status_code == 404
    assert (await client.get("/customers/c0001")).status_code == 404
    for table in ("customers", "devices", "notification_preferences", "consent_log"):
        assert await tenant.rows(f"SELECT 1 FROM {table} WHERE user_id = %b", tenant.user_id) == []
    await tenant.save(person(1))
    assert (await tenant.reach("sms"))[0].excluded == {"opted_out": 1}


async def test_another_tenant_sees_nothing(client, tenant):
    await tenant.save(person(1))
    other = {"X-User-Id": "other"}
    assert (await client.get("/customers/c0001", headers=other)).status_code == 404
    assert (await client.get("/customers", headers=other)).json()["data"] == []
    assert (await client.delete("/customers/c0001", headers=other)).status_code == 404
    assert (await client.get("/preferences", headers=other)).json()["data"] == []


async def test_a_csv_file_is_imported_but_for_its_bad_rows(client, tenant):
    lines = ["customerId,phoneNumber,country,smsOptedIn,deviceToken,attributes.plan"]
    lines += [f"f{n},0151 {n:08d},DE,true,t{n},gold" for n in range(45)]
    lines += ["g1,12,DE,true,,", "g2,0151 00000099,DE,perhaps,,", ",0151 00000098,DE,true,,", "too,few"]
    content = "\n".join(lines).encode()
    answer = await client.post("/customers/import?format=csv", content=content, headers={"Content-Type": "text/csv"})
    data = answer.json()["data"]
    assert (data["imported"], data["rejected"]) == (45, 4)
    assert [(e["row"], e["field"]) for e in data["errors"]] == [
        (47, "phoneNumber"),
        (48, "smsOptedIn"),
        (49, "customerId"),
        (50, "row"),
    ]
    file = await client.get(data["errorFile"].removeprefix(BASE))
    assert file.headers["content-type"].startswith("text/csv")
    lines = list(csv.reader(file.text.splitlines()))
    assert lines[0] == ["row", "field", "message", "original"]
    assert lines[1][:3] == ["47", "phoneNumber", "not a valid phone number of its country"]
    assert json.loads(lines[1][3])["customerId"] == "g1"
    assert lines[4] == ["50", "row", "has 2 columns instead of 6", "too,few"]
    assert lines[5] == ["# complete: 4 rows"]
    assert (await client.get(f"/customers/imports/{data['importId']}/errors?format=jsonl")).text.count("\n") == 5
    shown = (await client.get(f"/customers/imports/{data['importId']}")).json()["data"]
    assert (shown["state"], shown["rowsRead"], shown["bytesRead"]) == ("done", 49, len(content))
    assert (await client.get("/customers/imports")).json()["data"] == [shown]
    assert (await client.get(f"/customers/imports/{uuid4()}/errors")).status_code == 404
    assert (await tenant.reach("sms"))[0].recipients == 45


async def test_json_lines_are_imported(client, tenant):
    body = b'{"customerId": "j1", "attributes": {"age": 3}}\nnonsense\n{"customerId": "j2"}'
    data = (await client.post("/customers/import?format=jsonl", content=body)).json()["data"]
    assert (data["imported"], data["rejected"], data["errors"][0]["row"]) == (2, 1, 2)


@pytest.mark.parametrize(
    ("body", "query", "text"),
    [
        (b"", "csv", "empty"),
        (b"customerId,shoeSize\n", "csv", "shoeSize"),
        (b"phoneNumber\n", "csv", "customerId"),
        (b"x", "xlsx", "format"),
    ],
)
async def test_files_that_cannot_be_read(client, body, query, text):
    answer = await client.post(f"/customers/import?format={query}", content=body)
    assert answer.status_code == 422
    assert text in answer.text


@pytest.mark.parametrize(("channel", "field"), [("sms", "phoneNumber"), ("push", "deviceToken")])
async def test_recipients_are_added_and_imported(client, tenant, channel, field):
    campaign_id = uuid4()
    path = f"/{channel}/campaigns/{campaign_id}/recipients"
    answer = await client.post(path, json={"recipients": [{field: phone(1), "recipientName": "Ada"}, {field: ""}]})
    assert answer.json()["data"]["imported"] == 1
    file = f"{field},recipientName,attributes.plan\n{phone(2)},Grace,gold\n".encode()
    answer = await client.post(f"{path}/import?format=csv", content=file)
    assert answer.json()["data"]["imported"] == 1
    totals, _ = await tenant.reach(channel, campaign_id=campaign_id, audience_filter=None)
    assert totals.recipients == 2
    assert (await client.post(path, json=[{field: phone(3)}])).status_code == 409
    assert (await client.post(f"{path}/import?format=csv", content=file)).status_code == 409


async def test_preferences_are_shown_and_changed(client, tenant):
    await tenant.save(person(1))
    answer = await client.put("/preferences/c0001", json={"smsOptedIn": False, "smsCategories": ["news"]})
    assert answer.json()["data"]["smsOptedIn"] is False
    (shown,) = (await client.get("/preferences?customerId=c0001")).json()["data"]
    assert (shown["smsOptedIn"], shown["pushOptedIn"], shown["smsCategories"]) == (False, True, ["news"])
    answer = await client.put("/preferences/c0001", json={"smsCategories": None})
    assert answer.json()["data"]["smsCategories"] is None
    answer = await client.put(f"/preferences/{shown['id']}", json={"pushOptedIn": False})
    assert (answer.json()["data"]["customerId"], answer.json()["data"]["pushOptedIn"]) == ("c0001", False)
    assert len((await client.get("/preferences")).json()["data"]) == 1
    assert (await client.put("/preferences/c0001", json={"colour": "red"})).status_code == 422
    assert (await client.put("/preferences/c0001", json={"smsOptedIn": "perhaps"})).status_code == 422
    assert (await client.put("/preferences/new", json={"phoneNumber": phone(3)})).status_code == 200


async def test_a_filter_is_previewed(client, tenant):
    await tenant.save(*(person(n, country="DE" if n % 2 else "AT") for n in range(20)))
    leaf = {"field": "country", "op": "eq", "value": "DE"}
    data = (await client.post("/audience/preview", json={"audienceFilter": leaf})).json()["data"]
    assert (data["count"], len(data["sample"]), data["sample"][0]["customerId"]) == (10, 10, "c0001")
    assert (await client.post("/audience/preview", json={})).json()["data"]["count"] == 0
    answer = await client.post("/audience/preview", json={"audienceFilter": {"all": [{**leaf, "field": "shoe"}]}})
    assert answer.json()["errors"][0]["field"] == "audienceFilter.all.0.field"


@pytest.mark.parametrize(
    ("leaf", "hints"),
    [
        ({"field": "country", "op": "eq", "value": "DE"}, False),
        ({"field": "country", "op": "in", "value": ["DE", "AT"]}, False),
        ({"field": "country", "op": "startsWith", "value": "D"}, False),
        ({"field": "firstName", "op": "eq", "value": "Germany"}, False),
        ({"field": "country", "op": "eq", "value": "Germany"}, True),
        ({"field": "country", "op": "in", "value": ["DE", "at"]}, True),
        ({"field": "deviceType", "op": "ne", "value": "iPhone"}, True),
    ],
)
async def test_a_filter_that_can_find_nobody_says_so(client, leaf, hints):
    wanted = {"all": [{"not": leaf}]}
    data = (await client.post("/audience/preview", json={"audienceFilter": wanted})).json()["data"]
    assert [one["field"] for one in data["warnings"]] == (["audienceFilter.all.0.not.value"] if hints else [])


async def test_a_device_is_added(client, tenant):
    await tenant.save(person(1))
    good = {"deviceToken": "more", "deviceType": "web"}
    assert (await client.post("/customers/c0001/devices", json=good)).status_code == 201
    assert (await client.post("/customers/nobody/devices", json=good)).status_code == 404
    answer = await client.post("/customers/c0001/devices", json={"deviceType": "toaster"})
    assert {e["field"] for e in answer.json()["errors"]} == {"deviceToken", "deviceType"}
    assert (await tenant.reach("push"))[0].recipients == 2


async def test_a_file_in_another_encoding_is_refused_in_words(client):
    for content in ("customerId,phoneNumber\na,+4915112345678\n".encode("utf-16"), b"\xff\xfe\x00a"):
        answer = await client.post("/customers/import?format=csv", content=content)
        assert answer.status_code == 422
        assert answer.json()["detail"].startswith("the file is not UTF-8: save it with that encoding")


LINE = "customerId,phoneNumber\na,+4915112345678\n"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (LINE.encode("utf-16-le"), "not UTF-8"),
        (LINE.encode("utf-16-be"), "not UTF-8"),
        (b'"customerId\0",phoneNumber\na,1\n', "header holds bytes"),
        (b'customerId,"phone\nNumber\0"\na,1\n', "unknown columns: phone\nNumber"),
        (b"customerId,phone\xed\xa0\x80\na,1\n", "not UTF-8"),
    ],
    ids=["UTF-16, little end first", "UTF-16, big end first", "NUL", "NUL in a second line", "half a character"],
)
async def test_a_header_that_cannot_be_kept_is_refused_in_words(client, content, words):
    import_id = uuid4()
    answer = await client.post(f"/customers/import?format=csv&importId={import_id}", content=content)
    assert (answer.status_code, words in answer.json()["detail"]) == (422, True), answer.text
    shown = (await client.get(f"/customers/imports/{import_id}")).json()["data"]
    assert (shown["state"], words in shown["problem"]) == ("failed", True)


async def test_a_field_whose_name_cannot_be_kept_is_refused_with_its_row(client):
    content = json.dumps({"customerId": "a", "plan\0": "pro"}).encode()
    data = (await client.post("/customers/import?format=jsonl", content=content)).json()["data"]
    assert (data["imported"], data["rejected"]) == (0, 1)
    kept = (await client.get(f"/customers/imports/{data['importId']}/errors?format=jsonl")).text
    assert json.loads(kept.splitlines()[0])["field"] == "plan\N{REPLACEMENT CHARACTER}"


async def test_an_import_has_the_id_that_was_chosen_for_it_once(client):
    import_id = uuid4()
    path = f"/customers/import?format=csv&importId={import_id}"
    assert (await client.post(path, content=b"customerId\na")).json()["data"]["importId"] == str(import_id)
    assert (await client.post(path, content=b"customerId\nb")).status_code == 409


async def test_a_file_that_breaks_half_way_leaves_what_was_good(client):
    import_id = uuid4()
    content = b"customerId,firstName\na,Ada\nb," + b"B" * 400_000
    answer = await client.post(f"/customers/import?format=csv&importId={import_id}", content=content)
    assert answer.status_code == 422
    assert f"import {import_id}" in answer.json()["detail"]
    shown = (await client.get(f"/customers/imports/{import_id}")).json()["data"]
    assert (shown["state"], shown["imported"]) == ("failed", 1)
    assert shown["problem"] == "row 3 is longer than 262144 bytes"
    assert (await client.get("/customers/a")).status_code == 200


async def test_a_campaign_takes_no_more_recipients_than_its_limit(client, monkeypatch):
    monkeypatch.setattr(importing, "RECIPIENTS_MAX", 3)
    path = f"/sms/campaigns/{uuid4()}/recipients"

    async def add(*numbers: int) -> int:
        answer = await client.post(path, json={"recipients": [{"phoneNumber": phone(number)} for number in numbers]})
        if answer.status_code == 422:
            assert answer.json()["errors"] == [
                {"field": "recipients", "message": "a campaign has at most 3 recipients"}
            ]
        return answer.status_code

    assert [await add(1, 2), await add(1, 2, 3), await add(4), await add(3)] == [200, 200, 422, 200]
    assert len((await client.get(path)).json()["data"]) == 3
    import_id = uuid4()
    content = f"phoneNumber\n{phone(5)}".encode()
    answer = await client.post(f"{path}/import?format=csv&importId={import_id}", content=content)
    assert answer.status_code == 422
    shown = (await client.get(f"/customers/imports/{import_id}")).json()["data"]
    assert (shown["state"], shown["kind"], shown["imported"]) == ("failed", "recipients", 0)
    assert shown["problem"] == "a campaign has at most 3 recipients"
