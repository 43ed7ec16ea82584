"""Firebase: one token for everybody, fetched again once when it is refused; messages as pyfcm builds them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import msgspec

from contracts.masked import DeviceToken
from shared.providers import fcm
from shared.providers.provider import Accepted, Deferred, Outcome, Refused, boottime
from shared.providers.registry import open_provider, validate_account
from shared.providers.wire import Wire
from tests.providers.samples import REFERENCE, TEXT, TOKEN, message_of, values_of


@dataclass
class Google:
    """A token endpoint and a send endpoint in one."""

    url: str = ""
    token_status: int = 200
    token_body: bytes = b""
    good_from: int = 1
    tokens: int = 0
    authorizations: list[str] = field(default_factory=list)


@asynccontextmanager
async def google() -> AsyncIterator[Google]:
    state = Google()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = int(head.lower().partition("content-length:")[2].split("\r\n")[0])
                await reader.readexactly(length)
                if " /token " in head:
                    state.tokens += 1
                    status, body = state.token_status, state.token_body
                    if status == 200:
                        body = json.dumps({"access_token": f"t{state.tokens}", "expires_in": 3600}).encode()
                else:
                    token = head.partition("Bearer ")[2].split("\r\n")[0]
                    state.authorizations.append(token)
                    status = 200 if int(token[1:]) >= state.good_from else 401
                    body = b'{"name":"projects/shop/messages/1"}'
                writer.write(b"HTTP/1.1 %d -\r\ncontent-length: %d\r\n\r\n%b" % (status, len(body), body))
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    state.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    async with listening:
        yield state


async def sends(state: Google, batches: int) -> list[list[Outcome]]:
    wire = Wire(allowed_hosts=frozenset({"127.0.0.1"}), timeout_seconds=2)
    provider = open_provider("push", "firebase", values_of("firebase", state.url), wire)
    try:
        messages = [message_of("firebase", number) for number in range(20)]
        return await asyncio.gather(*(provider.send(messages, boottime() + 30) for _ in range(batches)))
    finally:
        await provider.close()
        await wire.close()


async def test_one_token_serves_all_batches() -> None:
    async with google() as state:
        batches = await sends(state, 5)
    assert state.tokens == 1
    assert all(isinstance(outcome, Accepted) for batch in batches for outcome in batch)


async def test_accounts_of_one_service_account_share_its_token() -> None:
    async with google() as state:
        await asyncio.gather(sends(state, 2), sends(state, 2))
    assert state.tokens == 1


async def test_a_refused_token_is_replaced_once() -> None:
    async with google() as state:
        state.good_from = 2
        batches = await sends(state, 3)
    assert state.tokens == 2
    assert all(isinstance(outcome, Accepted) for batch in batches for outcome in batch)


async def test_a_token_refused_again_is_a_matter_of_configuration() -> None:
    async with google() as state:
        state.good_from = 99
        ((first, *_),) = await sends(state, 1)
    assert first == Refused("config", "401")
    assert state.tokens == 2
    assert len(state.authorizations) == 40


async def test_refused_credentials_are_a_matter_of_configuration() -> None:
    async with google() as state:
        state.token_status, state.token_body = 400, b'{"error":"invalid_grant"}'
        ((first, *_),) = await sends(state, 1)
    assert first == Refused("config", "invalid_grant")
    assert state.authorizations == []


async def test_an_unreachable_token_endpoint_defers() -> None:
    async with google() as state:
        url = state.url
    gone = Google(url=url)
    ((first, *_),) = await sends(gone, 1)
    assert isinstance(first, Deferred)
    assert first.reason == "authorization"


def test_the_message_says_where_the_app_reports() -> None:
    account = fcm.account(values_of("firebase", "http://127.0.0.1:9"))
    sent = json.loads(fcm.request(account, message_of("firebase")).body)["message"]
    assert sent["token"] == TOKEN
    assert sent["notification"] == {"title": "News", "body": TEXT}
    assert sent["data"] == {"reportUrl": f"http://127.0.0.1:9/t/{REFERENCE}"}
    assert sent["android"] == {"priority": "NORMAL", "ttl": "600s", "notification": {"tag": "collapse-1"}}
    assert sent["apns"]["headers"]["apns-collapse-id"] == "collapse-1"


def test_an_installation_id_is_no_token() -> None:
    account = fcm.account(values_of("firebase", "http://127.0.0.1:9"))
    message = msgspec.structs.replace(message_of("firebase"), address=DeviceToken("dIsVQ2QVRT-TW7L6VfeAMh"))
    sent = json.loads(fcm.request(account, message).body)["message"]
    assert sent["fid"] == "dIsVQ2QVRT-TW7L6VfeAMh"
    assert "token" not in sent


def test_the_token_endpoint_must_be_allowed_too() -> None:
    values = values_of("firebase", "http://127.0.0.1:9")
    account = fcm.account(values)
    assert ("config.serviceAccount", "http://127.0.0.1:9/token") in account.hosts()


def test_a_broken_key_is_a_problem_of_its_field() -> None:
    values = values_of("firebase", "http://127.0.0.1:9")
    info = values["config"]["serviceAccount"]
    values["config"]["serviceAccount"] = {**info, "private_key": "-----BEGIN PRIVATE KEY-----\nMII\n"}
    (problem,) = validate_account("push", "firebase", values, frozenset({"127.0.0.1"}))
    assert problem.field == "config.serviceAccount"
    assert "MII" not in problem.message
