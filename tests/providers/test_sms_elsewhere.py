"""SMS vendors played by somebody else: other places, other spellings of HTTP, other ways to write the same answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from shared.providers.provider import Accepted, Outcome, Verification, boottime
from shared.providers.registry import open_provider
from shared.providers.wire import Wire
from tests.providers.samples import TYPE, message_of, sample_of, values_of
from tests.providers.servers import saying, server

KINDS = ("twilio", "sns_sms", "nexmo", "nexmo-smsApi", "sinch")
PATHS = {
    "twilio": "/2010-04-01/Accounts/AC0123456789abcdef/Messages.json",
    "sns_sms": "/",
    "nexmo": "/v1/messages",
    "nexmo-smsApi": "/sms/json",
    "sinch": "/xms/v1/plan1/batches",
}
every_kind = pytest.mark.parametrize("kind", KINDS)


def body_of(kind: str) -> Any:
    if kind == "nexmo-smsApi":
        part = {"to": "4915000000001", "message-id": "0A00", "status": "0", "message-price": "0.0331"}
        return {"message-count": "1", "messages": [part]}
    return sample_of(kind)["accepted"]["body"]


def written(kind: str) -> bytes:
    body = body_of(kind)
    return body.encode() if isinstance(body, str) else json.dumps(body).encode()


def content_type_of(kind: str) -> bytes:
    return b"text/xml" if kind == "sns_sms" else b"application/json"


async def talk(kind: str, answer: bytes, keep: bool = True, prefix: str = "") -> tuple[Outcome, Verification, bytes]:
    """What becomes of a message and of a verification, and the head of the request that sent the message."""
    name, _, variant = kind.partition("-")
    async with server(saying(answer, keep)) as heard:
        wire = Wire(allowed_hosts=frozenset({"127.0.0.1"}), timeout_seconds=5)
        provider = open_provider("sms", TYPE[name], values_of(name, heard.url + prefix, variant or None), wire)
        (outcome,) = await provider.send([message_of(name, 1)], boottime() + 30)
        verification = await provider.verify()
        await wire.close()
    return outcome, verification, heard.requests[0].partition(b"\r\n\r\n")[0]


def plain(body: bytes, status: int = 200, *lines: bytes) -> bytes:
    head = (b"HTTP/1.1 %d Fine" % status, *lines, b"Content-Length: %d" % len(body))
    return b"\r\n".join((*head, b"", body))


def chunked(body: bytes, size: int, *trailers: bytes) -> bytes:
    parts = [body[start : start + size] for start in range(0, len(body), size)]
    head = b"HTTP/1.1 200 OK\r\nTRANSFER-ENCODING: Chunked\r\n\r\n"
    chunks = b"".join(b"%X;name=value\r\n%b\r\n" % (len(part), part) for part in parts)
    return head + chunks + b"\r\n".join((b"0", *trailers, b"", b""))


@every_kind
@pytest.mark.parametrize("prefix", ["", "/", "/mock", "/mock/", "/a/b.c/~d_e-f//", "/with%20space"])
async def test_a_place_with_a_path_is_kept(kind: str, prefix: str) -> None:
    outcome, _, head = await talk(kind, plain(written(kind)), prefix=prefix)
    assert isinstance(outcome, Accepted)
    line = head.split(b"\r\n")[0].decode()
    assert line == f"POST {prefix.rstrip('/')}{PATHS[kind]} HTTP/1.1"


ANSWERS: dict[str, Callable[[bytes, bytes], tuple[bytes, bool]]] = {
    "200": lambda body, _: (plain(body, 200), True),
    "201": lambda body, _: (plain(body, 201), True),
    "202": lambda body, _: (plain(body, 202), True),
    "charset": lambda body, kind: (plain(body, 200, b"CONTENT-TYPE: %b; charset=UTF-8" % kind), True),
    "no content type": lambda body, _: (plain(body, 200, b"content-type: text/html"), True),
    "folded spelling": lambda body, kind: (plain(body, 200, b"cOnTeNt-TyPe:%b" % kind, b"x-empty:"), True),
    "continue first": lambda body, _: (b"HTTP/1.1 100 Continue\r\n\r\n" + plain(body), True),
    "processing first": lambda body, _: (b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n" + plain(body), True),
    "chunks": lambda body, _: (chunked(body, 7), True),
    "chunks of a byte": lambda body, _: (chunked(body, 1), True),
    "chunks with trailers": lambda body, _: (chunked(body, 64, b"x-check: 1"), True),
    "until the end": lambda body, _: (b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n" + body, False),
    "http/1.0": lambda body, _: (b"HTTP/1.0 200 OK\r\n\r\n" + body, False),
    "bare newlines": lambda body, _: (b"HTTP/1.1 200 OK\ncontent-length: %d\n\n%b" % (len(body), body), True),
    "no reason": lambda body, _: (b"HTTP/1.1 200\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body), True),
    "many headers": lambda body, _: (plain(body, 200, *(b"x-%d: %b" % (n, b"v" * 200) for n in range(100))), True),
    "space around": lambda body, _: (plain(b"\r\n " + body + b"\n\t"), True),
    "byte order mark": lambda body, _: (plain(b"\xef\xbb\xbf" + body), True),
}


@every_kind
@pytest.mark.parametrize("answer", ANSWERS)
async def test_the_same_answer_in_another_dress_is_the_same(kind: str, answer: str) -> None:
    said, keep = ANSWERS[answer](written(kind), content_type_of(kind))
    outcome, _, _ = await talk(kind, said, keep)
    assert isinstance(outcome, Accepted)


def reworded(value: Any, by: str) -> Any:
    """The JSON with more in it, or with numbers where the vendor writes them as text."""
    if isinstance(value, dict):
        more = {"_links": {"self": {"href": "/x"}}, "nothing": None, "": [1]} if by == "more" else {}
        return {name: reworded(inner, by) for name, inner in value.items()} | more
    if isinstance(value, list):
        return [reworded(inner, by) for inner in value]
    is_number = by == "numbers" and isinstance(value, str) and value.replace(".", "", 1).isdecimal()
    return json.loads(value) if is_number and not (value[0] == "0" and value[1:2].isdecimal()) else value


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "sns_sms"])
@pytest.mark.parametrize("by", ["more", "numbers"])
async def test_json_with_more_in_it_or_numbers_for_text_is_read(kind: str, by: str) -> None:
    for style in ({"indent": 4}, {"separators": (",", ":")}, {"sort_keys": True}):
        outcome, _, _ = await talk(kind, plain(json.dumps(reworded(body_of(kind), by), **style).encode()))
        assert isinstance(outcome, Accepted)


@pytest.mark.parametrize(
    "xml",
    [
        '<PublishResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishResult><MessageId>m-1</MessageId>'
        "</PublishResult><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></PublishResponse>",
        "<?xml version='1.0' encoding='utf-8'?>\n<PublishResponse>\n  <PublishResult>\n    <MessageId>\n      m-1\n"
        "    </MessageId>\n  </PublishResult>\n</PublishResponse>\n",
        '<a:PublishResponse xmlns:a="x"><a:PublishResult><a:MessageId a:b="c">m-1</a:MessageId></a:PublishResult>'
        "</a:PublishResponse>",
        "<PublishResponse><PublishResult><SequenceNumber/><MessageId >m-1</MessageId ></PublishResult>"
        "</PublishResponse>",
    ],
)
async def test_xml_in_another_hand_is_read(xml: str) -> None:
    outcome, _, _ = await talk("sns_sms", plain(xml.encode()))
    assert outcome == Accepted("m-1")


@every_kind
@pytest.mark.parametrize("prefix", ["", "/mock/"])
async def test_an_account_is_verified_in_another_place_and_dress(kind: str, prefix: str) -> None:
    sample = sample_of(kind.partition("-")[0])
    said = (sample.get("verified") or sample["accepted"])["body"]
    body = said.encode() if isinstance(said, str) else json.dumps(reworded(said, "more")).encode()
    _, verification, _ = await talk(kind, chunked(b"\xef\xbb\xbf" + body, 9), prefix=prefix)
    assert verification.works
