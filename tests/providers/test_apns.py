"""Apple: one connection and one provider token for many pushes, and an outcome for each whatever becomes of it."""

from __future__ import annotations

import asyncio
import json
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import jwt
import pytest
from aioapns import APNs, NotificationRequest
from aioapns.connection import APNsTLSClientProtocol
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from shared.providers import apns
from shared.providers.provider import Accepted, Deferred, HttpAnswer, Outcome, Refused, Unknown, boottime
from shared.providers.registry import open_provider, validate_account
from shared.providers.wire import Wire
from tests.provider_simulator.conftest import Simulated, simulated
from tests.providers.samples import APPLE_TOKEN, TEXT, apple_key, message_of, values_of
from tests.providers.servers import OK_ANSWER, saying, server

__all__ = ["simulated"]
HOSTS = frozenset({"127.0.0.1"})
BASE = "http://127.0.0.1:9"


async def sent_to(url: str, count: int, timeout_seconds: float = 5.0) -> list[Outcome]:
    wire = Wire(allowed_hosts=HOSTS, timeout_seconds=timeout_seconds)
    try:
        provider = open_provider("push", "apns", values_of("apns", url), wire)
        return await provider.send([message_of("apns", n) for n in range(1, count + 1)], boottime() + 30)
    finally:
        await wire.close()


def headers_of(request: Any) -> dict[str, str]:
    return dict(line.split(": ", 1) for line in request.headers)


# --- what leaves -----------------------------------------------------------------------------------------------------


def test_a_push_as_apple_wants_it() -> None:
    account = apns.account(values_of("apns", BASE))
    request = apns.request(account, message_of("apns"))
    headers = headers_of(request)
    assert request.url == f"{BASE}/3/device/{APPLE_TOKEN}"
    assert headers["apns-topic"] == "com.example.shop"
    assert (headers["apns-push-type"], headers["apns-priority"]) == ("alert", "5")
    assert headers["apns-id"] == "00000000-0000-0000-0000-000000000001"
    assert headers["apns-collapse-id"] == "collapse-1"
    payload = json.loads(request.body)
    assert payload["aps"]["alert"] == {"title": "News", "body": TEXT}
    assert payload["reportUrl"].endswith("/t/c2lnbmVkLXJlZmVyZW5jZQ")


def test_the_provider_token_is_signed_with_the_key_and_shared() -> None:
    account = apns.account(values_of("apns", BASE))
    first, second = (headers_of(apns.request(account, message_of("apns", n)))["authorization"] for n in (1, 2))
    assert first == second
    public = load_pem_private_key(apple_key().encode(), None).public_key()
    token = first.removeprefix("bearer ")
    assert jwt.decode(token, public, algorithms=["ES256"])["iss"] == "TEAM123456"  # type: ignore[arg-type]
    assert jwt.get_unverified_header(token)["kid"] == "KEY1234567"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"privateKey": "-----BEGIN PRIVATE KEY-----\nnothing\n-----END PRIVATE KEY-----"}, "config.privateKey"),
        ({"topic": "com.example\r\nx: y"}, "config.topic"),
        ({"keyId": ""}, "config.keyId"),
        ({"port": "443"}, "config.port"),
        ({"host": "evil.example", "baseUrl": ""}, "config.host"),
    ],
)
def test_unusable_accounts_are_refused_by_field(change: dict[str, Any], field: str) -> None:
    values = values_of("apns", BASE)
    values["config"] |= change
    assert [problem.field for problem in validate_account("push", "apns", values, HOSTS)] == [field]


def test_the_sandbox_is_apples_other_host() -> None:
    values = values_of("apns", "")
    assert apns.account(values).base_url == "https://api.push.apple.com"
    values["config"]["sandbox"] = True
    assert apns.account(values).base_url == "https://api.sandbox.push.apple.com"


def test_apple_says_since_when_a_token_is_dead() -> None:
    account, message = apns.account(values_of("apns", BASE)), message_of("apns")
    said = {"reason": "Unregistered", "timestamp": 1_790_000_000_000}
    outcome = apns.outcome(account, message, HttpAnswer(410, json.dumps(said).encode()))
    assert outcome == Refused("recipient_permanent", "Unregistered", datetime(2026, 9, 21, 14, 13, 20, tzinfo=UTC))
    for strange in (1e30, -1e30, float(2**60)):
        answer = HttpAnswer(410, json.dumps(said | {"timestamp": strange}).encode())
        assert apns.outcome(account, message, answer) == Refused("recipient_permanent", "Unregistered")


