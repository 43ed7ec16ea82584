"""The simulator speaks as the vendors do, errs as its seed says, and forgets nothing that it was sent."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

import aiohttp
import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from twilio.base.exceptions import TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.request_validator import RequestValidator
from twilio.rest import Client

from services.provider_simulator.app import serving
from services.provider_simulator.domain import BIT, KINDS, Fates, Faults
from services.provider_simulator.http_text import form_of
from services.provider_simulator.settings import SimulatorSettings
from shared.providers import twilio as twilio_adapter
from shared.providers.provider import (
    Accepted,
    Deferred,
    Found,
    Outcome,
    Provider,
    Refused,
    Unknown,
    boottime,
)
from shared.providers.registry import open_provider
from shared.providers.wire import Wire
from shared.settings import load
from tests.provider_simulator.conftest import Receiver, Simulated
from tests.providers.samples import CHANNEL, SECRET, TYPE, message_of, sample_of, values_of, vendor_of
from tests.waiting import until

every_kind = pytest.mark.parametrize("kind", list(CHANNEL))


@asynccontextmanager
async def provider_at(url: str, kind: str, timeout_seconds: float = 5) -> AsyncIterator[Provider]:
    wire = Wire(allowed_hosts=frozenset({"127.0.0.1"}), timeout_seconds=timeout_seconds)
    try:
        yield open_provider(CHANNEL[kind], TYPE[kind], values_of(kind, url), wire)
    finally:
        await wire.close()


async def send(
    simulated: Simulated, kind: str, receiver: Receiver, count: int = 1, timeout_seconds: float = 5
) -> list[Outcome]:
    async with provider_at(simulated.url, kind, timeout_seconds) as provider:
        messages = [message_of(kind, number, receiver.url) for number in range(1, count + 1)]
        return await provider.send(messages, boottime() + 30)


# --- the protocols ----------------------------------------------------------------------------------------------------


class _Redirected(TwilioHttpClient):
    """Twilio's own HTTP client, sent to the simulator."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.base_url = url

    def request(self, method: str, url: str, *arguments: Any, **options: Any) -> Any:
        return super().request(method, url.replace("https://api.twilio.com", self.base_url), *arguments, **options)


async def test_twilios_own_client_sends_lists_and_fetches(simulated: Simulated) -> None:
    client = Client("AC1", SECRET, http_client=_Redirected(simulated.url))

    def talk() -> tuple[Any, Any, Any, Any]:
        sent = client.messages.create(to="+4915112345678", from_="+15005550006", body="Grüße & more")
        return (
            sent,
            client.messages(sent.sid).fetch(),
            client.messages.list(to="+4915112345678", date_sent_after=datetime.now(UTC).date(), limit=20),
            client.api.accounts("AC1").fetch(),
        )

    sent, fetched, listed, account = await asyncio.to_thread(talk)
    assert sent.status == "queued"
    assert sent.num_segments == "1"
    assert fetched.body == "Grüße & more"
    assert [message.sid for message in listed] == [sent.sid]
    assert account.status == "active"


async def test_twilios_own_client_reads_the_price_some_time_later(simulated: Simulated) -> None:
    client = Client("AC1", SECRET, http_client=_Redirected(simulated.url))
    started = datetime.now(UTC) - timedelta(seconds=1)

    def send(body: str) -> Any:
        return client.messages.create(to="+4915112345678", from_="+15005550006", body=body)

    def listed(before: datetime) -> list[tuple[Any, ...]]:
        found = client.messages.list(date_sent_after=started, date_sent_before=before, page_size=1000)
        return [(one.sid, one.price, one.price_unit) for one in found]

    await simulated.set_faults(price_seconds=60)
    short, long = [await asyncio.to_thread(send, body) for body in ("Hi", "x" * 161)]
    assert (short.price, short.price_unit) == (None, "USD")
    assert (await asyncio.to_thread(client.messages(short.sid).fetch)).price is None
    await simulated.set_faults(price_seconds=0)
    assert (await asyncio.to_thread(client.messages(short.sid).fetch)).price == "-0.00750"
    later = datetime.now(UTC) + timedelta(seconds=1)
    assert await asyncio.to_thread(listed, later) == [(long.sid, "-0.01500", "USD"), (short.sid, "-0.00750", "USD")]
    assert await asyncio.to_thread(listed, started) == []
    one_by_one = await asyncio.to_thread(client.messages.list, to="+4915112345678", page_size=1)
    assert [one.sid for one in one_by_one] == [long.sid, short.sid]


