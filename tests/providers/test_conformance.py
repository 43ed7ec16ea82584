"""What every vendor of the registry promises, whatever its protocol."""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from importlib.util import module_from_spec, spec_from_file_location
from typing import Any, cast

import msgspec
import pytest
import structlog

from contracts.channels import CHANNELS
from shared.providers import provider as interface
from shared.providers.provider import Accepted, CallbackRequest, Deferred, Outcome, Refused, Unknown, boottime
from shared.providers.registry import VENDORS, open_provider, validate_account
from shared.providers.vendor import PricingVendor, Vendor
from shared.providers.wire import Wire
from tests.providers.samples import (
    KIND_OF,
    KINDS,
    SECRETS,
    answer_of,
    folder_of,
    kind_of,
    message_of,
    outcome_of,
    request_of,
    sample_of,
    values_of,
    vendor_of,
)
from tests.providers.servers import OK_ANSWER, Behaviour, closing, free_port, hanging, resetting, saying, server

HOSTS = frozenset({"127.0.0.1"})
BASE = "http://127.0.0.1:9"

every_vendor = pytest.mark.parametrize("vendor", VENDORS.values(), ids=["-".join(name) for name in VENDORS])


async def outcomes_of(vendor: Vendor, behaviour: Behaviour, count: int = 1, seconds: float = 0.4) -> list[Outcome]:
    capabilities = vendor.CAPABILITIES
    async with server(behaviour) as heard:
        wire = Wire(allowed_hosts=HOSTS, timeout_seconds=seconds)
        values = values_of(kind_of(vendor), heard.url)
        provider = open_provider(capabilities.channel, capabilities.provider_type, values, wire)
        try:
            messages = [message_of(kind_of(vendor), number) for number in range(count)]
            return await provider.send(messages, boottime() + 30)
        finally:
            await provider.close()
            await wire.close()


@every_vendor
def test_capabilities_are_declared(vendor: Vendor) -> None:
    declared = vendor.CAPABILITIES
    assert declared.channel in CHANNELS
    assert declared.rate_unit in interface.RATE_UNITS
    assert declared.receipts in interface.RECEIPTS_COME_BY
    assert declared.price in interface.PRICES_COME_BY
    assert declared.official_hosts
    assert declared.in_flight_max > 0


@every_vendor
async def test_one_outcome_per_message_in_order(vendor: Vendor) -> None:
    """Every third request is answered after its successor, so that answers come in another order."""
    answered = [asyncio.Event() for _ in range(241)]
    answer = saying(answer_of(kind_of(vendor)))

    async def behave(writer: asyncio.StreamWriter, number: int) -> bool:
        if number % 3 == 0 and vendor.CAPABILITIES.batch_max == 1:
            await answered[number + 1].wait()
        answered[number].set()
        return await answer(writer, number)

    outcomes = await outcomes_of(vendor, behave, count=120, seconds=10)
    assert [type(outcome) for outcome in outcomes] == [Accepted] * 120


@every_vendor
@pytest.mark.parametrize("behaviour", [hanging, closing, resetting, saying(OK_ANSWER[:-5], keep=False)])
async def test_a_fault_after_the_write_is_unknown(vendor: Vendor, behaviour: Behaviour) -> None:
    prepared = answer_of(kind_of(vendor)) if vendor.CAPABILITIES.prepares else b""

    async def behave(writer: asyncio.StreamWriter, number: int) -> bool:
        return await (saying(prepared) if prepared and number == 0 else behaviour)(writer, number)

    (outcome,) = await outcomes_of(vendor, behave)
    assert isinstance(outcome, Unknown)


@every_vendor
@pytest.mark.parametrize("behaviour", [closing, resetting])
async def test_a_fault_before_the_body_was_read_is_unknown_or_came_to_nothing(
    vendor: Vendor, behaviour: Behaviour
) -> None:
    async with server(behaviour, reads_bodies=False) as heard:
        wire = Wire(allowed_hosts=HOSTS, timeout_seconds=1)
        values = values_of(kind_of(vendor), heard.url)
        provider = open_provider(vendor.CAPABILITIES.channel, vendor.CAPABILITIES.provider_type, values, wire)
        (outcome,) = await provider.send([message_of(kind_of(vendor))], boottime() + 30)
        await wire.close()
    assert isinstance(outcome, Deferred if vendor.CAPABILITIES.prepares else Unknown)
    assert heard.requests


def _said(status: int, *lines: bytes) -> bytes:
    return b"\r\n".join((b"HTTP/1.1 %d Said" % status, *lines, b"content-length: 0", b"", b""))


def _in_seconds(seconds: int) -> bytes:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True).encode()


