"""The simulator as Sinch, judged by Sinch's own client; and batches that meet trouble."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import msgspec
import pytest
from sinch import SinchClient
from sinch.core.exceptions import SinchException
from sinch.domains.sms.sinch_events.v1 import SmsSinchEvent

from contracts.masked import PhoneNumber
from shared.providers import sinch
from shared.providers.provider import Accepted, Found, Refused, Unknown, boottime
from tests.provider_simulator.conftest import Receiver, Simulated
from tests.provider_simulator.test_simulator import provider_at, send
from tests.providers.samples import SECRET, message_of, values_of
from tests.waiting import until


def client_of(simulated: Simulated, token: str = SECRET) -> SinchClient:
    client = SinchClient(service_plan_id="plan1", sms_api_token=token, sms_region="us")
    client.configuration.sms_origin_with_service_plan_id = simulated.url
    return client


async def test_sinchs_own_client_sends_and_lists(simulated: Simulated) -> None:
    def talk():
        client = client_of(simulated)
        parameters = {"name": {"+4915112345678": "Ada", "default": "you"}}
        sent = client.sms.batches.send_sms(
            to=["+4915112345678", "+4915112345679"], from_="15005550006", body="Hi ${name}", parameters=parameters
        )
        begin = datetime.now(UTC) - timedelta(minutes=1)
        return sent, client.sms.batches.get(sent.id), list(client.sms.batches.list(start_date=begin).iterator())

    sent, fetched, listed = await asyncio.to_thread(talk)
    assert fetched.body == "Hi ${name}"
    assert sent.id in [batch.id for batch in listed]
    entries = await simulated.log()
    assert [entry["address"] for entry in entries] == ["+4915112345678", "+4915112345679"]
    assert len({entry["digest"] for entry in entries}) == 2


async def test_sinchs_own_client_understands_the_errors(simulated: Simulated) -> None:
    def refuse(token: str, to: str, body: str) -> str:
        with pytest.raises(SinchException) as caught:
            client_of(simulated, token).sms.batches.send_sms(to=[to], from_="1", body=body)
        return str(caught.value)

    await asyncio.to_thread(refuse, "wrong", "+4915112345678", "x")
    await asyncio.to_thread(refuse, SECRET, "nobody", "x")
    await asyncio.to_thread(refuse, SECRET, "+4915112345678", "x" * 2001)


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"expire_at": datetime.now(UTC) - timedelta(minutes=1)}, 400, "syntax_constraint_violation"),
        ({"expire_at": datetime.now(UTC) + timedelta(days=4)}, 400, "syntax_constraint_violation"),
        ({"parameters": {"x" * 17: {"default": "y"}}}, 400, "syntax_invalid_parameter_format"),
        ({"parameters": {"x": {"default": "y" * 161}}}, 400, "syntax_constraint_violation"),
        ({"delivery_report": "full"}, 403, "missing_callback_url"),
    ],
)
async def test_what_sinch_does_not_take(simulated: Simulated, fields: dict[str, Any], status: int, code: str) -> None:
    def refused() -> Any:
        with pytest.raises(SinchException) as caught:
            client_of(simulated).sms.batches.send_sms(to=["+4915112345678"], from_="1", body="Hi ${x}", **fields)
        return caught.value.http_response

    response = await asyncio.to_thread(refused)
    assert (response.status_code, response.body["code"]) == (status, code)


async def test_reports_are_signed_as_sinch_signs(simulated: Simulated, receiver: Receiver) -> None:
    await send(simulated, "sinch", receiver, 3)
    await until(lambda: len(receiver.callbacks) == 3)
    for callback in receiver.callbacks:
        assert SmsSinchEvent(SECRET).validate_authentication_header(callback.headers, callback.body)
        report = SmsSinchEvent(SECRET).parse_event(callback.body)
        assert report.status.upper() == "DELIVERED"


@pytest.mark.parametrize(
    ("fault", "kind", "error_class"),
    [("dead_address", "failed", "recipient_permanent"), ("opted_out_address", "bounced", "unknown")],
)
async def test_bad_numbers_are_taken_and_reported(
    simulated: Simulated, receiver: Receiver, fault: str, kind: str, error_class: str
) -> None:
    await simulated.set_faults(rates={fault: 1})
    (outcome,) = await send(simulated, "sinch", receiver)
    assert isinstance(outcome, Accepted)
    await until(lambda: receiver.callbacks)
    account = sinch.account(values_of("sinch", simulated.url))
    (receipt,) = sinch.read_callback(account, receiver.callbacks[0]).receipts
    assert (receipt.kind, receipt.error_class) == (kind, error_class)
    (entry,) = await simulated.log()
    assert (entry["accepted"], entry["refused_later"]) == (False, True)


async def test_a_thousand_long_texts_of_their_own_are_accepted(simulated: Simulated, receiver: Receiver) -> None:
    """The answer repeats what was sent: one that was too long to be read would leave a thousand of them unknown."""
    messages = [
        msgspec.structs.replace(message_of("sinch", number, receiver.url), text=f"{number} ist Ihre Glückszahl. " * 20)
        for number in range(1, 1001)
    ]
    async with provider_at(simulated.url, "sinch") as provider:
        outcomes = await provider.send(messages, boottime() + 30)
    assert {type(outcome) for outcome in outcomes} == {Accepted}
    digests = {entry["address"]: entry["digest"] for entry in await simulated.log()}
    assert digests == {message.address: sha256(message.text.encode()).hexdigest() for message in messages}


async def test_one_impossible_number_does_not_spoil_its_batch(simulated: Simulated, receiver: Receiver) -> None:
    messages = [message_of("sinch", number, receiver.url) for number in range(1, 301)]
    messages[123] = msgspec.structs.replace(messages[123], address=PhoneNumber("+49"))
    async with provider_at(simulated.url, "sinch") as provider:
        outcomes = await provider.send(messages, boottime() + 30)
    assert [index for index, outcome in enumerate(outcomes) if not isinstance(outcome, Accepted)] == [123]
    assert outcomes[123] == Refused("content", "syntax_invalid_parameter_format")
    assert len({entry["address"] for entry in await simulated.log()}) == len(await simulated.log()) == 299


async def test_a_batch_of_unknown_outcome_is_found(simulated: Simulated, receiver: Receiver) -> None:
    await simulated.set_faults(rates={"accept_then_close": 1})
    began = datetime.now(UTC)
    messages = [message_of("sinch", number, receiver.url) for number in range(1, 6)]
    async with provider_at(simulated.url, "sinch") as provider:
        outcomes = await provider.send(messages, boottime() + 30)
        assert {type(outcome) for outcome in outcomes} == {Unknown}
        findings = [await provider.ask(message, began) for message in messages]
    assert [type(finding) for finding in findings] == [Found] * 5, findings
    assert len(await simulated.log()) == 5