async def test_twilios_own_client_understands_the_errors(simulated: Simulated) -> None:
    client = Client("AC1", SECRET, http_client=_Redirected(simulated.url))
    await simulated.set_faults(rates={"opted_out_address": 1})
    for fields, status, code in (
        ({"to": "+4915112345678", "from_": "+15005550006", "body": "x"}, 400, 21610),
        ({"to": "not-a-number", "from_": "+15005550006", "body": "x"}, 400, 21211),
        ({"to": "+4915112345678", "from_": "+15005550006", "body": "x" * 1601}, 400, 21617),
        ({"to": "+4915112345678", "from_": "+15005550006"}, 400, 21602),
    ):
        with pytest.raises(TwilioRestException) as caught:
            await asyncio.to_thread(lambda fields=fields: client.messages.create(**fields))
        assert (caught.value.status, caught.value.code) == (status, code)


async def test_a_wrong_password_is_refused(simulated: Simulated) -> None:
    answer = await asyncio.to_thread(
        lambda: requests.post(
            f"{simulated.url}/2010-04-01/Accounts/AC1/Messages.json", auth=("AC1", "wrong"), data={}, timeout=5
        )
    )
    assert (answer.status_code, answer.json()["code"]) == (401, 20003)


async def test_callbacks_are_signed_as_twilio_signs(simulated: Simulated, receiver: Receiver) -> None:
    await send(simulated, "twilio", receiver)
    await until(lambda: receiver.callbacks)
    (callback,) = receiver.callbacks
    form = dict(parse_qsl(callback.body.decode()))
    signature = callback.headers["x-twilio-signature"]
    assert RequestValidator(SECRET).validate(callback.url, form, signature)
    account = twilio_adapter.account(values_of("twilio", simulated.url))
    assert twilio_adapter.is_genuine(account, callback)
    (receipt,) = twilio_adapter.read_callback(account, callback).receipts
    (entry,) = await simulated.log()
    assert (receipt.kind, receipt.reference) == ("delivered", entry["reference"])
    assert receipt.provider_message_id == entry["id"]


async def test_the_customers_app_reports_pushes(simulated: Simulated, receiver: Receiver) -> None:
    await simulated.set_faults(rates={"app_opened": 1, "app_clicked": 1}, receipt_seconds=0.01)
    await send(simulated, "firebase", receiver)
    await until(lambda: len(receiver.callbacks) == 3)
    reference = message_of("firebase", 1).reference
    assert {callback.url.partition("/t/")[2] for callback in receiver.callbacks} == {
        f"{reference}/{state}" for state in ("delivered", "opened", "clicked")
    }


async def test_a_token_of_another_run_is_replaced(simulated: Simulated, receiver: Receiver) -> None:
    wire = Wire(allowed_hosts=frozenset({"127.0.0.1"}), timeout_seconds=5)
    provider = open_provider("push", "firebase", values_of("firebase", simulated.url), wire)
    provider._account.grant.headers = ("Authorization: Bearer ya29.old",)  # type: ignore[attr-defined]
    provider._account.grant.expires_at = float("inf")  # type: ignore[attr-defined]
    (outcome,) = await provider.send([message_of("firebase", 1, receiver.url)], boottime() + 30)
    assert isinstance(outcome, Accepted)
    await wire.close()


async def test_a_person_can_write_back(simulated: Simulated, receiver: Receiver) -> None:
    await send(simulated, "twilio", receiver)
    body = {
        "account": "AC0123456789abcdef",
        "from": "+4915112345678",
        "to": "+15005550006",
        "body": "STOP",
        "url": f"{receiver.url}/callbacks/twilio/1",
    }
    async with simulated.http.post(f"{simulated.url}/_simulator/inbound", json=body) as answer:
        assert (await answer.json())["status"] == 200
    account = twilio_adapter.account(values_of("twilio", simulated.url))
    callback = next(callback for callback in receiver.callbacks if b"Body=STOP" in callback.body)
    assert twilio_adapter.is_genuine(account, callback)
    (inbound,) = twilio_adapter.read_callback(account, callback).inbound
    assert (inbound.address, inbound.intent) == ("+4915112345678", "stop")


# --- the log ----------------------------------------------------------------------------------------------------------


