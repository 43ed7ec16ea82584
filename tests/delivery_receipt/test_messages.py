"""Receipts that name a message by the vendor's id alone, and callbacks that only a certificate can judge."""

from __future__ import annotations

import base64
import gzip
import json
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest

from contracts.events import MessageReference, MessagesReferenced
from services.delivery_receipt import handlers
from services.provider_simulator.sns import _signing, signed_message
from shared.codec import now
from shared.ids import new_id
from shared.providers.nexmo.signatures import signature, signed_text
from tests.delivery_receipt.conftest import Answer, Scene, post
from tests.providers.fixtures.sinch.genuine import signed
from tests.providers.fixtures.sns_sms.genuine import callback
from tests.providers.recorder import recording
from tests.providers.samples import SECRET, values_of

BASE = "http://127.0.0.1:9"


class Sns:
    """The scene's tenant has an account at AWS SNS."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.values = values_of("sns_sms", BASE)
        self.path = f"/api/notification/callbacks/aws_sns/{scene.account_id}"

    async def open(self) -> None:
        sealed = self.scene.seal.close(self.values)
        await self.scene.hear(self.scene.changed(2, provider_type="aws_sns", sealed=sealed))

    async def log(self, number: int) -> Answer:
        delivery = callback(self.values, number)
        return await post(self.scene.app, self.path, delivery.body, dict(delivery.headers))

    async def know(self, number: int) -> str:
        """The news of a message: its recipient."""
        recipient_id = new_id()
        event = MessagesReferenced(
            event_id=new_id(),
            occurred_at=now(),
            user_id=self.scene.user_id,
            channel="sms",
            provider="aws_sns",
            references=[MessageReference(provider_message_id=f"message-{number}", recipient_id=recipient_id)],
        )
        await handlers.on_messages_referenced(self.scene.database, [event, event])
        return str(recipient_id)

    async def try_again(self) -> int:
        scene = self.scene
        return await handlers.convert_rejected(
            scene.database, scene.accounts, scene.references, scene.settings.public_base_url, None, 100
        )

    async def posted(self, message: dict[str, Any]) -> Answer:
        headers = {"x-amz-sns-message-type": message["Type"], "content-type": "text/plain"}
        return await post(self.scene.app, self.path, json.dumps(message).encode(), headers)


@pytest.fixture
async def sns(scene: Scene) -> Sns:
    made = Sns(scene)
    await made.open()
    return made


async def test_a_message_that_is_known_gets_its_receipt(scene: Scene, sns: Sns) -> None:
    recipient_id = await sns.know(1)
    answer = await sns.log(1)
    assert (answer.status, json.loads(answer.body)) == (200, {"requestId": "request-1", "timestamp": 1})
    assert await scene.receipts() == [(recipient_id, "accepted")]
    (event,) = await scene.published("receipts")
    assert (event["receipts"][0]["costMicros"], event["receipts"][0]["currency"]) == (6450, "USD")


async def test_a_receipt_that_comes_before_its_message_is_placed_later(scene: Scene, sns: Sns) -> None:
    assert (await sns.log(2)).status == 200
    assert await scene.receipts() == []
    assert await scene.rows("SELECT reason FROM rejections") == [("a message that is not known yet",)]
    assert await sns.try_again() == 0, "not at once"
    recipient_id = await sns.know(2)
    await scene.rows("UPDATE rejections SET tried_at = tried_at - interval '2 s', rejected_at = tried_at RETURNING 1")
    assert await sns.try_again() == 1
    assert await scene.receipts() == [(recipient_id, "accepted")]
    assert await sns.try_again() == 0


async def test_waiting_times_double(scene: Scene, sns: Sns) -> None:
    await sns.log(3)
    age = "UPDATE rejections SET rejected_at = now() - interval '%s s', tried_at = now() - interval '%s s' RETURNING 1"
    for since_first, since_last, due in ((10, 2, False), (10, 6, True), (60, 20, False), (4000, 2500, False)):
        await scene.rows(age % (since_first, since_last))
        assert (await sns.try_again() == 1) is due, (since_first, since_last)


async def test_the_message_of_another_tenant_is_not_meant(scene: Scene, sns: Sns) -> None:
    scene.user_id, mine = "somebody else", scene.user_id
    await sns.know(4)
    scene.user_id = mine
    await sns.log(4)
    assert await scene.receipts() == []


async def test_old_messages_are_forgotten(scene: Scene, sns: Sns) -> None:
    await sns.know(5)
    await scene.rows("UPDATE message_references SET made_at = now() - interval '31 days' RETURNING 1")
    await handlers.forget_old(scene.database, scene.accounts, 30, 7)
    assert await scene.rows("SELECT 1 FROM message_references") == []


async def test_a_certificate_is_fetched_once(scene: Scene, sns: Sns) -> None:
    with recording(200, _signing()[1], "application/x-pem-file") as vendor:
        authority = vendor.url.removeprefix("http://")
        for _ in range(3):
            message = signed_message("Notification", sns.values["config"]["topicArns"][0], "Hello", authority)
            assert (await sns.posted(message)).status == 200
            forged = await sns.posted(message | {"Message": "Goodbye"})
            assert forged.status == 403
        assert len(vendor.requests) == 1
    assert len(await scene.rows("SELECT 1 FROM callbacks")) == 3


async def test_without_the_certificate_the_sender_is_told_to_come_again(scene: Scene, sns: Sns) -> None:
    message = signed_message("Notification", sns.values["config"]["topicArns"][0], "Hello", "127.0.0.1:9")
    answer = await sns.posted(message)
    assert (answer.status, answer.headers[b"retry-after"]) == (503, b"1")
    assert await scene.rows("SELECT 1 FROM callbacks") == []


async def test_a_subscription_is_confirmed_before_the_answer(scene: Scene, sns: Sns) -> None:
    topic = sns.values["config"]["topicArns"][0]
    with recording(200, _signing()[1]) as vendor:
        message = signed_message("SubscriptionConfirmation", topic, "x", vendor.url.removeprefix("http://"))
        assert (await sns.posted(message)).status == 200
        assert [request.path for request in vendor.requests][1:] == ["/confirmation"]
        vendor.status = 500
        message = signed_message("SubscriptionConfirmation", topic, "x", vendor.url.removeprefix("http://"))
        assert (await sns.posted(message)).status == 503


async def test_an_address_tells_whom_of_a_batch_a_receipt_is_about(scene: Scene) -> None:
    sealed = scene.seal.close(values_of("sinch", BASE))
    await scene.hear(scene.changed(2, provider_type="sinch", sealed=sealed))
    leader = new_id()
    report = {
        "type": "recipient_delivery_report_sms",
        "batch_id": "01FC",
        "recipient": "4915112345678",
        "status": "Delivered",
        "code": 0,
        "client_reference": scene.references.sign("sms", leader),
    }
    body = json.dumps(report)
    path = f"/api/notification/callbacks/sinch/{scene.account_id}"
    assert (await post(scene.app, path, body.encode(), signed(body, SECRET, "n"))).status == 200
    (event,) = await scene.published("receipts")
    (receipt,) = event["receipts"]
    assert (receipt["recipientId"], receipt["address"], receipt["kind"]) == (str(leader), "+4915112345678", "delivered")


async def test_vonage_may_call_by_get(scene: Scene) -> None:
    values = values_of("nexmo", BASE, "smsApi")
    await scene.hear(scene.changed(2, provider_type="nexmo", sealed=scene.seal.close(values)))
    recipient_id = new_id()
    form = {
        "messageId": "0A00",
        "status": "delivered",
        "client-ref": scene.references.sign("sms", recipient_id),
        "timestamp": str(int(now().timestamp())),
    }
    form["sig"] = signature(signed_text(form.items()), "md5hash", SECRET)
    target = f"/api/notification/callbacks/nexmo/{scene.account_id}?{urlencode(form)}"
    assert (await post(scene.app, target, method="GET")).status == 200
    assert await scene.receipts() == [(str(recipient_id), "delivered")]
    assert (await post(scene.app, target + "1", method="GET")).status == 403
    assert (await post(scene.app, target, method="PUT")).status == 405


@pytest.mark.parametrize("variant", [None, "smsApi"])
async def test_vonage_calls_again_with_a_signature_where_it_had_none(scene: Scene, variant: str | None) -> None:
    """By the vendor's word, after an answer of 5xx; whoever has a wrong signature need not come again."""
    values = values_of("nexmo", BASE, variant)
    await scene.hear(scene.changed(2, provider_type="nexmo", sealed=scene.seal.close(values)))
    path = f"/api/notification/callbacks/nexmo/{scene.account_id}"
    reference = scene.references.sign("sms", new_id())
    status = {"message_uuid": "u", "status": "delivered", "client_ref": reference}
    receipt = {"messageId": "0A00", "status": "delivered", "client-ref": reference}
    unsigned = [
        await post(scene.app, path, json.dumps(status).encode()),
        await post(scene.app, path, urlencode(receipt).encode()),
        await post(scene.app, f"{path}?{urlencode(receipt)}", method="GET"),
    ]
    assert [(one.status, one.headers.get(b"retry-after")) for one in unsigned] == [(503, b"1")] * 3
    wrong = [
        await post(scene.app, path, json.dumps(status).encode(), {"authorization": "Bearer a.b.c"}),
        await post(scene.app, path, urlencode(receipt | {"sig": ""}).encode()),
        await post(scene.app, f"{path}?{urlencode(receipt | {'sig': '0' * 32})}", method="GET"),
    ]
    assert [one.status for one in wrong] == [403] * 3
    assert await scene.rows("SELECT 1 FROM callbacks") == []


