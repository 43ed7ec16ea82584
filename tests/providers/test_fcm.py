"""Firebase: one token for everybody, fetched again once when it is refused; messages as pyfcm builds them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import firebase_admin
import jwt
import msgspec
import pytest
from firebase_admin import credentials, messaging
from googleapiclient import discovery_cache

from contracts.masked import DeviceToken
from shared.providers import fcm
from shared.providers.provider import Accepted, Deferred, Message, Outcome, Refused, boottime
from shared.providers.registry import open_provider, validate_account
from shared.providers.wire import Wire, open_wire
from tests.providers.recorder import Recorded, differing, recording
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


# --- judged by Google's own clients -----------------------------------------------------------------------------------

TOKEN_AND_NAME = b'{"access_token":"t1","expires_in":3600,"token_type":"Bearer","name":"projects/shop/messages/1"}'
INSTALLATION = "dIsVQ2QVRT-TW7L6VfeAMh"

_OTHER_HEADERS = {
    "user-agent": "each says its own name",
    "accept-encoding": "answers are short, so ours are not compressed",
    "connection": "the SDK states what HTTP/1.1 means without saying",
    "content-length": "of bodies that differ as declared",
}
_OTHER_HEADERS_OF_MESSAGES = _OTHER_HEADERS | {
    "x-firebase-client": "the SDK's name again",
    "x-goog-api-client": "google-auth's name again",
    "x-goog-api-format-version": "errors in the form of version 2, which HTTP v1 has anyway",
}
_OTHER_FIELDS = {
    "validate_only": "pyfcm states the default, which the SDK leaves out",
    "message.android.priority": "an enumerator: ours is written as in the reference, the SDK's as in version 1 of old",
}


def rich(address: str, urgent: bool) -> Message:
    return msgspec.structs.replace(
        message_of("firebase"),
        address=DeviceToken(address),
        image_url="https://cdn.example/a.png?x=1&y=ü",
        action_url="https://shop.example/sale",
        data={"kind": "sale", "emoji": "😀"},
        urgent=urgent,
    )


async def recorded(monkeypatch: pytest.MonkeyPatch, message: Message) -> list[Recorded]:
    """Our request for a token and for the message, and then both of the SDK."""
    with recording(200, TOKEN_AND_NAME) as recorder:
        values = values_of("firebase", recorder.url)
        async with open_wire(allowed_hosts=frozenset({"127.0.0.1"})) as wire:
            provider = open_provider("push", "firebase", values, wire)
            assert await provider.send([message], boottime() + 30) == [Accepted("projects/shop/messages/1")]
        ours = json.loads(recorder.requests[-1].body)["message"]
        monkeypatch.setattr(messaging._MessagingService, "FCM_URL", f"{recorder.url}/v1/projects/{{0}}/messages:send")
        app = firebase_admin.initialize_app(credentials.Certificate(values["config"]["serviceAccount"]), name="judge")
        try:
            await asyncio.to_thread(messaging.send, as_the_sdk_says_it(message, ours), app=app)
        finally:
            await asyncio.to_thread(firebase_admin.delete_app, app)
    return recorder.requests


def as_the_sdk_says_it(message: Message, ours: Mapping[str, Any]) -> messaging.Message:
    """The same in the SDK's words; only the time of expiry, which the clock gives, is taken from ours."""
    target = {"fid" if len(message.address) == len(INSTALLATION) else "token": str(message.address)}
    return messaging.Message(
        **target,
        notification=messaging.Notification("News", message.text, message.image_url),
        data={**(message.data or {}), "reportUrl": message.report_url, "actionUrl": message.action_url},
        android=messaging.AndroidConfig(
            priority="high" if message.urgent else "normal",
            ttl=message.ttl_seconds,
            notification=messaging.AndroidNotification(tag=message.collapse_id),
        ),
        apns=messaging.APNSConfig(
            headers={
                "apns-priority": "10" if message.urgent else "5",
                "apns-collapse-id": message.collapse_id,
                "apns-expiration": ours["apns"]["headers"]["apns-expiration"],
            }
        ),
    )


@pytest.mark.parametrize("address", [TOKEN, INSTALLATION])
@pytest.mark.parametrize("urgent", [True, False])
async def test_a_message_as_firebases_own_client_sends_it(
    monkeypatch: pytest.MonkeyPatch, address: str, urgent: bool
) -> None:
    _, ours, _, theirs = await recorded(monkeypatch, rich(address, urgent))
    assert (ours.method, ours.path) == (theirs.method, theirs.path)
    assert differing(ours.json, theirs.json) == _OTHER_FIELDS.keys()
    assert ours.json["message"]["android"]["priority"] == theirs.json["message"]["android"]["priority"].upper()
    assert differing(ours.headers, theirs.headers) == _OTHER_HEADERS_OF_MESSAGES.keys()


async def test_a_token_is_asked_for_as_by_googles_own_client(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, _, theirs, _ = await recorded(monkeypatch, rich(TOKEN, urgent=False))
    assert (ours.method, ours.path) == (theirs.method, theirs.path)
    assert differing(ours.headers, theirs.headers) == _OTHER_HEADERS.keys()
    assert differing(ours.form, theirs.form) == {"assertion"}
    headers, claims = zip(*(assertion_of(one) for one in (ours, theirs)), strict=True)
    assert headers[0] == headers[1]
    assert differing(*claims) - {"iat", "exp"} == {"scope"}, "the SDK asks for all of Google Cloud, we for messaging"
    send = google_says()["resources"]["projects"]["resources"]["messages"]["methods"]["send"]
    assert claims[0]["scope"] in send["scopes"]
    assert claims[0]["exp"] - claims[0]["iat"] == claims[1]["exp"] - claims[1]["iat"] == 3600


def assertion_of(request: Recorded) -> tuple[dict[str, Any], dict[str, Any]]:
    """The header and the claims of a signed assertion."""
    assertion = request.form["assertion"]
    return jwt.get_unverified_header(assertion), jwt.decode(assertion, options={"verify_signature": False})


def google_says() -> dict[str, Any]:
    """Google's own description of the API."""
    path = Path(discovery_cache.__path__[0]) / "documents" / "fcm.v1.json"
    described: dict[str, Any] = json.loads(path.read_text())
    return described


def unknown_to(schemas: Mapping[str, Any], name: str, value: Mapping[str, Any]) -> list[str]:
    """The fields that no schema has, or not with such values."""
    found = []
    for field_name, inner in value.items():
        stated = schemas[name]["properties"].get(field_name)
        if stated is None or ("enum" in stated and inner not in stated["enum"]):
            found.append(f"{name}.{field_name}")
        elif "$ref" in stated:
            found += unknown_to(schemas, stated["$ref"], inner)
        elif not isinstance(inner, {"string": str, "object": dict, "boolean": bool}[stated["type"]]):
            found.append(f"{name}.{field_name}")
    return found


def test_googles_description_of_the_api_has_every_field() -> None:
    schemas = google_says()["schemas"]
    account = fcm.account(values_of("firebase", "http://127.0.0.1:9"))
    requests = [fcm.request(account, rich(address, urgent=True)) for address in (TOKEN, INSTALLATION)]
    for request in (*requests, fcm.verification(account)):
        body = json.loads(request.body)
        assert unknown_to(schemas, "SendMessageRequest", body) == ["SendMessageRequest.validate_only"]
        body["validateOnly"] = body.pop("validate_only")  # Google reads names of fields in either way of writing
        assert unknown_to(schemas, "SendMessageRequest", body) == []
