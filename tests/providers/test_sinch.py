"""Sinch: many recipients a request, each with a text of their own; judged by Sinch's own SDK."""

from __future__ import annotations

import contextlib
import json
import re
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sinch import SinchClient
from sinch.domains.sms.sinch_events.v1 import SmsSinchEvent

from contracts.masked import PhoneNumber
from shared.providers import sinch
from shared.providers.http_provider import SPLIT
from shared.providers.keywords import intent_of
from shared.providers.provider import (
    Absent,
    Accepted,
    CallbackMalformed,
    CallbackRequest,
    Found,
    HttpAnswer,
    Message,
    Refused,
    Unclear,
)
from tests.providers.fixtures.sinch.genuine import callback, signed
from tests.providers.recorder import recording
from tests.providers.samples import SECRET, message_of, values_of

BASE = "http://127.0.0.1:9"
VALUES = values_of("sinch", BASE)
ACCOUNT = sinch.account(VALUES)
AT = datetime(2026, 11, 1, 9, 30, tzinfo=UTC)


def messages_of(*texts: str) -> list[Message]:
    return [msgspec.structs.replace(message_of("sinch", number), text=text) for number, text in enumerate(texts, 1)]


def body_of(messages: list[Message]) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(sinch.batch_request(ACCOUNT, messages).body)
    return body


# --- what leaves ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("texts", [("Hi", "Hi"), ("Hi Ada", "Hi Bela"), ("${text}", "${text}")])
def test_a_batch_as_sinchs_own_client_sends_it(texts: tuple[str, ...]) -> None:
    messages = messages_of(*texts)
    ours = body_of(messages)
    with recording(201, b'{"id":"01FC","type":"mt_text","to":["4915112345678"],"body":"x"}') as recorder:
        client = SinchClient(service_plan_id="plan1", sms_api_token=SECRET, sms_region="us")
        client.configuration.sms_origin_with_service_plan_id = recorder.url
        client.sms.batches.send_sms(
            to=ours["to"],
            from_=ours["from"],
            body=ours["body"],
            parameters=ours.get("parameters"),
            delivery_report="per_recipient_final",
            expire_at=datetime.fromisoformat(ours["expire_at"]),
            event_destination_target=messages[0].callback_url,
            client_reference=messages[0].reference,
        )
    (theirs,) = recorder.requests
    request = sinch.batch_request(ACCOUNT, messages)
    assert f"{BASE}{theirs.path}" == request.url
    assert f"Authorization: {theirs.headers['authorization']}" in request.headers
    expected = theirs.json
    assert datetime.fromisoformat(expected.pop("expire_at")) == datetime.fromisoformat(ours.pop("expire_at"))
    assert ours == expected


def rendered(body: dict[str, Any], address: str) -> str:
    """The text that the documentation promises: each placeholder replaced once by the recipient's value."""
    parts = re.split(r"\$\{([\w.-]+)\}", body["body"]) if "parameters" in body else [body["body"]]
    return "".join(body["parameters"][part][address] if at % 2 else part for at, part in enumerate(parts))


pieces = st.sampled_from(["Hi ", "Ada", "${x}", "$", "{", "}", "Ümit", "😀", "$${t0}", " " * 90, "y" * 170, "\n"])
texts_of_people = st.lists(st.lists(pieces, max_size=8).map("".join), min_size=1, max_size=6)


@given(pieces, texts_of_people, pieces)
def test_everybody_gets_their_own_text(begin: str, middles: list[str], end: str) -> None:
    messages = messages_of(*(f"{begin}{middle}{end}" for middle in middles))
    body = body_of(messages)
    for message in messages:
        assert rendered(body, message.address) == message.text
    for name, values in body.get("parameters", {}).items():
        assert len(name) <= 16
        assert max(len(value.encode("utf-16-le")) for value in values.values()) <= 2 * 160
    assert len(body["body"]) <= 2000


def test_what_all_texts_share_is_said_once() -> None:
    body = body_of(messages_of("Hi Ada, your order 1 is here.", "Hi Bela, your order 12 is here."))
    assert body["body"] == "Hi ${t0} is here."
    assert list(body["parameters"]["t0"].values()) == ["Ada, your order 1", "Bela, your order 12"]


