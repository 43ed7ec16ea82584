"""Sinch: many recipients a request, each with a text of their own; judged by Sinch's own SDK."""

from __future__ import annotations

import contextlib
import json
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


def test_everybody_gets_their_own_text() -> None:
    messages = messages_of("Hi Ada ${x}", "Hi Bela", "Hi Chloé")
    body = body_of(messages)
    for message in messages:
        rendered = body["body"].replace("${text}", body["parameters"]["text"][message.address])
        assert rendered == message.text


@given(st.lists(st.tuples(st.integers(0, 9), st.sampled_from([None, 60, 600]), st.integers(0, 3000)), max_size=60))
def test_each_message_is_in_one_group_that_sinch_can_take(drawn: list[tuple[int, int | None, int]]) -> None:
    base = message_of("sinch")
    messages = [
        msgspec.structs.replace(base, address=PhoneNumber(f"+491511234567{digit}"), ttl_seconds=ttl, text="x" * length)
        for digit, ttl, length in drawn
    ]
    groups = sinch.groups(ACCOUNT, messages)
    assert sorted(index for group in groups for index in group) == list(range(len(messages)))
    for group in groups:
        addresses = [messages[index].address for index in group]
        assert len(set(addresses)) == len(addresses)
        assert len({messages[index].ttl_seconds for index in group}) == 1
        assert len(group) == 1 or max(len(messages[index].text) for index in group) <= 1600


def test_a_thousand_go_in_one_request() -> None:
    messages = [message_of("sinch", number) for number in range(1, 2502)]
    assert [len(group) for group in sinch.groups(ACCOUNT, messages)] == [1000, 1000, 501]


def test_a_refused_batch_is_halved_but_not_for_the_accounts_fault() -> None:
    messages = messages_of("a", "b")
    bad = HttpAnswer(400, b'{"code":"syntax_invalid_parameter_format","text":"[to]"}')
    assert set(sinch.batch_outcomes(ACCOUNT, messages, bad)) == {SPLIT}
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
    assert found(other) == Absent()
    assert found(other, count=21) == Unclear("too_many_listed")
    assert isinstance(sinch.finding(ACCOUNT, message, AT, (), HttpAnswer(200, b"[]")), Unclear)
    assert isinstance(sinch.finding(ACCOUNT, message, AT, (), HttpAnswer(503, b"")), Unclear)


def test_the_question_is_about_the_minute_of_the_attempt() -> None:
    request = sinch.question(ACCOUNT, message_of("sinch"), AT)
    assert "start_date=2026-11-01T09%3A29%3A55.000Z" in request.url
    assert "end_date=2026-11-01T09%3A31%3A00.000Z" in request.url


# --- callbacks --------------------------------------------------------------------------------------------------------


@given(st.text(st.characters(codec="utf-8")), st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1))
def test_signatures_are_those_of_sinchs_own_validator(body: str, nonce: str) -> None:
    headers = signed(body, SECRET, nonce)
    request = CallbackRequest(method="POST", url=BASE, headers=headers, body=body.encode())
    assert SmsSinchEvent(SECRET).validate_authentication_header(headers, body)
    assert sinch.is_genuine(ACCOUNT, request)


@pytest.mark.parametrize(("age", "genuine"), [(0, True), (290, True), (310, False), (-290, True), (-310, False)])
def test_a_signature_is_good_for_five_minutes(age: float, genuine: bool) -> None:
    headers = signed("{}", SECRET, "n", age_seconds=age)
    request = CallbackRequest(method="POST", url=BASE, headers=headers, body=b"{}")
    assert sinch.is_genuine(ACCOUNT, request) is genuine


@pytest.mark.parametrize("stamp", ["", "x", "-1", "1e9", "９９", "9" * 5000])
def test_a_strange_timestamp_is_refused(stamp: str) -> None:
    headers = signed("{}", SECRET, "n") | {"x-sinch-webhook-signature-timestamp": stamp}
    assert not sinch.is_genuine(ACCOUNT, CallbackRequest(method="POST", url=BASE, headers=headers, body=b"{}"))


def test_both_secrets_are_good_during_a_rotation() -> None:
    values = {**VALUES, "config": {**VALUES["config"], "webhookSecret": ["newer", SECRET]}}
    account = sinch.account(values)
    for secret, genuine in (("newer", True), (SECRET, True), ("older", False)):
        assert sinch.is_genuine(account, callback(VALUES, 1, secret)) is genuine


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
