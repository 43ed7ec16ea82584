"""The simulator as Vonage, judged by Vonage's own client and verifier."""

from __future__ import annotations

import asyncio

import msgspec
import pytest
from vonage_http_client.errors import AuthenticationError, HttpRequestError
from vonage_jwt import verify_signature
from vonage_messages import Messages
from vonage_messages.models import Sms as SmsModel
from vonage_sms import Sms, SmsMessage
from vonage_sms.errors import SmsError

from shared.providers import nexmo
from shared.providers.provider import Accepted, boottime
from shared.providers.registry import open_provider
from shared.providers.wire import Wire
from tests.provider_simulator.conftest import Receiver, Simulated
from tests.provider_simulator.test_simulator import send
from tests.providers.samples import SECRET, message_of, private_key, values_of
from tests.providers.test_nexmo import client_of
from tests.waiting import until


async def test_vonages_own_client_sends(simulated: Simulated) -> None:
    def talk() -> tuple[str, str]:
        client = client_of(simulated.url, api_key="k", api_secret=SECRET)
        sent = Messages(client).send(SmsModel(to="4915112345678", from_="shop", text="Grüße"))
        older = Sms(client).send(SmsMessage(to="4915112345678", from_="shop", text="x" * 200))
        return sent.message_uuid, str(older.messages[1].status)

    message_uuid, status = await asyncio.to_thread(talk)
    assert status == "0"
    first, second = await simulated.log()
    assert (first["id"], first["address"], second["address"]) == (message_uuid, "+4915112345678", "+4915112345678")


async def test_vonages_own_client_understands_the_errors(simulated: Simulated) -> None:
    def talk(secret: str) -> None:
        Messages(client_of(simulated.url, api_key="k", api_secret=secret)).send(
            SmsModel(to="4915112345678", from_="shop", text="")
        )

    with pytest.raises(AuthenticationError):
        await asyncio.to_thread(talk, "wrong")
    with pytest.raises(HttpRequestError) as caught:
        await asyncio.to_thread(talk, SECRET)
    assert caught.value.response.status_code == 422
    client = client_of(simulated.url, api_key="k", api_secret="wrong")
    with pytest.raises(SmsError, match="Bad Credentials"):
        await asyncio.to_thread(Sms(client).send, SmsMessage(to="4915112345678", from_="shop", text="x"))


async def test_webhooks_are_signed_as_vonage_signs(simulated: Simulated, receiver: Receiver) -> None:
    await send(simulated, "nexmo", receiver)
    await until(lambda: receiver.callbacks)
    (callback,) = receiver.callbacks
    assert verify_signature(callback.headers["authorization"].removeprefix("Bearer "), SECRET)
    account = nexmo.account(values_of("nexmo", simulated.url))
    assert nexmo.is_genuine(account, callback)
    (receipt,) = nexmo.read_callback(account, callback).receipts
    (entry,) = await simulated.log()
    assert (receipt.kind, receipt.reference, receipt.currency) == ("delivered", entry["reference"], "EUR")


@pytest.mark.parametrize("fault", [None, "throttled", "dead_address"])
async def test_the_sms_api_end_to_end(simulated: Simulated, receiver: Receiver, fault: str | None) -> None:
    await simulated.set_faults(rates={fault: 1} if fault else {})
    values = values_of("nexmo", simulated.url, "smsApi")
    wire = Wire(allowed_hosts=frozenset({"127.0.0.1"}), timeout_seconds=5)
    provider = open_provider("sms", "nexmo", values, wire)
    (outcome,) = await provider.send([message_of("nexmo", 1, receiver.url)], boottime() + 30)
    await wire.close()
    if fault == "throttled":
        assert not isinstance(outcome, Accepted)
        return
    assert isinstance(outcome, Accepted)
    assert outcome.cost_micros == 33_100 * (outcome.segments or 0)
    await until(lambda: receiver.callbacks)
    (callback,) = receiver.callbacks
    account = nexmo.account(values)
    assert nexmo.is_genuine(account, callback)
    (receipt,) = nexmo.read_callback(account, callback).receipts
    assert receipt.kind == ("bounced" if fault else "delivered")


@pytest.mark.parametrize(("fault", "last"), [(None, "delivered"), ("undelivered", "bounced")])
async def test_each_part_of_a_long_text_is_reported(
    simulated: Simulated, receiver: Receiver, fault: str | None, last: str
) -> None:
    await simulated.set_faults(rates={fault: 1} if fault else {})
    values = values_of("nexmo", simulated.url, "smsApi")
    wire = Wire(allowed_hosts=frozenset({"127.0.0.1"}), timeout_seconds=5)
    provider = open_provider("sms", "nexmo", values, wire)
    message = msgspec.structs.replace(message_of("nexmo", 1, receiver.url), text="x" * 307)
    (outcome,) = await provider.send([message], boottime() + 30)
    await wire.close()
    assert isinstance(outcome, Accepted)
    assert outcome.segments == 3
    await until(lambda: len(receiver.callbacks) == 3)
    account = nexmo.account(values)
    receipts = [nexmo.read_callback(account, one).receipts[0] for one in receiver.callbacks]
    kinds = {receipt.part: receipt.kind for receipt in receipts}
    assert [kinds[part] for part in sorted(kinds)] == ["delivered", "delivered", last]
    assert min(kinds) == outcome.provider_message_id


async def test_an_application_sends_with_its_token(simulated: Simulated, receiver: Receiver) -> None:
    values = values_of("nexmo", simulated.url)
    values["config"] |= {"applicationId": "app-1", "privateKey": private_key(), "signatureSecret": "app-1"}
    wire = Wire(allowed_hosts=frozenset({"127.0.0.1"}), timeout_seconds=5)
    provider = open_provider("sms", "nexmo", values, wire)
    (outcome,) = await provider.send([message_of("nexmo", 1, receiver.url)], boottime() + 30)
    assert isinstance(outcome, Accepted)
    assert (await provider.verify()).works
    await wire.close()
    await until(lambda: receiver.callbacks)
    assert nexmo.is_genuine(nexmo.account(values), receiver.callbacks[0])
