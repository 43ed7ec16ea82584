"""Customers as files, and found by the beginning of what is typed."""

from __future__ import annotations

import asyncio
import csv
import json
from collections.abc import AsyncIterator
from datetime import datetime
from io import StringIO
from typing import Any
from uuid import uuid4

import pytest

from contracts.channels import SMS
from services.audience.handlers import importing
from services.audience.routes import make_routes
from services.audience.store.imports import delete_errors, mark_cut_off
from services.audience.store.imports import is_coming_in as is_coming_in_now
from shared import exports
from shared.database import Connection
from shared.exports import safe_cell
from shared.http import Problem
from tests.asking import Client
from tests.audience.conftest import Tenant, person, phone, settings_of
from tests.waiting import until


@pytest.fixture
def client(tenant) -> Client:
    return client_of(tenant)


def client_of(tenant: Tenant) -> Client:
    settings = settings_of()
    app = make_routes(tenant.database, settings, asyncio.Event())
    return Client(app, "/api/notification", {"X-User-Id": tenant.user_id})


async def export(client: Client, file_format: str) -> str:
    answer = await client.get(f"/customers/export?format={file_format}")
    assert answer.status_code == 200, answer.text
    assert f'filename="customers.{file_format}"' in answer.headers["content-disposition"]
    return answer.text


PEOPLE: list[dict[str, Any]] = [
    person(1, attributes={"plan": "pro", "age": 30}, smsCategories=["marketing", "news"], smsOptedIn=True),
    person(2, lastName="=cmd()", email="b@example.com", phoneNumber=None, pushOptedIn=False),
    person(3, firstName='Ada "the\nfirst"', devices=[{"deviceToken": "t3b", "deviceType": "android"}]),
]


async def test_a_csv_file_has_a_column_for_everything_and_says_that_it_is_whole(client, tenant, monkeypatch):
    monkeypatch.setattr(exports, "ROWS_AT_ONCE", 2)
    await tenant.save(*PEOPLE)
    *rows, last = csv.reader(StringIO(await export(client, "csv")))
    assert last == ["# complete: 3 rows"]
    read = [dict(zip(rows[0], row, strict=True)) for row in rows[1:]]
    assert [row["customerId"] for row in read] == ["c0001", "c0002", "c0003"]
    assert (read[0]["attributes.plan"], read[0]["attributes.age"], read[1]["attributes.plan"]) == ("pro", "30", "")
    assert (read[0]["phoneNumber"], read[0]["smsCategories"]) == (phone(1), "marketing;news")
    assert (read[1]["lastName"], read[1]["pushOptedIn"]) == ("'=cmd()", "false")
    assert read[2]["firstName"] == 'Ada "the\nfirst"'


@pytest.mark.parametrize("file_format", ["csv", "jsonl"])
async def test_what_was_exported_can_be_imported(client, tenant, file_format):
    await tenant.save(PEOPLE[0], PEOPLE[2])
    text = await export(client, file_format)
    rows = text.rstrip("\r\n").rsplit("\n", 1)[0]
    other = Tenant(tenant.database)
    answer = await client_of(other).post(f"/customers/import?format={file_format}", content=rows.encode())
    assert answer.json()["data"]["rejected"] == 0, answer.text
    assert (await other.reach("sms"))[0].recipients == 2
    again = await export(client_of(other), file_format)
    if_whole = {"csv": "# complete: 2 rows", "jsonl": '{"complete":true,"rows":2}'}[file_format]
    assert again.splitlines()[-1] == text.splitlines()[-1] == if_whole


async def test_json_lines_hold_all_devices(client, tenant):
    await tenant.save(*PEOPLE)
    *rows, last = [json.loads(line) for line in (await export(client, "jsonl")).splitlines()]
    assert last == {"complete": True, "rows": 3}
    assert {device["deviceToken"] for device in rows[2]["devices"]} == {"token-3", "t3b"}
    assert rows[1]["lastName"] == "=cmd()"


async def test_an_export_is_one_moment_of_one_tenant(client, tenant):
    await Tenant(tenant.database).save(person(9))
    assert (await export(client, "csv")).splitlines()[-1] == "# complete: 0 rows"
    assert (await client.get("/customers/export?format=xml")).json()["errors"][0]["field"] == "format"