@every_vendor
@pytest.mark.parametrize("form", ["seconds", "date"])
async def test_a_vendor_that_says_when_is_asked_again_then(vendor: Vendor, form: str) -> None:
    stated = b"40" if form == "seconds" else _in_seconds(40)
    (outcome,) = await outcomes_of(vendor, saying(_said(429, b"retry-after: " + stated)))
    assert isinstance(outcome, Deferred)
    assert outcome.retry_after_seconds is not None
    assert 35 <= outcome.retry_after_seconds <= 41


@every_vendor
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_nobody_follows_a_redirect(vendor: Vendor, status: int) -> None:
    async with server(saying(answer_of(kind_of(vendor)))) as elsewhere:
        redirect = saying(_said(status, b"location: " + elsewhere.url.encode() + b"/"))
        (outcome,) = await outcomes_of(vendor, redirect)
        assert outcome == Refused("config", f"redirect_{status}")
        assert elsewhere.requests == []


@every_vendor
async def test_an_answer_that_is_no_http_is_unknown_or_came_to_nothing(vendor: Vendor) -> None:
    (outcome,) = await outcomes_of(vendor, saying(b"\x16\x03\x01 this is no answer\r\n\r\n", keep=False))
    assert isinstance(outcome, Deferred if vendor.CAPABILITIES.prepares else Unknown)


@every_vendor
async def test_a_vendor_that_is_not_there_defers(vendor: Vendor) -> None:
    values = values_of(kind_of(vendor), f"http://127.0.0.1:{free_port()}")
    wire = Wire(allowed_hosts=HOSTS, timeout_seconds=1)
    provider = open_provider(vendor.CAPABILITIES.channel, vendor.CAPABILITIES.provider_type, values, wire)
    (outcome,) = await provider.send([message_of(kind_of(vendor))], boottime() + 30)
    await wire.close()
    assert isinstance(outcome, Deferred)


STATUSES = (*range(100, 104), *range(200, 209), *range(300, 309), *range(400, 452), *range(500, 512))
BODIES = (b"", b"{}", b"[]", b"null", b"\xff", b'{"code":null,"error":{"details":[1]}}', b'{"code":"21610"}')


@every_vendor
def test_no_answer_raises_or_condemns_an_address_without_detail(vendor: Vendor) -> None:
    kind = kind_of(vendor)
    said_by_status = sample_of(kind).get("acceptedWhateverTheBody", ())
    account, message = vendor.account(values_of(kind, BASE)), message_of(kind)
    for status, body in itertools.product(STATUSES, BODIES):
        outcome = outcome_of(vendor, account, message, interface.HttpAnswer(status, body))
        if status in said_by_status:
            continue
        assert not isinstance(outcome, Accepted)
        if isinstance(outcome, Refused):
            assert outcome.error_class in interface.ERROR_CLASSES
            assert outcome.error_class not in ("recipient_permanent", "recipient_opted_out")
        if status >= 500:
            assert isinstance(outcome, Unknown)
        if status == 429:
            assert isinstance(outcome, Deferred)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if vendor_of(kind).CAPABILITIES.price == "later"])
def test_a_vendor_with_later_prices_can_be_asked_and_its_answer_never_raises(kind: str) -> None:
    vendor, at = cast("PricingVendor", vendor_of(kind)), datetime.now(UTC)
    account = vendor.account(values_of(kind, BASE))
    for count in (1, 1000):
        sought = [interface.Sought(f"message/{number}", at, at) for number in range(count)]
        asked = vendor.price_question(account, sought)
        assert asked.url.startswith(BASE)
        assert "message/" not in asked.url
    for status, body in itertools.product(STATUSES, BODIES):
        prices = vendor.prices(account, interface.HttpAnswer(status, body))
        assert not any(prices.known.values()) if prices is not None else status != 404


@every_vendor
def test_no_secret_shows(vendor: Vendor) -> None:
    kind = kind_of(vendor)
    message = message_of(kind)
    account = vendor.account(values_of(kind, BASE))
    callback = CallbackRequest(
        method="POST", url=f"{BASE}/?ref={message.reference}", headers={}, body=b"To=" + b"1" * 9
    )
    shown = [message, account, request_of(vendor, account, message), vendor.verification(account), callback]
    for text in map(repr, shown):
        assert not [secret for secret in SECRETS if secret in text]


@every_vendor
async def test_nothing_is_logged_about_a_message(vendor: Vendor) -> None:
    with structlog.testing.capture_logs() as lines:
        await outcomes_of(vendor, closing)
    assert not [secret for secret in SECRETS if secret in repr(lines)]


@every_vendor
def test_problems_name_fields_and_no_values(vendor: Vendor) -> None:
    declared = vendor.CAPABILITIES
    problems = validate_account(declared.channel, declared.provider_type, {}, HOSTS)
    assert problems
    assert all(re.fullmatch(r"[a-zA-Z]+(\.[a-zA-Z]+)?", problem.field) for problem in problems)
    for garbage in ({"config": 7}, {"apiSecret": 5, "config": {"serviceAccount": "{"}}, {"accountSid": "x\ny"}):
        values: dict[str, Any] = garbage
        assert validate_account(declared.channel, declared.provider_type, values, HOSTS)