# --- provider tokens -------------------------------------------------------------------------------------------------


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """Seconds that have passed beyond the clock's; there is no token yet."""
    passed = [0.0]
    monkeypatch.setattr(apns, "boottime", lambda: boottime() + passed[0])
    monkeypatch.setattr(apns, "_TOKENS", OrderedDict())
    return passed


def never(_request: Any) -> HttpAnswer:
    raise AssertionError("minting needs no request")


def test_a_token_that_apple_calls_expired_is_minted_anew_but_not_often(clock: list[float]) -> None:
    account = apns.account(values_of("apns", BASE))
    refused = apns.request(account, message_of("apns"))
    for passed in (0, 1199):
        clock[0] = passed
        step = apns.authorize(account, refused)
        assert step is not None
        assert step(never) == Refused("config", "ExpiredProviderToken")
    clock[0] = 1201
    steps = [apns.authorize(account, refused) for _ in range(2)]
    assert [step(never) for step in steps if step] == [None, None], "the second finds what the first has minted"
    renewed = apns.request(account, message_of("apns"))
    assert headers_of(renewed)["authorization"] != headers_of(refused)["authorization"]
    assert apns.authorize(account, refused) is None, "somebody else has minted one meanwhile"
    again = apns.authorize(account, renewed)
    assert again is not None
    assert again(never) == Refused("config", "ExpiredProviderToken"), "the new one is no older for that"


def test_a_key_has_one_token_for_twenty_to_sixty_minutes(clock: list[float]) -> None:
    """However many accounts hold it, however often they are made anew, and whatever Apple says of the token."""
    minted: list[tuple[float, str]] = []
    for minute in range(600):
        clock[0] = minute * 60.0
        for topic in ("com.example.shop", "com.example.club"):
            values = values_of("apns", BASE)
            values["config"]["topic"] = topic
            account = apns.account(values)
            refused = apns.request(account, message_of("apns")) if minute % 7 == 0 and minute > 300 else None
            if (step := apns.authorize(account, refused)) is not None:
                step(never)
            token = headers_of(apns.request(account, message_of("apns")))["authorization"]
            if not minted or minted[-1][1] != token:
                minted.append((clock[0], token))
    apart = [after - before for (before, _), (after, _) in pairwise(minted)]
    assert min(apart) >= 1200
    assert max(apart) <= 3600
    assert len(apart) > 10


# --- on the wire -----------------------------------------------------------------------------------------------------


async def test_many_pushes_share_few_connections() -> None:
    async with server(saying(OK_ANSWER)) as heard:
        outcomes = await sent_to(heard.url, 400, 20)
    assert [type(outcome) for outcome in outcomes] == [Accepted] * 400
    assert len(heard.requests) == 400
    assert heard.connections <= 4


@pytest.mark.parametrize("answered", [0, 1, 60])
async def test_a_connection_that_breaks_leaves_nothing_sent_unnoticed(answered: int) -> None:
    """What the server heard is accepted or unknown; only what it did not hear may be sent again."""

    async def behave(writer: asyncio.StreamWriter, number: int) -> bool:
        if number < answered:
            return await saying(OK_ANSWER)(writer, number)
        return False

    async with server(behave) as heard:
        outcomes = await sent_to(heard.url, 120, 1.0)
    count = Counter(type(outcome) for outcome in outcomes)
    assert sum(count.values()) == 120
    assert set(count) <= {Accepted, Unknown, Deferred}
    heard_of = {_title(body) for body in heard.requests}
    assert len(heard_of) == len(heard.requests), "nothing was written twice"
    assert len(heard_of) <= count[Accepted] + count[Unknown]


def _title(body: bytes) -> str:
    return str(json.loads(body)["reportUrl"])


async def test_each_of_many_pushes_ends_once_whatever_happens(simulated: Simulated) -> None:
    faults = {
        "dead_address": 0.02,
        "throttled": 0.01,
        "server_error": 0.01,
        "accept_then_close": 0.005,
        "accept_then_hang": 0.005,
    }
    await simulated.set_faults(rates=faults, hang_seconds=60)
    outcomes = await sent_to(simulated.url, 2_000, 2.0)
    log = await simulated.log()
    assert len(outcomes) == 2_000
    assert len({entry["address"] for entry in log}) == len(log), "nothing was written twice"
    accepted = {entry["address"] for entry in log if entry["accepted"]}
    for number, outcome in enumerate(outcomes, 1):
        got_it = str(message_of("apns", number).address) in accepted
        assert got_it if isinstance(outcome, Accepted) else not got_it or isinstance(outcome, Unknown)
    assert {Accepted, Refused, Deferred, Unknown} == {type(outcome) for outcome in outcomes}


