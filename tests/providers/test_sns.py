"""AWS SNS on both channels: signatures by botocore, requests by boto3, answers by moto, messages as SNS signs them."""

from __future__ import annotations

import base64
import contextlib
import gzip
import json
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, parse_qsl

import boto3
import msgspec
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st
from moto.server import ThreadedMotoServer

from contracts.masked import DeviceToken, PhoneNumber
from services.provider_simulator.sns import CERTIFICATE_PATH, _signing, signed_message
from shared.providers.provider import (
    Accepted,
    CallbackMalformed,
    CallbackRequest,
    DocumentNeeded,
    HttpAnswer,
    Message,
    Outcome,
    Provider,
    Refused,
    boottime,
)
from shared.providers.registry import open_provider, validate_account
from shared.providers.sns import logs, push, sms
from shared.providers.wire import Wire
from tests.providers.fixtures.sns_sms.genuine import callback
from tests.providers.recorder import recording
from tests.providers.samples import SECRET, message_of, sample_of, values_of

BASE = "http://127.0.0.1:9"
VALUES = values_of("sns_sms", BASE)
ACCOUNT = sms.account(VALUES)
TOPIC = VALUES["config"]["topicArns"][0]
APPLICATION = "arn:aws:sns:us-east-1:123456789012:app/GCM/shop"


def client_of(url: str) -> Any:
    return boto3.client(
        "sns",
        region_name="us-east-1",
        endpoint_url=url,
        aws_access_key_id=VALUES["apiKey"],
        aws_secret_access_key=VALUES["apiSecret"],
        config=Config(retries={"total_max_attempts": 1}),
    )


# --- requests ---------------------------------------------------------------------------------------------------------


@given(
    st.text(st.characters(codec="utf-8"), max_size=200),
    st.sampled_from(["", "session-token"]),
    st.sampled_from(["us-east-1", "cn-north-1"]),
    st.sampled_from(
        [BASE, "https://sns.us-east-1.amazonaws.com", "http://[::1]:8080", f"{BASE}/a/~b.c//with%20space/"]
    ),
)
def test_requests_are_signed_as_botocore_signs(text: str, token: str, region: str, base: str) -> None:
    values = {**VALUES, "config": {**VALUES["config"], "region": region, "sessionToken": token, "baseUrl": base}}
    request = sms.account(values).request("Publish", ("Message", text))
    ours = dict(line.split(": ", 1) for line in request.headers)
    theirs = AWSRequest(
        method="POST", url=request.url, data=request.body, headers={"content-type": ours["content-type"]}
    )
    theirs.context["timestamp"] = ours["x-amz-date"]
    credentials = Credentials(VALUES["apiKey"], VALUES["apiSecret"], token or None)
    signer = _At(credentials, "sns", region, ours["x-amz-date"])
    signer.add_auth(theirs)
    assert ours["authorization"] == theirs.headers["Authorization"]


class _At(SigV4Auth):  # type: ignore[misc]
    """Signs as of a given moment."""

    def __init__(self, credentials: Credentials, service: str, region: str, stamp: str) -> None:
        super().__init__(credentials, service, region)
        self._stamp = stamp

    def _modify_request_before_signing(self, request: AWSRequest) -> None:
        request.context["timestamp"] = self._stamp
        super()._modify_request_before_signing(request)


@pytest.mark.parametrize("urgent", [True, False])
def test_a_text_as_boto3_sends_it(urgent: bool) -> None:
    values = {**VALUES, "senderId": "SHOP", "config": {**VALUES["config"], "maxPrice": "0.05", "entityId": "E1"}}
    message = msgspec.structs.replace(message_of("sns_sms"), urgent=urgent)
    request = sms.request(sms.account(values), message)
    with recording(200, sample_of("sns_sms")["accepted"]["body"].encode(), "text/xml") as recorder:
        client_of(recorder.url).publish(
            PhoneNumber=str(message.address),
            Message=message.text,
            MessageAttributes={
                "AWS.SNS.SMS.SMSType": _text("Transactional" if urgent else "Promotional"),
                "AWS.SNS.SMS.SenderID": _text("SHOP"),
                "AWS.MM.SMS.OriginationNumber": _text("+15005550006"),
                "AWS.SNS.SMS.MaxPrice": {"DataType": "Number", "StringValue": "0.05"},
                "AWS.MM.SMS.EntityId": _text("E1"),
            },
        )
    (theirs,) = recorder.requests
    assert dict(parse_qsl(request.body.decode())) == dict(parse_qsl(theirs.body.decode()))


def _text(value: str) -> dict[str, str]:
    return {"DataType": "String", "StringValue": value}


@pytest.mark.parametrize("platform", ["GCM", "APNS", "APNS_SANDBOX"])
def test_a_push_as_its_platform_wants_it(platform: str) -> None:
    values = values_of("sns_push", BASE)
    account = push.account(values)
    arn = f"arn:aws:sns:us-east-1:123456789012:endpoint/{platform}/shop/5e3e9847"
    message = msgspec.structs.replace(
        message_of("sns_push"), address=DeviceToken(arn), image_url="https://x/y.png", data={"kind": "sale"}
    )
    assert push.preparation(account, message) is None
    form = {name: value for name, (value,) in parse_qs(push.request(account, message).body.decode()).items()}
    body = json.loads(form["Message"])
    assert (form["TargetArn"], set(body)) == (arn, {"default", platform})
    content = json.loads(body[platform])
    if platform == "GCM":
        content = content["fcmV1Message"]["message"]
        assert content["notification"] == {"title": "News", "body": message.text, "image": "https://x/y.png"}
        assert content["data"] == {"kind": "sale", "reportUrl": message.report_url}
        assert content["android"] == {"priority": "NORMAL", "ttl": "600s", "notification": {"tag": "collapse-1"}}
        return
    assert content["aps"]["alert"] == {"title": "News", "body": message.text}
    assert (content["kind"], content["imageUrl"], content["reportUrl"]) == (
        "sale", "https://x/y.png", message.report_url,
    )  # fmt: skip
    named = {form[f"MessageAttributes.entry.{n}.Name"]: form[f"MessageAttributes.entry.{n}.Value.StringValue"]
             for n in range(1, 5)}  # fmt: skip
    prefix = f"AWS.SNS.MOBILE.{platform}"
    assert named == {
        f"{prefix}.PUSH_TYPE": "alert",
        f"{prefix}.PRIORITY": "5",
        f"{prefix}.COLLAPSE_ID": "collapse-1",
        f"{prefix}.TTL": "600",
    }