@every_kind
async def test_the_log_tells_what_was_sent(simulated: Simulated, receiver: Receiver, kind: str) -> None:
    """A vendor that is told neither reference nor callback URL cannot note them, nor call."""
    is_told = sample_of(kind).get("echoesReference", True)
    (outcome,) = await send(simulated, kind, receiver)
    assert isinstance(outcome, Accepted)
    await until(lambda: receiver.callbacks or not is_told)
    message = message_of(kind, 1)
    (entry,) = await simulated.log()
    assert entry["sequence"] == 1
    assert entry["provider"] == TYPE[kind]
    assert entry["address"] == str(message.address)
    assert entry.get("reference", "") == (message.reference if is_told else "")
    assert entry["digest"] == hashlib.sha256(message.text.encode()).hexdigest()
    assert (entry["answer"], entry["accepted"], entry["id"]) == ("accepted", True, outcome.provider_message_id)
    assert ("delivered" in entry["callbacks"]) is is_told
    assert message.text not in str(entry)
    assert await simulated.log(after=1) == []


@every_kind
async def test_the_log_has_every_request_once_and_in_order(simulated: Simulated, receiver: Receiver, kind: str) -> None:
    await send(simulated, kind, receiver, 500)
    entries = await simulated.log()
    assert [entry["sequence"] for entry in entries] == list(range(1, 501))
    assert len({entry["address"] for entry in entries}) == 500
    assert [entry["sequence"] for entry in await simulated.log(after=497)] == [498, 499, 500]


async def test_reset_forgets_requests_and_keeps_faults(simulated: Simulated, receiver: Receiver) -> None:
    await simulated.set_faults(rates={"lost_receipt": 1})
    await send(simulated, "twilio", receiver, 3)
    await simulated.reset()
    assert await simulated.log() == []
    async with simulated.http.get(f"{simulated.url}/_simulator/faults") as answer:
        assert (await answer.json())["rates"] == {"lost_receipt": 1}
    await send(simulated, "twilio", receiver)
    assert [entry["sequence"] for entry in await simulated.log()] == [1]


async def test_the_log_outlives_the_process(tmp_path: Path, receiver: Receiver) -> None:
    path = tmp_path / "log"
    settings = load(SimulatorSettings, http_port=0, log_path=str(path))
    for run in (1, 2):
        async with serving(settings) as port, aiohttp.ClientSession() as http:
            simulated = Simulated(f"http://127.0.0.1:{port}", http)
            await send(simulated, "twilio", receiver, 2)
            assert len(await simulated.log()) == 2 * run
        with path.open("ab") as log:
            log.write(b'{"sequence":99,"cut off by a cra')


# --- faults -----------------------------------------------------------------------------------------------------------


@every_kind
@pytest.mark.parametrize(
    ("fault", "expected", "accepted"),
    [
        ("accept_then_hang", Unknown, True),
        ("accept_then_close", Unknown, True),
        ("accept_then_error", Unknown, True),
        ("server_error", Unknown, False),
        ("throttled", Deferred, False),
        ("dead_address", Refused, False),
        ("opted_out_address", Refused, False),
        ("latency", Accepted, True),
    ],
)
async def test_each_fault_is_noted_and_answered(
    simulated: Simulated, receiver: Receiver, kind: str, fault: str, expected: type, accepted: bool
) -> None:
    if expected is Refused and sample_of(kind).get("refusesLater"):
        expected = Accepted
    if expected is Unknown and vendor_of(kind).CAPABILITIES.resend_is_safe:
        expected, accepted = Accepted, True
    await simulated.set_faults(rates={fault: 1}, latency_seconds=0.05, hang_seconds=2)
    (outcome,) = await send(simulated, kind, receiver, timeout_seconds=0.5)
    assert isinstance(outcome, expected)
    assert sum(entry["accepted"] for entry in await simulated.log()) == accepted
    if fault not in ("latency", "dead_address", "opted_out_address"):
        (second,) = await send(simulated, kind, receiver)
        assert isinstance(second, Accepted), "a fault of the moment meets an address once"


async def test_an_accepted_message_is_found_after_an_ambiguous_answer(simulated: Simulated, receiver: Receiver) -> None:
    await simulated.set_faults(rates={"accept_then_close": 1})
    began = datetime.now(UTC)
    async with provider_at(simulated.url, "twilio") as provider:
        message = message_of("twilio", 1, receiver.url)
        (outcome,) = await provider.send([message], boottime() + 30)
        assert isinstance(outcome, Unknown)
        finding = await provider.ask(message, began)
    (entry,) = await simulated.log()
    assert isinstance(finding, Found)
    assert finding.outcome == Accepted(entry["id"], 1)