# --- the simulator, judged by a client that is not ours --------------------------------------------------------------


async def aioapns_results(url: str, *requests: NotificationRequest) -> list[tuple[str, str | None]]:
    class Local(APNsTLSClientProtocol):
        APNS_SERVER = "127.0.0.1"
        APNS_PORT = int(url.rpartition(":")[2])

    client = APNs(key=apple_key(), key_id="KEY1234567", team_id="TEAM123456", topic="com.example.shop")
    client.pool.protocol_class = Local
    client.pool.ssl_context = None  # type: ignore[attr-defined]
    async with asyncio.timeout(10):
        results = [await client.send_notification(request) for request in requests]
    client.pool.close()
    return [(result.status, result.description) for result in results]


async def test_aioapns_is_answered_as_apple_would(simulated: Simulated) -> None:
    results = await aioapns_results(
        simulated.url,
        NotificationRequest(APPLE_TOKEN, {"aps": {"alert": "Hi"}}, time_to_live=60),
        NotificationRequest(APPLE_TOKEN, {}),
        NotificationRequest("not-hex", {"aps": {"alert": "Hi"}}),
        NotificationRequest(APPLE_TOKEN, {"aps": {"alert": "x" * 5000}}),
    )
    assert results == [("200", None), ("400", "PayloadEmpty"), ("400", "BadDeviceToken"), ("413", "PayloadTooLarge")]
    (entry,) = await simulated.log()
    assert (entry["provider"], entry["account"], entry["address"]) == ("apns", "com.example.shop", APPLE_TOKEN)


async def test_wrong_credentials_are_told_from_working_ones(simulated: Simulated) -> None:
    for key_id, works in (("KEY1234567", True), ("WRONG12345", False)):
        values = values_of("apns", simulated.url)
        values["config"]["keyId"] = key_id
        wire = Wire(allowed_hosts=HOSTS, timeout_seconds=5)
        assert (await open_provider("push", "apns", values, wire).verify()).works is works
        await wire.close()
    assert await simulated.log() == []


async def test_twenty_thousand_pushes_have_one_outcome_each_whatever_the_server_does(simulated: Simulated) -> None:
    """Error answers, stream resets, refused streams, silent streams, and a server that says goodbye in the middle."""
    rates = {
        **{"dead_address": 0.03, "server_error": 0.01, "throttled": 0.01, "accept_then_close": 0.005},
        **{"refused_stream": 0.002, "accept_then_hang": 0.001, "goaway": 0.0005, "app_delivered": 0},
    }
    await simulated.set_faults(rates=rates, hang_seconds=60)
    heard: Counter[int] = Counter()
    wire = Wire(allowed_hosts=HOSTS, timeout_seconds=10)
    provider = open_provider("push", "apns", values_of("apns", simulated.url), wire)
    token = provider._account.token  # type: ignore[attr-defined]
    header = token.header
    messages = [message_of("apns", number) for number in range(1, 20_001)]
    outcomes = await provider.send(messages, boottime() + 120, lambda index, _: heard.update([index]))
    await wire.close()
    assert token.header == header, "one provider token for all"
    assert len(heard) == 20_000
    assert set(heard.values()) == {1}
    kinds = Counter(type(outcome) for outcome in outcomes)
    assert set(kinds) == {Accepted, Refused, Deferred, Unknown}
    assert kinds[Accepted] > 15_000
    sends: Counter[str] = Counter()
    answers: dict[str, set[str]] = defaultdict(set)
    for entry in await simulated.log():
        sends[entry["address"]] += entry["accepted"]
        answers[entry["address"]].add(entry["answer"])
    assert max(sends.values()) == 1, "nothing went twice"
    for message, outcome in zip(messages, outcomes, strict=True):
        if not isinstance(outcome, Unknown):
            assert sends[str(message.address)] == isinstance(outcome, Accepted)
        else:
            assert answers[str(message.address)] != {"refused_stream"}, "what was refused is not unknown"
    unknowns = Counter(outcome.reason for outcome in outcomes if isinstance(outcome, Unknown))
    assert set(unknowns) <= {"server_error", "stream_reset", "timeout", "connection_lost"}
    assert unknowns["connection_lost"] < 100, "a goodbye makes unknown only what the server had taken"
