"""OneSignal: one request for all with the same content, judged by OneSignal's own client."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Any

import msgspec
import onesignal as sdk
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onesignal.api import default_api
from onesignal.model.language_string_map import LanguageStringMap
from onesignal.model.notification import Notification

from contracts.masked import DeviceToken
from shared.providers import onesignal
from shared.providers.http_provider import SPLIT
from shared.providers.provider import (
    Accepted,
    CallbackMalformed,
    CallbackRequest,
    HttpAnswer,
    Message,
    Refused,
    Unknown,
    boottime,
)
from shared.providers.registry import open_provider
from shared.providers.wire import open_wire
from tests.providers.fixtures.onesignal.genuine import callback
from tests.providers.recorder import recording
from tests.providers.samples import SECRET, message_of, values_of
from tests.providers.servers import saying, server

BASE = "http://127.0.0.1:9"
VALUES = values_of("onesignal", BASE)
ACCOUNT = onesignal.account(VALUES)


def test_a_message_as_onesignals_own_client_sends_it() -> None:
    base = msgspec.structs.replace(
        message_of("onesignal"), image_url="https://x/y.png", action_url="https://x/sale", data={"kind": "sale"}
    )
    messages = [base, msgspec.structs.replace(message_of("onesignal", 2), address=DeviceToken("second"))]
    request = onesignal.batch_request(ACCOUNT, messages)
    ours = json.loads(request.body)
    with recording(200, b'{"id":"n1"}') as recorder:
        configuration = sdk.Configuration(host=recorder.url, rest_api_key=SECRET)
        with sdk.ApiClient(configuration) as client:
            notification = Notification(
                app_id=ours["app_id"],
                target_channel="push",
                include_subscription_ids=[str(message.address) for message in messages],
                contents=LanguageStringMap(en=base.text),
                headings=LanguageStringMap(en="News"),
                big_picture="https://x/y.png",
                chrome_web_image="https://x/y.png",
                ios_attachments={"image": "https://x/y.png"},
                url="https://x/sale",
                data={"kind": "sale", "actionUrl": "https://x/sale"},
                ttl=600,
                priority=5,
                collapse_id="collapse-1",
                idempotency_key=ours["idempotency_key"],
            )
            default_api.DefaultApi(client).create_notification(notification)
    (theirs,) = recorder.requests
    assert request.url.partition("?")[0] == BASE + theirs.path
    assert ours == theirs.json
    assert f"Authorization: {theirs.headers['authorization']}" in request.headers


def key_of(messages: list[Message]) -> str:
    key: str = json.loads(onesignal.batch_request(ACCOUNT, messages).body)["idempotency_key"]
    return key


def test_the_key_is_that_of_the_group_whatever_its_order() -> None:
    one, two, three = (message_of("onesignal", number) for number in (1, 2, 3))
    assert key_of([one, two]) == key_of([two, one])
    assert len({key_of([one, two]), key_of([one]), key_of([one, two, three])}) == 3


contents = st.tuples(st.sampled_from(["a", "b"]), st.sampled_from([None, "t"]), st.sampled_from([None, {"k": "v"}]))


@given(st.lists(st.tuples(st.integers(0, 9), contents), max_size=50))
def test_groups_have_one_content_and_no_subscription_twice(drawn: list[tuple[int, tuple[Any, ...]]]) -> None:
    base = message_of("onesignal")
    messages = [
        msgspec.structs.replace(base, address=DeviceToken(f"s{n}"), text=text, title=title, data=data)
        for n, (text, title, data) in drawn
    ]
    groups = onesignal.groups(ACCOUNT, messages)
    assert sorted(index for group in groups for index in group) == list(range(len(messages)))
    for group in groups:
        assert len({messages[index].address for index in group}) == len(group)
        assert len({onesignal._content_of(messages[index]) for index in group}) == 1


def test_a_malformed_subscription_is_isolated() -> None:
    messages = [message_of("onesignal", number) for number in (1, 2)]
    answer = HttpAnswer(400, b'{"errors":["include_subscription_ids must be valid UUIDs"]}')
    assert set(onesignal.batch_outcomes(ACCOUNT, messages, answer)) == {SPLIT}


def test_each_gets_the_outcome_that_the_lists_say() -> None:
    messages = [message_of("onesignal", number) for number in (1, 2, 3)]
    dead = str(messages[1].address)
    answer = HttpAnswer(200, json.dumps({"id": "n", "errors": {"invalid_player_ids": [dead, 5]}}).encode())
    first, second, third = onesignal.batch_outcomes(ACCOUNT, messages, answer)
    assert (first, third) == (Accepted("n"), Accepted("n"))
    assert second == Refused("recipient_permanent", "invalid_player_ids")


@pytest.mark.parametrize("status", [403, 429])
async def test_what_may_have_been_taken_is_unknown_whatever_is_said_of_its_repetition(status: int) -> None:
    async def behave(writer: asyncio.StreamWriter, number: int) -> bool:
        return number > 0 and await saying(b"HTTP/1.1 %d No\r\ncontent-length: 2\r\n\r\n{}" % status)(writer, number)

    async with server(behave) as heard, open_wire(allowed_hosts=frozenset({"127.0.0.1"}), timeout_seconds=5) as wire:
        provider = open_provider("push", "onesignal", values_of("onesignal", heard.url), wire)
        (outcome,) = await provider.send([message_of("onesignal")], boottime() + 30)
    assert isinstance(outcome, Unknown)
    assert len(heard.requests) == 4


shapes = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text()),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.sampled_from(["id", "errors", "invalid_player_ids", "x"]), inner)
    ),
)


@given(st.one_of(st.binary(), shapes.map(lambda value: json.dumps(value).encode())), st.integers(200, 599))
def test_odd_answers_and_events_never_raise(body: bytes, status: int) -> None:
    messages = [message_of("onesignal", number) for number in (1, 2)]
    assert len(onesignal.batch_outcomes(ACCOUNT, messages, HttpAnswer(status, body))) == 2
    with contextlib.suppress(CallbackMalformed):
        onesignal.read_callback(ACCOUNT, CallbackRequest(method="POST", url=BASE, headers={}, body=body))


def test_the_secret_may_come_by_either_header_and_be_rotated() -> None:
    both = onesignal.account(VALUES | {"config": VALUES["config"] | {"webhookSecret": ["newer", SECRET]}})
    for secret, genuine in (("newer", True), (SECRET, True), ("older", False)):
        assert onesignal.is_genuine(both, callback(VALUES, 1, secret)) is genuine
        by_header = CallbackRequest(method="POST", url=BASE, headers={"x-webhook-secret": secret}, body=b"{}")
        assert onesignal.is_genuine(both, by_header) is genuine
    none = onesignal.account(VALUES | {"config": VALUES["config"] | {"webhookSecret": ""}})
    assert not onesignal.is_genuine(none, CallbackRequest(method="POST", url=BASE, headers={}, body=b"{}"))


@pytest.mark.parametrize("app_id", ["", "not-a-uuid"])
def test_the_app_is_named_by_its_uuid(app_id: str) -> None:
    problems = onesignal.problems(VALUES | {"config": VALUES["config"] | {"appId": app_id}})
    assert [problem.field for problem in problems] == ["config.appId"]
