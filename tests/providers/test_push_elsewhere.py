"""Push vendors behind other servers: a path before theirs, and answers that are right in another shape."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.providers.provider import Accepted, Outcome, boottime
from shared.providers.registry import open_provider, validate_account
from shared.providers.wire import open_wire
from tests.providers.samples import CHANNEL, TYPE, message_of, sample_of, values_of
from tests.providers.servers import Behaviour, saying, server

HOSTS = frozenset({"127.0.0.1"})
PUSH_KINDS = [kind for kind, channel in CHANNEL.items() if channel == "push"]
OVER_HTTP1 = [kind for kind in PUSH_KINDS if kind != "apns"]


def at(kind: str, url: str, path: str) -> dict[str, Any]:
    """An account at a server under a path; tokens are granted at the root."""
    values = values_of(kind, url)
    values["config"]["baseUrl"] = url + path
    return values


async def sent_to(kind: str, values: dict[str, Any]) -> Outcome:
    async with open_wire(allowed_hosts=HOSTS, timeout_seconds=10) as wire:
        provider = open_provider("push", TYPE[kind], values, wire)
        (outcome,) = await provider.send([message_of(kind, 1)], boottime() + 30)
    return outcome


def body_of(kind: str, **more: object) -> bytes:
    """What the vendor answers to what it takes, and where it is JSON with more fields."""
    body = sample_of(kind)["accepted"]["body"]
    return (body if isinstance(body, str) else json.dumps({**more, **body, **more})).encode()


def chunked(body: bytes) -> Behaviour:
    """An answer in pieces, after an interim one, with a charset and with headers that nobody knows."""
    pieces = b"".join(b"%x;n=1\r\n%b\r\n" % (len(part), part) for part in (body[:7], body[7:]) if part)
    return saying(
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nCONTENT-TYPE:application/json;  charset=UTF-8\r\n"
        b"x-emulator: yes\r\nserver: other\r\ntransfer-encoding: chunked\r\n\r\n%b0\r\nx-after: 1\r\n\r\n" % pieces
    )


@pytest.mark.parametrize("path", ["", "/", "/emulator", "/a/b%20c/"])
@pytest.mark.parametrize("kind", OVER_HTTP1)
async def test_an_answer_in_another_shape_is_the_same_answer(kind: str, path: str) -> None:
    async with server(chunked(body_of(kind, extra={"deep": [1, None]}))) as heard:
        outcome = await sent_to(kind, at(kind, heard.url, path))
    assert isinstance(outcome, Accepted)
    for request in heard.requests:
        assert request.split(b" ")[1].startswith(path.rstrip("/").encode() + b"/")
        assert b"//" not in request.split(b" ")[1]


@pytest.mark.parametrize("path", ["", "/", "/emulator/"])
async def test_apple_may_stand_under_a_path_without_tls(path: str) -> None:
    answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-type: application/json; charset=utf-8\r\n\r\n{}"
    async with server(saying(answer)) as heard:
        assert isinstance(await sent_to("apns", at("apns", heard.url, path)), Accepted)
    assert len(heard.requests) == 1


@pytest.mark.parametrize("kind", OVER_HTTP1)
@pytest.mark.parametrize("status", [400, 404, 422, 500])
@pytest.mark.parametrize("body", [b"<html>no</html>", b"null", b"[]", b'"text"', b'{"error":"text"}', b"\xff\xfe", b""])
async def test_a_stranger_condemns_nobody(kind: str, status: int, body: bytes) -> None:
    async with server(saying(b"HTTP/1.1 %d -\r\ncontent-length: %d\r\n\r\n%b" % (status, len(body), body))) as heard:
        outcome = await sent_to(kind, at(kind, heard.url, "/"))
    assert not isinstance(outcome, Accepted)
    assert getattr(outcome, "error_class", "") not in ("recipient_permanent", "recipient_opted_out")


@pytest.mark.parametrize("kind", PUSH_KINDS)
@pytest.mark.parametrize(
    "url",
    [
        "ftp://127.0.0.1", "127.0.0.1:80", "http://", "http://127.0.0.1/?x=1", "http://127.0.0.1/#x",
        "http://me:secret@127.0.0.1", "http://127.0.0.1:99999", "http://127.0.0.1\\@evil.example",
        "http://127.0.0.1/a b",
    ],
)  # fmt: skip
def test_what_is_no_base_url_is_refused(kind: str, url: str) -> None:
    values = values_of(kind, "http://127.0.0.1:9")
    values["config"]["baseUrl"] = url
    assert "config.baseUrl" in [problem.field for problem in validate_account("push", TYPE[kind], values, HOSTS)]
