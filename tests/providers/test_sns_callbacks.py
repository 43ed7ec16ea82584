"""What reaches us from AWS SNS: messages of topics as SNS signs them, and delivery logs."""

from __future__ import annotations

import base64
import contextlib
import gzip
import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.provider_simulator.sns import CERTIFICATE_PATH, _signing, signed_message
from shared.providers.provider import (
    CallbackMalformed,
    CallbackRequest,
    DocumentNeeded,
)
from shared.providers.sns import logs, sms
from tests.providers.fixtures.sns_sms.genuine import callback
from tests.providers.samples import SECRET, values_of

BASE = "http://127.0.0.1:9"
VALUES = values_of("sns_sms", BASE)
ACCOUNT = sms.account(VALUES)
TOPIC = VALUES["config"]["topicArns"][0]
APPLICATION = "arn:aws:sns:us-east-1:123456789012:app/GCM/shop"


# --- messages of topics -----------------------------------------------------------------------------------------------

AUTHORITY = "127.0.0.1:9"
DOCUMENTS = {f"http://{AUTHORITY}{CERTIFICATE_PATH}": _signing()[1]}


def posted(message: dict[str, Any], documents: dict[str, bytes] | None = None) -> CallbackRequest:
    return CallbackRequest(
        method="POST",
        url=BASE,
        headers={"x-amz-sns-message-type": message["Type"]},
        body=json.dumps(message).encode(),
        documents=DOCUMENTS if documents is None else documents,
    )


@given(st.text(st.characters(codec="utf-8")), st.sampled_from(["1", "2"]))
def test_both_versions_of_the_signature_are_verified(text: str, version: str) -> None:
    message = signed_message("Notification", TOPIC, text, AUTHORITY, version)
    assert sms.is_genuine(ACCOUNT, posted(message))
    for name in ("Message", "MessageId", "Timestamp", "TopicArn"):
        assert not sms.is_genuine(ACCOUNT, posted({**message, name: message[name] + "1"}))
    assert not sms.is_genuine(ACCOUNT, posted({**message, "Subject": "added"}))


def test_a_certificate_that_is_not_known_is_asked_for() -> None:
    message = signed_message("Notification", TOPIC, "x", AUTHORITY)
    with pytest.raises(DocumentNeeded) as needed:
        sms.is_genuine(ACCOUNT, posted(message, {}))
    assert needed.value.url == message["SigningCertURL"]
    assert not sms.is_genuine(ACCOUNT, posted(message, {needed.value.url: b"no certificate"}))


@pytest.mark.parametrize(
    "url",
    [
        "https://sns.us-east-1.amazonaws.com.evil.example/x.pem", "https://evil.example/x.pem",
        "https://sns.us-east-1.amazonaws.com@evil.example/x.pem", "https://snsxus-east-1.amazonaws.com/x.pem",
        "http://sns.us-east-1.amazonaws.com/x.pem", "https://sns.us-east-1.amazonaws.com/x.txt", "file:///etc/passwd",
        "https://s3.amazonaws.com/x.pem", "", "https://[", "https://sns.us-east-1.amazonaws.com/x.pem?n=1",
        "https://sns.us-east-1.amazonaws.com/x.pem#n", "https://n@sns.us-east-1.amazonaws.com/x.pem",
        "https://sns.s3-us-west-2.amazonaws.com/x.pem", "https://sns.us-east-1.amazonaws.com:8443/x.pem",
    ],
)  # fmt: skip
def test_no_certificate_is_fetched_from_anybody_else(url: str) -> None:
    message = signed_message("Notification", TOPIC, "x", AUTHORITY) | {"SigningCertURL": url}
    assert not sms.is_genuine(ACCOUNT, posted(message, {}))