def test_a_text_that_is_too_long_is_left_to_sinch_to_refuse() -> None:
    for text in ("x" * 2001, "${x}" * 501):
        assert body_of(messages_of(text))["body"] == text


@pytest.mark.parametrize(
    ("ttl_seconds", "left"), [(1, 30), (600, 600), (259_140, 259_140), (259_141, None), (None, None)]
)
def test_a_message_expires_with_its_worth(ttl_seconds: int | None, left: int | None) -> None:
    """Sinch refuses a time that has passed or is more than three days away, and gives up after three days."""
    message = msgspec.structs.replace(message_of("sinch"), ttl_seconds=ttl_seconds)
    stated = body_of([message]).get("expire_at")
    if left is None:
        assert stated is None
    else:
        seconds = (datetime.fromisoformat(stated) - datetime.now(UTC)).total_seconds()
        assert left - 5 < seconds <= left


def test_reports_are_asked_for_only_where_somebody_hears_them() -> None:
    body = body_of([msgspec.structs.replace(message_of("sinch"), callback_url=None)])
    assert not {"callback_url", "delivery_report"} & body.keys()


BASES = ("https://notify.example/c/1", "https://other.example/c/1", None)


@given(
    st.lists(
        st.tuples(
            st.integers(0, 9),
            st.sampled_from([None, 60, 600]),
            st.integers(0, 3000),
            st.sampled_from("x€😀"),
            st.sampled_from(BASES),
        ),
        max_size=60,
    )
)
def test_each_message_is_in_one_group_that_sinch_can_take(
    drawn: list[tuple[int, int | None, int, str, str | None]],
) -> None:
    messages = [
        msgspec.structs.replace(
            message_of("sinch"),
            address=PhoneNumber(f"+491511234567{digit}"),
            ttl_seconds=ttl,
            text=letter * length,
            callback_url=base and f"{base}?ref={number}",
        )
        for number, (digit, ttl, length, letter, base) in enumerate(drawn)
    ]
    groups = sinch.groups(ACCOUNT, messages)
    assert sorted(index for group in groups for index in group) == list(range(len(messages)))
    for group in groups:
        members = [messages[index] for index in group]
        assert len({message.address for message in members}) == len(members)
        assert len({(message.ttl_seconds, (message.callback_url or "").partition("?")[0]) for message in members}) == 1
        assert len(group) == 1 or max(len(message.text.encode("utf-16-le")) for message in members) <= 2 * 2000


def test_addresses_that_come_twice_make_two_groups() -> None:
    messages = [message_of("sinch", number) for number in range(1, 501) for _ in range(2)]
    assert [len(group) for group in sinch.groups(ACCOUNT, messages)] == [500, 500]


@pytest.mark.parametrize("text", ["x" * 1900, "Grüße " * 50, "Привет " * 100, "😀" * 900, '\n"' * 400])
def test_the_answer_that_repeats_a_batch_can_be_read(text: str) -> None:
    """Whether Sinch writes other letters than ours as they are or as escapes."""
    messages = messages_of(*(f"{number} {text}" for number in range(1000)))
    for group in sinch.groups(ACCOUNT, messages):
        echo = {**body_of([messages[index] for index in group]), "id": "0" * 26, "created_at": "", "modified_at": ""}
        assert len(json.dumps(echo).encode()) < 262_144


def test_a_thousand_go_in_one_request() -> None:
    messages = [message_of("sinch", number) for number in range(1, 2502)]
    assert [len(group) for group in sinch.groups(ACCOUNT, messages)] == [1000, 1000, 501]


def test_a_refused_batch_is_halved_but_not_for_the_accounts_fault() -> None:
    messages = messages_of("a", "b")
    bad = HttpAnswer(400, b'{"code":"syntax_invalid_parameter_format","text":"[to]"}')
    assert set(sinch.batch_outcomes(ACCOUNT, messages, bad)) == {SPLIT}
    one = sinch.batch_outcomes(ACCOUNT, messages[:1], bad)
    assert one == (Refused("content", "syntax_invalid_parameter_format"),)
    sender = HttpAnswer(400, b'{"code":"syntax_constraint_violation","text":"[from] unknown"}')
    assert {outcome.error_class for outcome in sinch.batch_outcomes(ACCOUNT, messages, sender)} == {"config"}  # type: ignore[union-attr]


# --- what Sinch is asked ----------------------------------------------------------------------------------------------


