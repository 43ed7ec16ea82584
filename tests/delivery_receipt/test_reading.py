"""What callbacks state, and what happens to those that cannot be read."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from services.delivery_receipt import handlers
from shared.codec import now
from shared.ids import new_id
from shared.providers import twilio
from shared.providers.provider import CallbackContents, CallbackMalformed, VendorReceipt
from tests.delivery_receipt.conftest import Scene, post


async def test_a_text_message_is_stored_once_and_published(scene: Scene) -> None:
    target, body = scene.inbound("Stop")
    for _ in range(2):
        assert (await scene.deliver(target, body)).status == 200
    (event,) = await scene.published("inbound-messages")
    assert (event["intent"], event["userId"], event["address"]) == ("stop", "tenant", "+4917012345678")
    rows = await scene.rows("SELECT text, intent, recipient FROM inbound_messages")
    assert rows == [("Stop", "stop", "+15005550006")]


@pytest.mark.parametrize(
    ("text", "intent"), [("UNSUBSCRIBE", "stop"), ("start", "start"), ("Help!", "help"), ("see you", "other")]
)
async def test_a_text_message_has_an_intent(scene: Scene, text: str, intent: str) -> None:
    await scene.deliver(*scene.inbound(text))
    assert [event["intent"] for event in await scene.published("inbound-messages")] == [intent]


async def test_strange_text_messages_are_kept(scene: Scene) -> None:
    texts = ["nul \0 in it", "x" * 40_000, "😀" * 100, ""]
    answers = await asyncio.gather(*(scene.deliver(*scene.inbound(text, OptOutType="WHAT")) for text in texts))
    assert {answer.status for answer in answers} == {200}
    events = await scene.published("inbound-messages")
    assert {event["intent"] for event in events} == {"other"}
    assert max(len(event["text"]) for event in events) == 10_000


@pytest.mark.parametrize("kind", ["delivered", "opened", "clicked"])
async def test_an_app_reports_without_a_signature_by_its_token(scene: Scene, kind: str) -> None:
    recipient_id = new_id()
    token = scene.references.sign("push", recipient_id)
    answer = await post(scene.app, f"/api/notification/t/{token}/{kind}", b'{"ignored": true}')
    assert (answer.status, answer.body) == (204, b"")
    (event,) = await scene.published("receipts")
    assert (event["channel"], event["provider"]) == ("push", "app")
    assert await scene.receipts() == [(str(recipient_id), kind)]


async def test_a_token_that_we_did_not_sign_is_not_found(scene: Scene) -> None:
    good = scene.references.sign("push", new_id())
    other = "A" if good[-2] != "A" else "B"
    for token, kind in ((good[:-2] + other + good[-1], "opened"), ("x" * 36, "opened"), ("", "opened"), (good, "sent")):
        assert (await post(scene.app, f"/api/notification/t/{token}/{kind}")).problem["status"] == 404
    assert (await post(scene.app, f"/api/notification/t/{good}/opened", method="GET")).status == 405
    assert await scene.rows("SELECT 1 FROM callbacks") == []


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("", "no reference"),
        ("?ref=not-ours-not-ours-not-ours-not-ours", "a reference that is not ours"),
    ],
)
async def test_a_genuine_callback_about_nobody_of_ours_is_kept_as_rejected(
    scene: Scene, query: str, reason: str
) -> None:
    _, body = scene.status()
    assert (await scene.deliver(scene.path + query, body)).status == 200
    assert await scene.rows("SELECT reason FROM rejections JOIN callbacks USING (batch_id, number)") == [(reason,)]
    assert await scene.receipts() == []


async def test_one_stranger_does_not_hide_the_others(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    recipient_id = new_id()
    references = (scene.references.sign("sms", recipient_id), None, "x" * 36)
    stated = CallbackContents(tuple(VendorReceipt(reference=one, kind="delivered") for one in references))
    monkeypatch.setattr(twilio, "read_callback", lambda *_: stated)
    assert (await scene.deliver(*scene.status())).status == 200
    assert await convert(scene) == 1
    assert await scene.receipts() == [(str(recipient_id), "delivered")]
    assert len(await scene.rows("SELECT 1 FROM rejections WHERE converted_at IS NULL")) == 1


async def test_a_reference_of_another_channel_is_not_taken(scene: Scene) -> None:
    _, body = scene.status()
    await scene.deliver(f"{scene.path}?ref={scene.references.sign('push', new_id())}", body)
    assert await scene.rows("SELECT reason FROM rejections") == [("a reference that is not ours",)]


async def test_identifiers_that_would_spoil_a_record_are_rejected(scene: Scene) -> None:
    await scene.deliver(*scene.status(MessageSid="SM\0"))
    await scene.deliver(*scene.status(MessageSid="S" * 201))
    assert len(await scene.rows("SELECT 1 FROM rejections")) == 2
    assert await scene.receipts() == []


@pytest.mark.parametrize("error", [CallbackMalformed("not yet understood"), KeyError("MessageSid")])
async def test_a_rejected_callback_is_read_again_by_a_later_version(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_arguments: object) -> None:
        raise error

    recipient_id = new_id()
    with monkeypatch.context() as patch:
        patch.setattr(twilio, "read_callback", fail)
        assert (await scene.deliver(*scene.status("delivered", recipient_id))).status == 200
        assert await scene.receipts() == []
        assert await convert(scene) == 1
        assert await scene.receipts() == []
    assert await convert(scene) == 1
    assert await scene.receipts() == [(str(recipient_id), "delivered")]
    assert await convert(scene) == 0


async def test_converters_share_the_work(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: object) -> None:
        raise CallbackMalformed("not yet understood")

    with monkeypatch.context() as patch:
        patch.setattr(twilio, "read_callback", fail)
        await asyncio.gather(*(scene.deliver(*scene.status()) for _ in range(50)))
    assert sum(await asyncio.gather(*(convert(scene, rows_max=20) for _ in range(3)))) == 50
    assert len(set(await scene.receipts())) == len(await scene.receipts()) == 50


async def convert(scene: Scene, rows_max: int = 500) -> int:
    return await handlers.convert_rejected(
        scene.database,
        scene.accounts,
        scene.references,
        scene.settings.public_base_url,
        now() + timedelta(seconds=1),
        rows_max,
    )
