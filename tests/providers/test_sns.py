"""AWS SNS on both channels: signatures by botocore, requests by boto3, answers by moto, messages as SNS signs them."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import parse_qs, parse_qsl

import boto3
import botocore.session
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
from shared.providers.provider import (
    Accepted,
    Deferred,
    HttpAnswer,
    Message,
    Outcome,
    Provider,
    Refused,
    Unknown,
    boottime,
)
from shared.providers.registry import open_provider, validate_account
from shared.providers.sns import push, sms
from shared.providers.wire import Wire
from tests.providers.recorder import recording
from tests.providers.samples import message_of, sample_of, values_of

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
    st.sampled_from([BASE, "https://sns.us-east-1.amazonaws.com", "http://[::1]:8080", "https://SNS.example:443"]),
    st.sampled_from(["", "/", "/aws", "/aws/", "/a//b", "/a/./b/../c/", "/a%20b/ü~", "/../x", "/~b.c//d%20e/"]),
)
def test_requests_are_signed_as_botocore_signs(text: str, token: str, region: str, base: str, path: str) -> None:
    config = {**VALUES["config"], "region": region, "sessionToken": token, "baseUrl": base + path}
    values = {**VALUES, "config": config}
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


@pytest.mark.parametrize(("urgent", "price"), [(True, "0.05000"), (False, 0.05)])
def test_a_text_as_boto3_sends_it(urgent: bool, price: str | float) -> None:
    values = {**VALUES, "senderId": "SHOP", "config": {**VALUES["config"], "maxPrice": price, "entityId": "E1"}}
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
                "AWS.SNS.SMS.MaxPrice": {"DataType": "Number", "StringValue": "0.05000"},
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
    assert named == {
        "AWS.SNS.MOBILE.APNS.PUSH_TYPE": "alert",
        "AWS.SNS.MOBILE.APNS.PRIORITY": "5",
        "AWS.SNS.MOBILE.APNS.COLLAPSE_ID": "collapse-1",
        f"AWS.SNS.MOBILE.{platform}.TTL": "600",
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


@pytest.mark.parametrize("field", ["senderId", "phoneNumber"])
@pytest.mark.parametrize("given", ["my shop", "12345678901234567890", "--"])
def test_unusable_senders_are_refused(field: str, given: str) -> None:
    problems = validate_account("sms", "aws_sns", VALUES | {field: given}, frozenset({"127.0.0.1"}))
    assert [problem.field for problem in problems] == [field]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"region": "moon-1", "baseUrl": ""}, "config.region"),
        ({"region": "a\r\nb"}, "config.region"),
        ({"topicArns": "arn"}, "config.topicArns"),
        ({"topicArns": ["arn"]}, "config.topicArns"),
        ({"platformApplicationArn": "shop"}, "config.platformApplicationArn"),
        ({"maxPrice": "much"}, "config.maxPrice"),
        ({"maxPrice": True}, "config.maxPrice"),
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
        again = await sent_by(provider, *messages)
    assert {type(outcome) for outcome in again} == {Accepted}, "who is sent to again has registered anew"
    assert len(client.list_endpoints_by_platform_application(**arn)["Endpoints"]) == 5


async def test_an_endpoint_that_is_gone_is_made_again(moto: str) -> None:
    client = client_of(moto)
    made = client.create_platform_application(Name="again", Platform="APNS", Attributes={})
    values = values_of("sns_push", moto)
    values["config"] |= {"platformApplicationArn": made["PlatformApplicationArn"]}
    message = message_of("sns_push")
    async with provider_at("push", values) as provider:
        await sent_by(provider, message)
        arn = client.list_endpoints_by_platform_application(PlatformApplicationArn=made["PlatformApplicationArn"])[
            "Endpoints"
        ][0]["EndpointArn"]
        client.set_endpoint_attributes(EndpointArn=arn, Attributes={"Enabled": "false"})
        assert await sent_by(provider, message) == [Refused("recipient_permanent", "EndpointDisabled")]
        client.delete_endpoint(EndpointArn=arn)
        (deferred,) = await sent_by(provider, message)
        assert isinstance(deferred, Deferred)
        (accepted,) = await sent_by(provider, message)
    assert isinstance(accepted, Accepted)


@pytest.mark.parametrize("operation", ["Publish", "CreatePlatformEndpoint", "SetEndpointAttributes"])
def test_every_error_of_the_service_model_has_a_class(operation: str) -> None:
    model = botocore.session.get_session().get_service_model("sns").operation_model(operation)
    account, message = push.account(values_of("sns_push", BASE)), message_of("sns_push")
    for shape in model.error_shapes:
        stated = shape.metadata["error"]
        body = f"<Error><Code>{stated['code']}</Code><Message>x</Message></Error>".encode()
        outcome = push.outcome(account, message, HttpAnswer(stated["httpStatusCode"], body))
        assert isinstance(outcome, Refused | Deferred | Unknown)
        assert getattr(outcome, "error_class", None) != "unknown", stated["code"]


async def test_a_wrong_application_is_a_matter_of_configuration(moto: str) -> None:
    values = values_of("sns_push", moto)
    values["config"]["platformApplicationArn"] = "arn:aws:sns:us-east-1:123456789012:app/GCM/nobodys"
    async with provider_at("push", values) as provider:
        (outcome,) = await sent_by(provider, message_of("sns_push"))
    assert isinstance(outcome, Refused)
    assert outcome.error_class == "config"
