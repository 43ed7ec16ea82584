"""Dead letters as a tenant's admin sees them: one's own, without what they hold of people; and put back."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer

from contracts.events import SendRequested
from contracts.topics import DEAD_LETTERS, LOTS, SEND_REQUESTS
from services.gateway.domain.dead_letters import CONTENTS_BYTES_MAX, contents_of, tenant_of
from services.gateway.handlers import dead_letters
from shared.codec import encode, now
from shared.http import Problem
from shared.ids import new_id
from tests.dead_letters import put_aside, waiting_letter
from tests.waiting import until

WAIT_SECONDS = 30.0
FLOOD = 1_500
NUMBER, TEXT = "+4915112345678", "Your code is 246810."


def request_to_send(user_id: str, **fields: Any) -> bytes:
    """A request of which the customer is not there, unless said otherwise."""
    given = {"customer_id": "C-1", "template_id": new_id()} | fields
    return encode(
        SendRequested(
            event_id=new_id(), occurred_at=now(), user_id=user_id, request_id=uuid4().hex, channel="sms", **given
        )
    )


async def test_a_letter_is_shown_without_what_it_holds_of_people(fleet, make):
    admin = await make("admin")
    broken = {"type": "SendRequested", "userId": admin.user_id, "address": NUMBER, "content": {"body": TEXT}}
    letter_id = await put_aside(fleet.kafka, admin.user_id, json.dumps(broken).encode())
    status, answer = await admin("GET", f"/dead-letters/{letter_id}")
    assert status == 200, answer
    letter = answer["data"]
    assert (letter["topic"], letter["service"]) == (SEND_REQUESTS.name, "audience")
    assert "eventId" in letter["reason"]
    assert letter["contents"] == {
        "type": "SendRequested",
        "userId": admin.user_id,
        "address": "+49•••••••••78",
        "content": "1 field",
    }
    assert "Mend that program" in letter["advice"]
    assert not {NUMBER, TEXT} & set(json.dumps(answer).split('"'))
    status, listed = await admin("GET", "/dead-letters")
    assert [one["id"] for one in listed["data"]] == [letter_id]


async def test_the_list_is_filtered_and_has_pages(fleet, make):
    admin = await make("admin")
    begun = datetime.now(UTC)
    ids = [await put_aside(fleet.kafka, admin.user_id, f"{{ {uuid4().hex}".encode()) for _ in range(3)]
    first = (await admin("GET", "/dead-letters?limit=2"))[1]
    second = (await admin("GET", f"/dead-letters?limit=2&cursor={first['nextCursor']}"))[1]
    assert [one["id"] for one in first["data"] + second["data"]] == ids[::-1]
    assert second["nextCursor"] is None

    async def count(query: str) -> int:
        status, answer = await admin("GET", f"/dead-letters?{query}")
        assert status == 200, answer
        return len(answer["data"])

    later = (begun + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert await count("topic=send-requests&service=audience&reason=NOT%20a%20record") == 3
    assert [await count(one) for one in ("topic=lots", "reason=elsewhere", f"from={later}")] == [0, 0, 0]
    assert await count(f"to={later}") == 3
    for wrong in ("cursor=nonsense", "from=yesterday", "limit=0"):
        status, problem = await admin("GET", f"/dead-letters?{wrong}")
        assert (status, problem["errors"][0]["field"]) == (422, wrong.partition("=")[0])


async def flood(kafka: str, user_id: str, letters: int) -> None:
    """So many letters of the tenant, as the audience service puts them aside."""
    headers = [("origin-topic", SEND_REQUESTS.name.encode()), ("reason", b"customerId: there is no such customer")]
    async with AIOKafkaProducer(bootstrap_servers=kafka) as producer:
        for _ in range(letters):
            await producer.send(DEAD_LETTERS.name, b"{}", key=user_id.encode(), headers=headers)


async def test_a_flood_hides_nothing(fleet, make):
    admin = await make("admin")
    first = await put_aside(fleet.kafka, admin.user_id, f"{{ {uuid4().hex}".encode())
    await flood(fleet.kafka, admin.user_id, FLOOD)
    _, listed = await admin("GET", "/dead-letters?reason=not%20a%20record")
    assert ([one["id"] for one in listed["data"]], listed["olderLeftOut"]) == ([first], False)
    assert (await admin("GET", f"/dead-letters/{first}"))[0] == 200


async def test_who_reads_but_the_newest_is_told_so(fleet, make, monkeypatch):
    monkeypatch.setattr(dead_letters, "NEWEST", 2)
    user_id = (await make("admin")).user_id
    await flood(fleet.kafka, user_id, 3)
    office = dead_letters.DeadLetterOffice(fleet.kafka)
    found = await office.find(user_id, dead_letters.LetterFilter())
    assert (len(found.letters), found.is_cut) == (2, True)
    partition, offset = found.letters[0].id.split(":")
    with pytest.raises(Problem) as refused:
        await office.read(user_id, f"{partition}:{int(offset) - 1}")
    assert "too old" in (refused.value.detail or "")


async def test_what_was_mended_is_sent_once_it_is_put_back(fleet, make):
    admin = await make("admin")
    template = {"templateName": "Code", "content": "Acme: your parcel is here. Reply STOP to opt out."}
    _, made = await admin("POST", "/sms/templates", template)
    value = request_to_send(admin.user_id, template_id=made["data"]["id"])
    letter_id = await put_aside(fleet.kafka, admin.user_id, value)
    _, answer = await admin("GET", f"/dead-letters/{letter_id}")
    assert answer["data"]["reason"] == "customerId: there is no such customer"
    customer = {"customerId": "C-1", "phoneNumber": NUMBER, "smsOptedIn": True, "transactionalOptedIn": True}
    assert (await admin("POST", "/customers", {"customers": [customer]}))[0] == 200
    assert (await admin("POST", f"/dead-letters/{letter_id}/redrive"))[0] == 200

    async def is_taken_up() -> bool:
        _, found = await admin("GET", "/sms/recipients")
        return [one["customerId"] for one in found["data"]] == ["C-1"]

    await until(is_taken_up, WAIT_SECONDS)
    assert (await admin("GET", "/dead-letters"))[1]["data"] == []
    assert (await admin("POST", f"/dead-letters/{letter_id}/redrive"))[0] == 404
    _, log = await admin("GET", "/audit?resourceType=dead-letters")
    assert [(one["action"], one["resourceId"], one["status"]) for one in log["data"]] == [
        ("POST /dead-letters/{id}/redrive", letter_id, status) for status in (404, 200)
    ]


async def test_what_was_not_mended_comes_back(fleet, make):
    admin = await make("admin")
    value = request_to_send(admin.user_id)
    letter_id = await put_aside(fleet.kafka, admin.user_id, value)
    assert (await admin("POST", f"/dead-letters/{letter_id}/redrive"))[0] == 200
    again = await waiting_letter(fleet.kafka, value, other_than=letter_id)
    assert [one["id"] for one in (await admin("GET", "/dead-letters"))[1]["data"]] == [again]


async def test_only_admins_see_them(make):
    writer = await make("read", "write", "send")
    for method, path in (("GET", ""), ("GET", "/0:0"), ("POST", "/0:0/redrive")):
        assert (await writer(method, f"/dead-letters{path}"))[0] == 403


@pytest.mark.parametrize(
    ("topic", "key", "value", "tenant"),
    [
        (SEND_REQUESTS.name, b"acme", b"{", "acme"),
        (SEND_REQUESTS.name, b"acme", b'{"userId": "acme"}', "acme"),
        (SEND_REQUESTS.name, b"acme", b'{"userId": "shop"}', None),
        (SEND_REQUESTS.name, b"acme", b'["shop"]', "acme"),
        (SEND_REQUESTS.name, b"\xff", b"{}", None),
        (LOTS.name, b"acme", b'{"userId": "acme"}', None),
        ("elsewhere", b"acme", b"{}", None),
    ],
)
def test_whose_a_letter_is(topic, key, value, tenant):
    assert tenant_of(topic, key, value) == tenant


@pytest.mark.parametrize(
    ("value", "contents"),
    [
        (b'{"requestId": "order-1", "variables": {"code": "1"}}', {"requestId": "order-1", "variables": "1 field"}),
        (b'{"requestId": "Dear Ada, your"}', {"requestId": "14 characters"}),
        (
            b'{"customerId": "+4915112345678", "x": 246810}',
            {"customerId": "+49•••••••••78", "x": "a number, or yes or no"},
        ),
        (b'{"Dear Ada": 1}', {}),
        (b"{", None),
        (b"[1]", None),
        (b"[" * 100_000, None),
        (b'{"a": "' + b"x" * CONTENTS_BYTES_MAX + b'"}', None),
    ],
)
def test_contents_hold_no_address_and_no_text(value, contents):
    assert contents_of(value) == contents
