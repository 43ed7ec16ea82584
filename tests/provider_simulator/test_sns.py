"""The simulator as AWS SNS, judged by boto3; logs, topics, and what the adapters make of them."""

from __future__ import annotations

import asyncio
import json

import pytest
from botocore.exceptions import ClientError

from services.provider_simulator.sns import CERTIFICATE_PATH
from shared.providers.provider import Accepted, DocumentNeeded
from shared.providers.sns import push, sms
from tests.provider_simulator.conftest import Receiver, Simulated
from tests.provider_simulator.test_simulator import send
from tests.providers.samples import SECRET, values_of
from tests.providers.test_sns import APPLICATION, client_of
from tests.waiting import until

KEY = "AKIDEXAMPLE"


async def test_boto3_sends_texts_and_pushes(simulated: Simulated) -> None:
    def talk() -> tuple[str, str]:
        client = client_of(simulated.url)
        text = client.publish(PhoneNumber="+4915112345678", Message="Grüße & more")
        arn = client.create_platform_endpoint(PlatformApplicationArn=APPLICATION, Token="token 1/x")["EndpointArn"]
        assert client.get_endpoint_attributes(EndpointArn=arn)["Attributes"]["Token"] == "token 1/x"
        content = {"default": "Hi", "GCM": json.dumps({"fcmV1Message": {"message": {"data": {}}}})}
        pushed = client.publish(TargetArn=arn, MessageStructure="json", Message=json.dumps(content))
        assert client.get_sms_attributes()["attributes"] == {}
        return text["MessageId"], pushed["MessageId"]

    ids = await asyncio.to_thread(talk)
    entries = await simulated.log()
    assert tuple(entry["id"] for entry in entries) == ids
    assert [entry["address"] for entry in entries] == ["+4915112345678", "token 1/x"]


async def test_boto3_understands_the_errors(simulated: Simulated) -> None:
    client = client_of(simulated.url)
    for fields, code in (
        ({"PhoneNumber": "nobody", "Message": "x"}, "InvalidParameter"),
        ({"PhoneNumber": "+4915112345678", "Message": "x" * 1601}, "InvalidParameter"),
        ({"TargetArn": "arn:aws:sns:us-east-1:1:endpoint/GCM/shop/%%", "Message": "x"}, "NotFound"),
    ):
        with pytest.raises(ClientError) as caught:
            await asyncio.to_thread(lambda fields=fields: client.publish(**fields))
        assert caught.value.response["Error"]["Code"] == code
    await simulated.set_faults(rates={"throttled": 1})
    with pytest.raises(ClientError, match="Throttled"):
        await asyncio.to_thread(lambda: client.publish(PhoneNumber="+4915112345678", Message="x"))


@pytest.mark.parametrize(("rates", "kind"), [({}, "delivered"), ({"dead_address": 1}, "bounced")])
async def test_logs_arrive_as_firehose_delivers_them(
    simulated: Simulated, receiver: Receiver, rates: dict[str, float], kind: str
) -> None:
    await simulated.set_faults(rates=rates)
    page = f"{simulated.url}/_simulator/log-destinations"
    async with simulated.http.put(page, json={KEY: {"url": receiver.url, "secret": SECRET}}) as answer:
        assert answer.status == 200
    (outcome,) = await send(simulated, "sns_sms", receiver)
    assert isinstance(outcome, Accepted)
    await until(lambda: receiver.callbacks)
    account = sms.account(values_of("sns_sms", simulated.url))
    (callback,) = receiver.callbacks
    assert sms.is_genuine(account, callback)
    (receipt,) = sms.read_callback(account, callback).receipts
    assert (receipt.kind, receipt.provider_message_id) == (kind, outcome.provider_message_id)


async def test_strange_destinations_are_refused(simulated: Simulated) -> None:
    page = f"{simulated.url}/_simulator/log-destinations"
    for body in (b"[]", b'{"a": {"url": 1}}', b'{"a": {"url": "x", "secret": "y", "more": 1}}'):
        async with simulated.http.put(page, data=body) as answer:
            assert answer.status == 400


async def test_dead_endpoints_are_disabled(simulated: Simulated, receiver: Receiver) -> None:
    await simulated.set_faults(rates={"dead_address": 1})
    (outcome,) = await send(simulated, "sns_push", receiver)
    assert getattr(outcome, "code", None) == "EndpointDisabled"


async def test_a_person_can_write_back(simulated: Simulated, receiver: Receiver) -> None:
    await send(simulated, "sns_push", receiver)
    receiver.callbacks.clear()
    body = {
        "provider": "aws_sns",
        "account": KEY,
        "from": "+4915112345678",
        "to": "+1500",
        "body": "STOP",
        "url": f"{receiver.url}/callbacks/aws_sns/1",
    }
    async with simulated.http.post(f"{simulated.url}/_simulator/inbound", json=body) as answer:
        assert (await answer.json())["status"] == 200
    account = push.account(values_of("sns_push", simulated.url))
    callback = next(one for one in receiver.callbacks if "x-amz-sns-message-type" in one.headers)
    with pytest.raises(DocumentNeeded) as needed:
        push.is_genuine(account, callback)
    assert needed.value.url == f"{simulated.url}{CERTIFICATE_PATH}"
    (inbound,) = push.read_callback(account, callback).inbound
    assert (inbound.address, inbound.intent) == ("+4915112345678", "stop")
