"""The simulator as OneSignal, judged by OneSignal's own client; and requests that may be repeated."""

from __future__ import annotations

import asyncio
from typing import Any

import onesignal as sdk
import pytest
from onesignal.api import default_api
from onesignal.model.language_string_map import LanguageStringMap
from onesignal.model.notification import Notification

from shared.providers import onesignal
from shared.providers.provider import Accepted, Refused
from tests.provider_simulator.conftest import Receiver, Simulated
from tests.provider_simulator.test_simulator import send
from tests.providers.samples import SECRET, values_of
from tests.waiting import until

APP = "5eb5a37e-b458-11e3-ac11-000c2940e62c"


def create(url: str, key: str = SECRET, **fields: Any) -> Any:
    with sdk.ApiClient(sdk.Configuration(host=url, rest_api_key=key)) as client:
        values = {"app_id": APP, "target_channel": "push", "include_subscription_ids": ["s1", "s2"]} | fields
        notification = Notification(**values)
        if "contents" not in fields:
            notification.contents = LanguageStringMap(en="Hi")
        return default_api.DefaultApi(client).create_notification(notification)


async def test_onesignals_own_client_sends(simulated: Simulated) -> None:
    sent = await asyncio.to_thread(create, simulated.url)
    entries = await simulated.log()
    assert [(entry["id"], entry["address"]) for entry in entries] == [(sent.id, "s1"), (sent.id, "s2")]


async def test_the_same_key_sends_once(simulated: Simulated) -> None:
    key = "8e5aba1c-3ab4-4a2f-9d0e-7f7b2f4a9d11"
    first, second = [await asyncio.to_thread(create, simulated.url, idempotency_key=key) for _ in range(2)]
    assert first.id == second.id
    assert len(await simulated.log()) == 2


@pytest.mark.parametrize(("fields", "status"), [({"app_id": "x"}, 400), ({"include_subscription_ids": []}, 400)])
async def test_onesignals_own_client_understands_the_errors(
    simulated: Simulated, fields: dict[str, Any], status: int
) -> None:
    with pytest.raises(sdk.ApiException) as caught:
        await asyncio.to_thread(lambda: create(simulated.url, **fields))
    assert caught.value.status == status
    with pytest.raises(sdk.ApiException) as caught:
        await asyncio.to_thread(lambda: create(simulated.url, "wrong-key"))
    assert caught.value.status == 403


async def test_some_of_a_batch_may_be_dead(simulated: Simulated, receiver: Receiver) -> None:
    await simulated.set_faults(rates={"dead_address": 0.3})
    outcomes = await send(simulated, "onesignal", receiver, 100)
    entries = await simulated.log()
    assert [isinstance(outcome, Accepted) for outcome in outcomes] == [entry["accepted"] for entry in entries]
    assert {type(outcome) for outcome in outcomes} == {Accepted, Refused}
    assert len({entry["id"] for entry in entries}) == 1


async def test_events_arrive_for_each_subscription(simulated: Simulated, receiver: Receiver) -> None:
    await simulated.set_faults(rates={"app_opened": 0, "app_clicked": 0})
    page = f"{simulated.url}/_simulator/log-destinations"
    async with simulated.http.put(page, json={APP: {"url": receiver.url, "secret": SECRET}}) as answer:
        assert answer.status == 200
    outcomes = await send(simulated, "onesignal", receiver, 5)
    await until(lambda: len(receiver.callbacks) == 5)
    account = onesignal.account(values_of("onesignal", simulated.url))
    assert all(onesignal.is_genuine(account, callback) for callback in receiver.callbacks)
    receipts = [one for callback in receiver.callbacks for one in onesignal.read_callback(account, callback).receipts]
    assert {receipt.kind for receipt in receipts} == {"delivered"}
    assert len({receipt.address for receipt in receipts}) == 5
    assert {receipt.provider_message_id for receipt in receipts} == {getattr(outcomes[0], "provider_message_id", None)}