def test_the_hosts_of_amazon_are_believed() -> None:
    for host in ("sns.us-east-1.amazonaws.com", "sns.cn-north-1.amazonaws.com.cn"):
        message = signed_message("Notification", TOPIC, "x", AUTHORITY) | {"SigningCertURL": f"https://{host}/x.pem"}
        with pytest.raises(DocumentNeeded):
            sms.is_genuine(ACCOUNT, posted(message, {}))


def test_other_topics_and_old_messages_are_refused() -> None:
    other = signed_message("Notification", TOPIC + "2", "x", AUTHORITY)
    assert not sms.is_genuine(ACCOUNT, posted(other))
    message = signed_message("Notification", TOPIC, "x", AUTHORITY)
    message["Timestamp"] = (datetime.now(UTC) - timedelta(hours=2)).isoformat()
    assert not sms.is_genuine(ACCOUNT, posted(message))
    assert not sms.is_genuine(ACCOUNT, posted({**message, "SignatureVersion": "3"}))
    assert not sms.is_genuine(ACCOUNT, posted({"Type": "Notification"}))


def test_a_subscription_is_confirmed_only_at_amazon() -> None:
    message = signed_message("SubscriptionConfirmation", TOPIC, "x", AUTHORITY)
    assert sms.is_genuine(ACCOUNT, posted(message))
    assert sms.read_callback(ACCOUNT, posted(message)).visit == message["SubscribeURL"]
    with pytest.raises(CallbackMalformed):
        sms.read_callback(ACCOUNT, posted({**message, "SubscribeURL": "https://evil.example/"}))


# --- logs -------------------------------------------------------------------------------------------------------------


def test_firehose_gets_the_answer_that_it_wants() -> None:
    delivery = callback(VALUES, 7)
    assert sms.is_genuine(ACCOUNT, delivery)
    reply = sms.read_callback(ACCOUNT, delivery).reply
    assert reply is not None
    assert json.loads(reply.body) == {"requestId": "request-7", "timestamp": 7}


def test_a_function_may_forward_with_the_secret_as_bearer() -> None:
    for secret, genuine in ((SECRET, True), ("guess", False), ("", False)):
        headers = {"authorization": f"Bearer {secret}"}
        request = CallbackRequest(method="POST", url=BASE, headers=headers, body=b"{}")
        assert sms.is_genuine(ACCOUNT, request) is genuine
    assert not sms.is_genuine(ACCOUNT, CallbackRequest(method="POST", url=BASE, headers={}, body=b"{}"))


def test_many_small_records_do_not_unpack_to_gigabytes() -> None:
    nothing = json.dumps({"messageType": "DATA_MESSAGE", "logEvents": [], "space": " " * 1_000_000}).encode()
    records = [{"data": base64.b64encode(gzip.compress(nothing)).decode()}]
    few, many = (json.dumps({"requestId": "r", "timestamp": 1, "records": records * n}).encode() for n in (5, 50))
    assert logs.read_delivery(gzip.compress(few)).receipts == ()
    with pytest.raises(CallbackMalformed):
        logs.read_delivery(gzip.compress(many))


def test_nothing_unpacks_without_end() -> None:
    bomb = gzip.compress(b"\0" * 50_000_000)
    for body in (bomb, json.dumps({"awslogs": {"data": base64.b64encode(bomb).decode()}}).encode(), bomb[:1000]):
        began = time.monotonic()
        with pytest.raises(CallbackMalformed):
            logs.read_delivery(body)
        assert time.monotonic() - began < 1.0


@given(
    st.one_of(
        st.binary(),
        st.recursive(
            st.one_of(st.none(), st.integers(), st.floats(), st.text()),
            lambda inner: (
                st.lists(inner)
                | st.dictionaries(
                    st.sampled_from(["messageType", "logEvents", "message", "requestId", "records", "data", "awslogs"]),
                    inner,
                )
            ),
        ).map(lambda value: json.dumps(value).encode()),
    )
)
def test_odd_deliveries_never_raise_anything_else(body: bytes) -> None:
    with contextlib.suppress(CallbackMalformed):
        logs.read_delivery(body)
    logs.read_records([body])