def test_an_endpoint_that_exists_with_other_data_is_taken_from_the_refusal() -> None:
    account, message = push.account(values_of("sns_push", BASE)), message_of("sns_push")
    arn = "arn:aws:sns:us-east-1:123456789012:endpoint/GCM/shop/5e3e9847-3183-3f18-a7e8-671c3a57d4b3"
    text = f"Invalid parameter: Token Reason: Endpoint {arn} already exists with the same Token, but different"
    body = f"<Error><Code>InvalidParameter</Code><Message>{text}</Message></Error>".encode()
    assert push.preparation(account, message) is not None
    assert push.prepared(account, message, HttpAnswer(400, body)) is None
    assert push.preparation(account, message) is None
    gone = HttpAnswer(400, b"<Error><Code>EndpointDisabled</Code><Message>x</Message></Error>")
    assert push.outcome(account, message, gone) == Refused("recipient_permanent", "EndpointDisabled")
    assert push.preparation(account, message) is not None, "it may have been made again"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"region": "moon-1", "baseUrl": ""}, "config.region"),
        ({"region": "a\r\nb"}, "config.region"),
        ({"topicArns": "arn"}, "config.topicArns"),
        ({"topicArns": ["arn"]}, "config.topicArns"),
        ({"platformApplicationArn": "shop"}, "config.platformApplicationArn"),
    ],
)
def test_unusable_accounts_are_refused_by_field(change: dict[str, Any], field: str) -> None:
    values = {**VALUES, "config": {**VALUES["config"], **change}}
    assert [p.field for p in validate_account("sms", "aws_sns", values, frozenset({"127.0.0.1"}))] == [field]


@given(st.binary(), st.integers(200, 599))
def test_odd_answers_never_raise(body: bytes, status: int) -> None:
    for vendor, kind in ((sms, "sns_sms"), (push, "sns_push")):
        account = vendor.account(values_of(kind, BASE))
        assert not isinstance(vendor.outcome(account, message_of(kind), HttpAnswer(status, body)), Accepted)


# --- moto, an SNS that nobody here wrote ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@contextlib.asynccontextmanager
async def provider_at(channel: str, values: dict[str, Any]) -> AsyncIterator[Provider]:
    wire = Wire(allowed_hosts=frozenset({"127.0.0.1"}), timeout_seconds=10)
    try:
        yield open_provider(channel, "aws_sns", values, wire)
    finally:
        await wire.close()


async def sent_by(provider: Provider, *messages: Message) -> list[Outcome]:
    return await provider.send(messages, boottime() + 30)


async def test_texts_by_moto(moto: str) -> None:
    base = message_of("sns_sms")
    async with provider_at("sms", values_of("sns_sms", moto)) as provider:
        assert (await provider.verify()).works
        good, long, foreign = await sent_by(
            provider,
            base,
            msgspec.structs.replace(base, text="x" * 1601),
            msgspec.structs.replace(base, address=PhoneNumber("nobody")),
        )
    assert isinstance(good, Accepted)
    assert long == Refused("content", "InvalidParameter")
    assert foreign == Refused("recipient_permanent", "InvalidParameter")


async def test_pushes_by_moto(moto: str) -> None:
    client = client_of(moto)
    made = client.create_platform_application(Name="shop", Platform="GCM", Attributes={})
    values = values_of("sns_push", moto)
    arn = {"PlatformApplicationArn": made["PlatformApplicationArn"]}
    values["config"] |= {"platformApplicationArn": made["PlatformApplicationArn"]}
    messages = [message_of("sns_push", number) for number in range(1, 6)]
    async with provider_at("push", values) as provider:
        assert (await provider.verify()).works
        assert {type(outcome) for outcome in await sent_by(provider, *messages)} == {Accepted}
        endpoints = client.list_endpoints_by_platform_application(**arn)["Endpoints"]
        assert len(endpoints) == 5
        client.set_endpoint_attributes(EndpointArn=endpoints[0]["EndpointArn"], Attributes={"Enabled": "false"})
        outcomes = await sent_by(provider, *messages)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Accepted"] * 4 + ["Refused"]
    assert Refused("recipient_permanent", "EndpointDisabled") in outcomes


async def test_a_wrong_application_is_a_matter_of_configuration(moto: str) -> None:
    values = values_of("sns_push", moto)
    values["config"]["platformApplicationArn"] = "arn:aws:sns:us-east-1:123456789012:app/GCM/nobodys"
    async with provider_at("push", values) as provider:
        (outcome,) = await sent_by(provider, message_of("sns_push"))
    assert isinstance(outcome, Refused)
    assert outcome.error_class == "config"


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
        "https://s3.amazonaws.com/x.pem", "", "https://[",
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
