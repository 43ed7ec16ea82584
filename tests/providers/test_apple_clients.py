"""What Apple is sent, compared field by field with what two other clients send for the same push."""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from typing import Any

import jwt
import msgspec
import pytest
from aioapns import APNs, NotificationRequest
from aioapns.common import PushType
from aioapns.connection import APNsTLSClientProtocol
from cryptography.x509.oid import NameOID

from shared.providers.provider import Accepted, Message, boottime
from shared.providers.registry import open_provider
from shared.providers.wire import open_wire
from tests.oracles import oracle
from tests.providers.recorder import differing
from tests.providers.samples import apple_key, message_of, values_of
from tests.providers.servers import Heard, saying, server
from tests.providers.test_tls import APP, HOSTS, Trust, trust

__all__ = ["trust"]

ID = "00000000-0000-0000-0000-000000000001"
TOKEN_SECONDS = 2400
"""How long we keep a provider token."""

ANSWER = b"HTTP/1.1 200 OK\r\napns-id: %b\r\ncontent-length: 0\r\n\r\n" % ID.encode()

_OF_HTTP = {
    "user-agent": "ours says its name; node-apn says its own, aioapns none",
    "accept": "libcurl says that anything will do",
    "content-type": "ours says that it is JSON, which Apple takes for granted",
    "content-length": "ours says how long the body is, which HTTP/2 knows anyway",
}
_OF_AIOAPNS = _OF_HTTP | {
    "host": "aioapns names the server as HTTP/1.1 does",
    ":authority": "ours names it as RFC 9113 has it",
}
_OF_NODE_APN = _OF_HTTP | {
    ":authority": "node-apn leaves the port out",
}
"""The headers that differ, and why."""

MESSAGES = {
    "plain": message_of("apns"),
    "rich": msgspec.structs.replace(
        message_of("apns"),
        text="Grüße 😀",
        image_url="https://cdn.example/a.png",
        action_url="https://shop.example/sale?x=1&y=ü",
        data={"kind": "sale"},
        urgent=True,
    ),
    "short": msgspec.structs.replace(message_of("apns"), title=None, report_url=None, collapse_id=None),
}


def payload_of(message: Message) -> dict[str, Any]:
    """What the app gets besides Apple's part."""
    named = {"reportUrl": message.report_url, "actionUrl": message.action_url, "imageUrl": message.image_url}
    return {**(message.data or {}), **{name: value for name, value in named.items() if value is not None}}


def alert_of(message: Message) -> dict[str, str]:
    return {"body": message.text} if message.title is None else {"title": message.title, "body": message.text}


async def send_ours(heard: Heard, trust: Trust, certificate: str | None, message: Message) -> None:
    values = values_of("apns", heard.url)
    values["config"]["caFile"] = trust.ca_file
    if certificate is not None:
        values["config"] |= {"certificate": certificate, "keyId": "", "teamId": "", "topic": "", "privateKey": ""}
    async with open_wire(allowed_hosts=HOSTS, timeout_seconds=10) as wire:
        assert await open_provider("push", "apns", values, wire).send([message], boottime() + 30) == [Accepted(ID)]


async def send_by_aioapns(heard: Heard, trust: Trust, certificate: str | None, message: Message) -> None:
    class Local(APNsTLSClientProtocol):
        APNS_SERVER = "127.0.0.1"
        APNS_PORT = port_of(heard)

    context = ssl.create_default_context(cafile=trust.ca_file)
    context.set_alpn_protocols(["h2"])
    if certificate is None:
        keys = {"key": apple_key(), "key_id": "KEY1234567", "team_id": "TEAM123456", "topic": APP}
    else:
        (trust.folder / "client.pem").write_text(certificate)
        keys = {"client_cert": str(trust.folder / "client.pem")}
    client = APNs(**keys, ssl_context=context)
    client.pool.protocol_class = Local
    aps: dict[str, Any] = {"alert": alert_of(message), "sound": "default"}
    aps |= {} if message.image_url is None else {"mutable-content": 1}
    notification = NotificationRequest(
        device_token=str(message.address),
        message={**payload_of(message), "aps": aps},
        notification_id=ID,
        time_to_live=message.ttl_seconds,
        priority=10 if message.urgent else 5,
        collapse_key=message.collapse_id,
        push_type=PushType.ALERT,
    )
    async with asyncio.timeout(30):
        assert (await client.send_notification(notification)).is_successful
    client.pool.close()


async def send_by_node_apn(heard: Heard, trust: Trust, certificate: str | None, message: Message) -> None:
    token = {"key": apple_key(), "keyId": "KEY1234567", "teamId": "TEAM123456"}
    options = {"token": token} if certificate is None else {"cert": certificate, "key": certificate}
    server = {"address": "127.0.0.1", "port": port_of(heard), "ca": (trust.folder / "ca.pem").read_text()}
    notification = {
        "id": ID,
        "topic": APP,
        "pushType": "alert",
        "priority": 10 if message.urgent else 5,
        "expiry": int(time.time()) + (message.ttl_seconds or 0),
        "alert": alert_of(message),
        "sound": "default",
        "payload": payload_of(message),
    }
    if message.image_url is not None:
        notification["mutableContent"] = True
    if message.collapse_id is not None:
        notification["collapseId"] = message.collapse_id
    question = {"options": options | server, "notification": notification, "device": str(message.address)}
    assert await asyncio.to_thread(oracle, "apns.js", question) == {"sent": 1, "failed": []}


def port_of(heard: Heard) -> int:
    return int(heard.url.rpartition(":")[2])


def token_of(headers: dict[str, str]) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """The scheme, and the token's header and claims."""
    scheme, _, token = headers.pop("authorization").partition(" ")
    return scheme, jwt.get_unverified_header(token), jwt.decode(token, options={"verify_signature": False})


@pytest.mark.parametrize(("send", "other_headers"), [(send_by_aioapns, _OF_AIOAPNS), (send_by_node_apn, _OF_NODE_APN)])
@pytest.mark.parametrize("by_certificate", [False, True])
@pytest.mark.parametrize("name", MESSAGES)
async def test_a_push_as_another_client_sends_it(
    trust: Trust, send: Any, other_headers: dict[str, str], by_certificate: bool, name: str
) -> None:
    certificate = trust.authority.issue((NameOID.USER_ID, APP)) if by_certificate else None
    async with server(saying(ANSWER), trust.context(clients=by_certificate)) as heard:
        await send_ours(heard, trust, certificate, MESSAGES[name])
        await send(heard, trust, certificate, MESSAGES[name])
    ours, theirs = heard.headers
    times = [int(headers.pop("apns-expiration")) for headers in (ours, theirs)]
    assert abs(times[0] - times[1]) <= 30
    if not by_certificate:
        (scheme, head, claims), (other_scheme, other_head, other_claims) = token_of(ours), token_of(theirs)
        assert (scheme.lower(), head, claims["iss"]) == (other_scheme.lower(), other_head, other_claims["iss"])
        assert claims.keys() == other_claims.keys() == {"iss", "iat"}
        assert -30 <= other_claims["iat"] - claims["iat"] <= TOKEN_SECONDS  # ours is kept for all accounts of its key
    assert differing(ours, theirs) == other_headers.keys()
    assert json.loads(heard.requests[0]) == json.loads(heard.requests[1])