@pytest.mark.parametrize(
    ("value", "safe"),
    [
        ("Ada", "Ada"),
        ("+4915112345678", "+4915112345678"),
        ("-5", "-5"),
        ("=1+1", "'=1+1"),
        ("+1+cmd|' /C calc'!A0", "'+1+cmd|' /C calc'!A0"),
        ("-2+3", "'-2+3"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        (5, 5),
        (None, None),
    ],
)
def test_no_cell_is_a_formula(value, safe):
    assert safe_cell(value) == safe


@pytest.mark.parametrize(
    ("search", "expected"),
    [
        ("c000", ["c0001", "c0002", "c0003"]),
        ("C000", []),
        ("+491510000000", ["c0001", "c0003"]),
        ("+4915100000003", ["c0003"]),
        ("B@EXAMPLE", ["c0002"]),
        ("ada2 =", ["c0002"]),
        ("=CMD() ada", ["c0002"]),
        ("%", []),
        ("ada", ["c0001", "c0002", "c0003"]),
    ],
)
async def test_customers_are_found_by_what_they_begin_with(client, tenant, search, expected):
    await tenant.save(*PEOPLE)
    await Tenant(tenant.database).save(*PEOPLE)
    answer = await client.get("/customers", params={"search": search})
    assert [one["customerId"] for one in answer.json()["data"]] == expected


async def test_preferences_are_found_by_address(client, tenant):
    await tenant.save(*PEOPLE, person(4, phoneNumber=phone(1)))

    async def found(**query: str) -> list[str]:
        answer = await client.get("/preferences", params=query)
        return [one["customerId"] for one in answer.json()["data"]]

    assert await found(phoneNumber=phone(1)) == ["c0001", "c0004"]
    assert await found(deviceToken="t3b") == ["c0003"]
    assert await found(phoneNumber=phone(1), deviceToken="token-4") == ["c0004"]
    assert await found(phoneNumber=phone(1), customerId="c0003") == []
    assert await found(phoneNumber="+4915199999999") == []


async def test_refused_rows_are_forgotten_after_a_while(client, tenant):
    import_id, result = await tenant.import_customers(b"customerId,phoneNumber\na,12\nb,13\n")
    assert result.rejected == 2
    async with tenant.database.transaction() as connection:
        assert await delete_errors(connection, 3_600, 100) == 0
        assert await delete_errors(connection, 0, 1) == 1
        assert await delete_errors(connection, 0, 100) == 1
    file = (await client.get(f"/customers/imports/{import_id}/errors")).text
    assert file.splitlines() == ["row,field,message,original", "# complete: 0 rows"]


# --- at once ---------------------------------------------------------------------------------------------------------


async def test_a_tenant_reads_one_export_at_a_time_and_others_read_on(tenant, monkeypatch):
    monkeypatch.setattr(exports, "TURN_SECONDS", 0.2)
    process = exports.Exports(tenant.database)

    async def ask(_connection: Connection) -> exports.Query:
        return exports.Query("SELECT 1", {}, ["one"])

    async def begun(user_id: str) -> Any:
        pieces = (await process.answer(user_id, "ones", "csv", ask)).body_iterator
        await anext(pieces)
        return pieces

    adas, *others = [await begun(user_id) for user_id in ("ada", "bob", "carol")]
    for user_id, status in (("ada", 429), ("dan", 503)):
        with pytest.raises(Problem) as refused:
            await begun(user_id)
        assert (refused.value.status, refused.value.headers) == (status, {"Retry-After": "1"})
    monkeypatch.setattr(exports, "TURN_SECONDS", 10.0)
    waiting = asyncio.create_task(begun("ada"))
    assert [piece async for piece in adas][-1] == b"# complete: 1 rows\r\n"
    for pieces in (*others, await waiting):
        await pieces.aclose()


# --- imports that stop -----------------------------------------------------------------------------------------------


async def state_of(tenant: Tenant) -> tuple[str, datetime]:
    ((state, touched_at),) = await tenant.rows(
        "SELECT state, touched_at FROM imports WHERE user_id = %b", tenant.user_id
    )
    return state, touched_at


async def test_an_import_shows_that_it_goes_on_until_it_is_cut_off(tenant, monkeypatch):
    monkeypatch.setattr(importing, "ALIVE_SECONDS", 0.01)
    campaign_id, more = uuid4(), asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield b"phoneNumber\r\n"
        await more.wait()
        yield phone(1).encode()

    async def is_coming_in() -> bool:
        async with tenant.database.transaction() as connection:
            return await is_coming_in_now(connection, tenant.user_id, campaign_id)

    kind = importing.recipients_of(tenant.user_id, SMS, campaign_id)
    work = importing.import_file(tenant.database, tenant.user_id, uuid4(), kind, "csv", slow(), 10, 10_000)
    importing_now = asyncio.create_task(work)
    await until(is_coming_in)
    _, before = await state_of(tenant)

    async def is_touched() -> bool:
        return (await state_of(tenant))[1] > before

    await until(is_touched)
    more.set()
    assert (await importing_now).imported == 1
    assert not await is_coming_in()
    crashed = "UPDATE imports SET state = 'running', touched_at = now() - interval '61 seconds' WHERE user_id = %b"
    await tenant.rows(f"{crashed} RETURNING 1", tenant.user_id)
    assert not await is_coming_in()
    async with tenant.database.transaction() as connection:
        await mark_cut_off(connection)
    assert (await state_of(tenant))[0] == "failed"