def listing(*batches: dict[str, Any], count: int | None = None) -> HttpAnswer:
    return HttpAnswer(200, json.dumps({"count": count or len(batches), "batches": batches}).encode())


def test_a_batch_that_holds_the_text_for_the_address_is_found() -> None:
    (message,) = messages_of("Hi Ada")
    digits = message.address.lstrip("+")
    mine = {"id": "A", "to": [digits], "body": "${text}", "parameters": {"text": {digits: "Hi Ada"}}}
    same = {"id": "B", "to": [digits], "body": "Hi Ada"}
    other = {"id": "C", "to": [digits, "49"], "body": "Hi Bela"}

    def found(*batches: dict[str, Any], others: tuple[str, ...] = (), count: int | None = None) -> object:
        return sinch.finding(ACCOUNT, message, AT, others, listing(*batches, count=count))

    assert found(mine, other) == Found(Accepted("A"))
    assert found(same) == Found(Accepted("B"))
    assert found(mine, same) == Unclear("several_match")
    assert found(mine, same, others=("A",)) == Found(Accepted("B"))
    assert found() == Absent()
    assert found({"id": "D", "to": ["49"], "body": "Hi Ada"}) == Absent()
    assert found(other) == Unclear("another_text")
    assert found(other, others=("C",)) == Absent()
    assert found(other, others=("C",), count=21) == Unclear("too_many_listed")
    assert found({"id": "M", "to": [digits], "type": "mt_media", "body": {"url": "x"}, "parameters": {}}) == Unclear(
        "another_text"
    )
    assert isinstance(sinch.finding(ACCOUNT, message, AT, (), HttpAnswer(200, b"[]")), Unclear)
    assert isinstance(sinch.finding(ACCOUNT, message, AT, (), HttpAnswer(503, b"")), Unclear)


@given(texts_of_people)
def test_each_recipient_of_a_batch_is_found_in_it(texts: list[str]) -> None:
    messages = messages_of(*texts)
    body = body_of(messages)
    digits = {message.address: message.address.lstrip("+") for message in messages}
    without_plus = {
        "id": "A",
        "to": list(digits.values()),
        "body": body["body"],
        "parameters": {
            name: {digits[address]: value for address, value in values.items()}  # type: ignore[index]
            for name, values in body.get("parameters", {}).items()
        },
    }
    for batch in (body | {"id": "A"}, without_plus):
        for message in messages:
            assert sinch.finding(ACCOUNT, message, AT, (), listing(batch)) == Found(Accepted("A"))


def test_the_question_is_about_the_time_in_which_the_attempt_may_have_been_made() -> None:
    request = sinch.question(ACCOUNT, message_of("sinch"), AT)
    assert "start_date=2026-11-01T09%3A29%3A55.000Z" in request.url
    assert "end_date=2026-11-01T09%3A41%3A00.000Z" in request.url


def test_a_plan_that_has_sent_nothing_works() -> None:
    assert sinch.verified(ACCOUNT, HttpAnswer(200, b'{"count":0,"page":0,"page_size":0}')).works
    assert not sinch.verified(ACCOUNT, HttpAnswer(200, b"<html>")).works


# --- callbacks --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("age", "genuine"), [(0, True), (290, True), (310, False), (-290, True), (-310, False)])
def test_a_signature_is_good_for_five_minutes(age: float, genuine: bool) -> None:
    headers = signed("{}", SECRET, "n", age_seconds=age)
    request = CallbackRequest(method="POST", url=BASE, headers=headers, body=b"{}")
    assert sinch.is_genuine(ACCOUNT, request) is genuine


@pytest.mark.parametrize("stamp", ["", "x", "-1", "1e9", "９９", "9" * 5000])
def test_a_strange_timestamp_is_refused(stamp: str) -> None:
    headers = signed("{}", SECRET, "n") | {"x-sinch-webhook-signature-timestamp": stamp}
    assert not sinch.is_genuine(ACCOUNT, CallbackRequest(method="POST", url=BASE, headers=headers, body=b"{}"))