@every_vendor
async def test_a_host_must_be_official_or_allowed(vendor: Vendor) -> None:
    declared = vendor.CAPABILITIES
    for url in ("http://169.254.169.254", "file:///etc/passwd", "http://127.0.0.1@evil.example", "http://[", "x"):
        values = values_of(kind_of(vendor), url)
        problems = validate_account(declared.channel, declared.provider_type, values, HOSTS)
        assert problems[0].field == "config.baseUrl", url
        wire = Wire(allowed_hosts=HOSTS)
        with pytest.raises(ValueError, match="PROVIDER_HOST_ALLOWLIST"):
            open_provider(declared.channel, declared.provider_type, values, wire)
        await wire.close()


@every_vendor
@pytest.mark.parametrize("url", [f"{BASE}/?x=1", f"{BASE}/mock#x", "http://user:password@127.0.0.1:9"])
def test_a_place_is_a_host_and_a_path(vendor: Vendor, url: str) -> None:
    declared = vendor.CAPABILITIES
    problems = validate_account(declared.channel, declared.provider_type, values_of(kind_of(vendor), url), HOSTS)
    assert problems[0] == interface.Problem("config.baseUrl", "must be a scheme, a host, and perhaps a port and a path")


@every_vendor
async def test_verification_tells_working_credentials_from_others(vendor: Vendor) -> None:
    declared = vendor.CAPABILITIES
    for answer, works in (
        (answer_of(kind_of(vendor), "verified"), True),
        (b"HTTP/1.1 403 No\r\ncontent-length: 2\r\n\r\n{}", False),
    ):
        async with server(saying(answer)) as heard:
            wire = Wire(allowed_hosts=HOSTS, timeout_seconds=5)
            values = values_of(kind_of(vendor), heard.url)
            provider = open_provider(declared.channel, declared.provider_type, values, wire)
            assert (await provider.verify()).works is works
            await wire.close()


@every_vendor
def test_an_unsigned_callback_is_refused(vendor: Vendor) -> None:
    kind = kind_of(vendor)
    callback = CallbackRequest(method="POST", url=BASE, headers={}, body=b"MessageSid=SM1&MessageStatus=delivered")
    assert not vendor.is_genuine(vendor.account(values_of(kind, BASE)), callback)


def test_every_vendor_has_fixtures() -> None:
    assert set(VENDORS) == set(KIND_OF)
    assert all((folder_of(kind) / "answers.json").exists() for kind in KINDS)


# --- callbacks, signed by the vendors' own code ----------------------------------------------------------------------

SIGNING = [kind for kind in KINDS if (folder_of(kind) / "genuine.py").exists()]
CALLBACKS = 1_000
calling = pytest.mark.parametrize("kind", SIGNING)


def _signing(kind: str) -> Callable[..., CallbackRequest]:
    found = spec_from_file_location(f"genuine_{kind}", folder_of(kind) / "genuine.py")
    assert found is not None
    assert found.loader is not None
    module = module_from_spec(found)
    found.loader.exec_module(module)
    made: Callable[..., CallbackRequest] = module.callback
    return made


def test_every_vendor_that_calls_is_judged_by_signed_callbacks() -> None:
    calls = {kind_of(vendor) for vendor in VENDORS.values() if vendor.CAPABILITIES.receipts in ("webhook", "log")}
    assert calls == set(SIGNING)


@calling
def test_a_thousand_genuine_callbacks_are_taken_and_read(kind: str) -> None:
    vendor, values = vendor_of(kind), values_of(kind, BASE)
    account, make = vendor.account(values), _signing(kind)
    for number in range(CALLBACKS):
        callback = make(values, number)
        assert vendor.is_genuine(account, callback)
        contents = vendor.read_callback(account, callback)
        assert contents.receipts or contents.inbound
        assert vendor.read_callback(account, callback) == contents


@calling
def test_a_thousand_forged_callbacks_are_refused(kind: str) -> None:
    """Signed with another secret; genuine but for one byte of the body; genuine but for a missing header."""
    vendor, values = vendor_of(kind), values_of(kind, BASE)
    account, make = vendor.account(values), _signing(kind)
    signs_body = sample_of(kind).get("signsBody", True)
    for number in range(CALLBACKS):
        callback = make(values, number)
        forged = [make(values, number, "another-secret"), msgspec.structs.replace(callback, headers={})]
        if signs_body:
            at = number % len(callback.body)
            body = callback.body[:at] + bytes([callback.body[at] ^ 1]) + callback.body[at + 1 :]
            forged.append(msgspec.structs.replace(callback, body=body))
        assert not [one for one in forged if vendor.is_genuine(account, one)]