@pytest.mark.parametrize(
    ("rates", "states"),
    [
        ({"lost_receipt": 1}, []),
        ({"duplicate_receipt": 1}, ["delivered", "delivered"]),
        ({"intermediate_receipt": 1}, ["sent", "delivered"]),
        ({"reordered_receipt": 1}, ["delivered", "sent"]),
        ({"undelivered": 1}, ["undelivered"]),
        ({"late_receipt": 1}, ["delivered"]),
        ({"early_receipt": 1}, ["delivered"]),
    ],
)
async def test_receipts_go_wrong_as_told(
    simulated: Simulated, receiver: Receiver, rates: dict[str, float], states: list[str]
) -> None:
    await simulated.set_faults(rates=rates, receipt_seconds=0.02, late_seconds=0.2)
    sending = asyncio.create_task(send(simulated, "twilio", receiver))
    await until(lambda: len(receiver.callbacks) >= len(states))
    if "early_receipt" in rates:
        assert not sending.done()
    assert [type(outcome) for outcome in await sending] == [Accepted]
    await until(lambda: len(receiver.callbacks) == len(states))
    assert [dict(parse_qsl(c.body.decode()))["MessageStatus"] for c in receiver.callbacks] == states
    (entry,) = await simulated.log()
    assert Counter(entry["callbacks"]) == Counter(states)


async def test_a_receiver_that_is_down_hears_the_callback_later(simulated: Simulated, receiver: Receiver) -> None:
    receiver.statuses = [503, 500]
    await send(simulated, "twilio", receiver)
    await until(lambda: receiver.callbacks)


async def test_unknown_faults_are_refused_by_name(simulated: Simulated) -> None:
    for body, field in (
        ({"rates": {"typo": 0.1}}, "rates.typo"),
        ({"rates": {"latency": 1.1}}, "rates.latency"),
        ({"late_seconds": -1}, "late_seconds"),
    ):
        async with simulated.http.put(f"{simulated.url}/_simulator/faults", json=body) as answer:
            assert answer.status == 400
            assert [error["field"] for error in (await answer.json(content_type=None))["errors"]] == [field]
    async with simulated.http.put(f"{simulated.url}/_simulator/faults", data=b'{"sed": 1}') as answer:
        assert answer.status == 400


@given(st.integers(0, 2**63 - 1), st.text(min_size=1, max_size=30))
def test_a_fate_depends_on_seed_and_address_alone(seed: int, address: str) -> None:
    rates = {"throttled": 0.3, "undelivered": 0.5}
    assert Fates(Faults(seed=seed, rates=rates)).of(address) == Fates(Faults(seed=seed, rates=rates)).of(address)
    more = Fates(Faults(seed=seed, rates={**rates, "latency": 0.5})).of(address)
    assert more & ~BIT["latency"] == Fates(Faults(seed=seed, rates=rates)).of(address)


def test_rates_are_met() -> None:
    fates = Fates(Faults(seed=7, rates=dict.fromkeys(KINDS, 0.1)))
    addresses = [f"+49151{number:08d}" for number in range(20_000)]
    counts = Counter(kind for address in addresses for kind in KINDS if fates.of(address) & BIT[kind])
    assert all(1_800 < counts[kind] < 2_200 for kind in KINDS)


# --- HTTP -------------------------------------------------------------------------------------------------------------


@given(st.dictionaries(st.text(st.characters(codec="utf-8"), min_size=1), st.text(st.characters(codec="utf-8"))))
def test_forms_are_read_as_the_library_writes_them(form: dict[str, str]) -> None:
    assert form_of(urlencode(form).encode()) == form
    assert form_of(b"a=x=y%3Dz&c&=d") == {"a": "x=y=z", "": "d"}


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"nonsense\r\n\r\n", b"400"),
        (b"POST /x HTTP/1.1\r\ncontent-length: 99999999999\r\n\r\n", b"413"),
        (b"POST /x HTTP/1.1\r\ncontent-length: -1\r\n\r\n", b"413"),
        (b"POST /x HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", b"411"),
        (b"GET /elsewhere HTTP/1.1\r\n\r\n", b"404"),
        (b"GET /live HTTP/1.1\r\n\r\n", b"200"),
        (b"GET /ready HTTP/1.1\r\n\r\n", b"200"),
        (b"GET /metrics HTTP/1.1\r\n\r\n", b"200"),
    ],
)
async def test_raw_requests_get_an_answer(simulated: Simulated, request_bytes: bytes, status: bytes) -> None:
    port = int(simulated.url.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for position in range(len(request_bytes)):  # one byte at a time: a request may arrive in any pieces
        writer.write(request_bytes[position : position + 1])
        await writer.drain()
    line = await asyncio.wait_for(reader.readline(), 5)
    assert line.startswith(b"HTTP/1.1 " + status)
    writer.close()