async def test_nobody_without_a_signature_comes_again_where_none_can_be_expected(scene: Scene) -> None:
    values = values_of("nexmo", BASE)
    values["config"] = {**values["config"], "signatureSecret": ""}
    await scene.hear(scene.changed(2, provider_type="nexmo", sealed=scene.seal.close(values)))
    path = f"/api/notification/callbacks/nexmo/{scene.account_id}"
    assert (await post(scene.app, path, b'{"message_uuid":"u","status":"delivered"}')).status == 403
    await scene.hear(scene.changed(3))
    assert (await post(scene.app, scene.path, b"MessageSid=SM1&MessageStatus=delivered")).status == 403


async def test_an_impossible_time_is_replaced_by_ours(scene: Scene, sns: Sns) -> None:
    await sns.know(6)
    delivery = callback(sns.values, 6)
    record = json.loads(gzip.decompress(base64.b64decode(json.loads(delivery.body)["records"][0]["data"])))
    for stamp in ("0001-01-01 00:00:00", "9999-12-31 23:59:59", "never"):
        message = json.loads(record["logEvents"][0]["message"])
        message["notification"]["timestamp"] = stamp
        body = {**record, "logEvents": [{"message": json.dumps(message)}]}
        assert (await post(scene.app, sns.path, json.dumps(body).encode(), dict(delivery.headers))).status == 200
    receipts = [receipt for event in await scene.published("receipts") for receipt in event["receipts"]]
    assert len(receipts) == 3
    assert all(abs(datetime.fromisoformat(receipt["at"]) - now()) < timedelta(minutes=1) for receipt in receipts)