def test_the_published_vector(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the tests of Sinch's SDKs for .NET and Java; it is of 2021, so the clock is set back."""
    body = (
        b'{"app_id":"","accepted_time":"2021-10-18T17:49:13.813615Z",'
        b'"project_id":"e2df3a34-a71b-4448-9db5-a8d2baad28e4","contact_create_notification":{"contact":'
        b'{"id":"01FJA8B466Y0R2GNXD78MD9SM1","channel_identities":[{"channel":"SMS","identity":"48123456789",'
        b'"app_id":""}],"display_name":"New Test Contact","email":"new.contact@email.com","external_id":"",'
        b'"metadata":"","language":"EN_US"}},"message_metadata":""}'
    )
    headers = {
        "x-sinch-webhook-signature": "6bpJoRmFoXVjfJIVglMoJzYXxnoxRujzR4k2GOXewOE=",
        "x-sinch-webhook-signature-nonce": "01FJA8B4A7BM43YGWSG9GBV067",
        "x-sinch-webhook-signature-timestamp": "1634579353",
        "x-sinch-webhook-signature-algorithm": "HmacSHA256",
    }
    account = sinch.account({**VALUES, "config": {**VALUES["config"], "webhookSecret": "foo_secret1234"}})
    published = CallbackRequest(method="POST", url=BASE, headers=headers, body=body)
    assert not sinch.is_genuine(account, published)
    monkeypatch.setattr(time, "time", lambda: 1634579353.0)
    assert sinch.is_genuine(account, published)
    assert not sinch.is_genuine(ACCOUNT, published)


def test_both_secrets_are_good_during_a_rotation() -> None:
    values = {**VALUES, "config": {**VALUES["config"], "webhookSecret": ["newer", SECRET]}}
    account = sinch.account(values)
    for secret, genuine in (("newer", True), (SECRET, True), ("older", False)):
        assert sinch.is_genuine(account, callback(VALUES, 1, secret)) is genuine


def test_what_the_query_names_is_only_looked_for_among_messages_to_the_signed_number() -> None:
    body = b'{"type":"recipient_delivery_report_sms","batch_id":"B","recipient":"4915","status":"Delivered","code":0}'
    moved = CallbackRequest(method="POST", url=f"{BASE}?ref=somebody-else", headers={}, body=body)
    (receipt,) = sinch.read_callback(ACCOUNT, moved).receipts
    assert (receipt.reference, receipt.address) == ("somebody-else", "+4915")


def test_a_report_about_nobody_is_malformed() -> None:
    for body in (
        b'{"type":"recipient_delivery_report_sms","batch_id":"B","status":"Failed","code":404}',
        b'{"type":"delivery_report_sms","statuses":[{"status":"Delivered","code":0,"recipients":["+"]}]}',
    ):
        with pytest.raises(CallbackMalformed):
            sinch.read_callback(ACCOUNT, CallbackRequest(method="POST", url=BASE, headers={}, body=body))


def test_what_sinch_parses_we_read_alike() -> None:
    report = callback(VALUES, 7)
    (ours,) = sinch.read_callback(ACCOUNT, report).receipts
    theirs = SmsSinchEvent(SECRET).parse_event(report.body)
    assert (ours.provider_message_id, ours.address, ours.at) == (
        theirs.batch_id,
        f"+{theirs.recipient}",
        theirs.at,
    )
    assert ours.at is not None
    assert datetime.now(UTC) - ours.at > timedelta(0)


@given(st.one_of(st.binary(), st.recursive(st.one_of(st.none(), st.integers(), st.text()),
       lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(
           ["type", "recipient", "statuses", "code", "status", "at", "from", "body"]), inner)).map(
               lambda value: json.dumps(value).encode())))  # fmt: skip
def test_odd_bodies_are_malformed_and_never_raise_anything_else(body: bytes) -> None:
    request = CallbackRequest(method="POST", url=BASE, headers={}, body=body)
    with contextlib.suppress(CallbackMalformed):
        sinch.read_callback(ACCOUNT, request)


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        ("STOP", "stop"), ("stop.", "stop"), ("Stop all", "stop"), ("opt-out", "stop"), ("STOP please 🙏", "stop"),
        ("Arrêt", "stop"), ("end", "stop"), ("end of the month?", "other"), ("cancel my order", "other"),
        ("yes", "start"), ("yes please", "other"), ("START", "start"), ("help me", "help"), ("", "other"),
        ("🙏", "other"),
    ],
)  # fmt: skip
def test_what_a_person_means(text: str, intent: str) -> None:
    assert intent_of(text) == intent
