"""Twilio's signature against its own validator, and the question after an unknown outcome."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from twilio.http.http_client import TwilioHttpClient
from twilio.http.response import Response
from twilio.request_validator import RequestValidator
from twilio.rest import Client

from shared.providers import twilio
from shared.providers.forms import form_quoted
from shared.providers.provider import (
    Absent,
    Accepted,
    CallbackMalformed,
    CallbackRequest,
    Found,
    HttpAnswer,
    Price,
    Prices,
    Refused,
    Sought,
    Unclear,
    boottime,
)
from shared.providers.registry import open_provider
from shared.providers.wire import open_wire
from tests.providers.recorder import differing, recording
from tests.providers.samples import PHONE, SECRET, TEXT, message_of, values_of

ACCOUNT = twilio.account(values_of("twilio", "http://127.0.0.1:9"))
MESSAGES = "http://127.0.0.1:9/2010-04-01/Accounts/AC0123456789abcdef/Messages"
URL = "https://notify.example/api/notification/callbacks/twilio/1?ref=abc"
TYPE = "application/x-www-form-urlencoded"


def callback(url: str, body: bytes, signature: str, **headers: str) -> CallbackRequest:
    return CallbackRequest(method="POST", url=url, headers={"x-twilio-signature": signature, **headers}, body=body)


texts = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=20)


def test_the_default_port_may_be_signed_or_not() -> None:
    for signed, called in ((":443", ""), ("", ":443")):
        signature = RequestValidator(SECRET).compute_signature(f"https://notify.example{signed}/c?x=1", {"a": "b"})
        assert twilio.is_genuine(ACCOUNT, callback(f"https://notify.example{called}/c?x=1", b"a=b", signature))


def test_a_shared_key_is_found_by_its_id() -> None:
    values = values_of("twilio", "http://127.0.0.1:9")
    account = twilio.account({**values, "config": {"sharedKeys": {"k1": "shared"}, "authToken": "token"}})
    signature = RequestValidator("shared").compute_signature(URL, {"a": "b"}, "HMAC_SHA256")
    for settings, good in (
        ("key=k1,algorithm=HMAC_SHA256", True),
        ("key=k2,algorithm=HMAC_SHA256", False),
        ("key=k1,algorithm=HMAC_MD5", False),
        ("key=k1", False),
        ("", False),
    ):
        genuine = callback(URL, b"a=b", signature, **{"x-twilio-webhooks-signature-settings": settings})
        assert twilio.is_genuine(account, genuine) is good


def test_the_published_vector() -> None:
    """From https://www.twilio.com/docs/usage/webhooks/webhooks-security and the SDKs' own tests."""
    url = "https://mycompany.com/myapp.php?foo=1&bar=2"
    body = b"CallSid=CA1234567890ABCDE&Caller=%2B14158675309&Digits=1234&From=%2B14158675309&To=%2B18005551212"
    account = twilio.account({**values_of("twilio", "http://127.0.0.1:9"), "apiSecret": "12345"})
    assert twilio.is_genuine(account, callback(url, body, "RSOYDt4T1cUTdK1PDd93/VVr8B8="))


@given(st.binary(max_size=200))
def test_any_body_is_read_or_called_malformed(body: bytes) -> None:
    with contextlib.suppress(CallbackMalformed):
        twilio.read_callback(ACCOUNT, callback(URL, body, ""))


@given(texts)
def test_form_encoding_is_the_librarys(text: str) -> None:
    assert f"Body={form_quoted(text)}" == urlencode({"Body": text}).replace("%7E", "~")


def test_the_request_says_everything_twilio_needs() -> None:
    message = message_of("twilio")
    sent = twilio.request(ACCOUNT, message)
    assert sent.url == "http://127.0.0.1:9/2010-04-01/Accounts/AC0123456789abcdef/Messages.json"
    assert dict(parse_qsl(sent.body.decode())) == {
        "From": "+15005550006",
        "To": PHONE,
        "Body": TEXT,
        "StatusCallback": message.callback_url,
        "ValidityPeriod": "600",
    }


class _Local(TwilioHttpClient):  # type: ignore[misc]
    """Sends to a server of the test what the SDK sends to Twilio."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url

    def request(self, method: str, url: str, *arguments: Any, **options: Any) -> Response:
        return super().request(method, url.replace("https://api.twilio.com", self.url), *arguments, **options)


_OTHER_HEADERS = {
    "user-agent": "each says its own name",
    "accept": "the SDK reads JSON only; ours says that anything will do, and asks for .json by the path",
    "accept-charset": "the SDK's; JSON is always UTF-8",
    "accept-encoding": "answers are short, so ours are not compressed",
    "x-twilio-client": "the SDK's name again",
    "connection": "the SDK states what HTTP/1.1 means without saying",
}


@pytest.mark.parametrize(
    ("values", "credentials", "sender"),
    [
        ({"phoneNumber": "+15005550006"}, ("AC0123456789abcdef", SECRET), {"from_": "+15005550006"}),
        ({"config": {"messagingServiceSid": "MG0"}}, ("AC0123456789abcdef", SECRET), {"messaging_service_sid": "MG0"}),
        ({"apiKey": "SK0", "phoneNumber": "Shop Ä&"}, ("SK0", SECRET), {"from_": "Shop Ä&"}),
    ],
)
@pytest.mark.parametrize("text", [TEXT, "Grüße 😀\n50 % & mehr=+;~*", " "])
@pytest.mark.parametrize("ttl_seconds", [600, None])
async def test_a_message_as_twilios_own_client_sends_it(
    values: dict[str, Any], credentials: tuple[str, str], sender: dict[str, str], text: str, ttl_seconds: int | None
) -> None:
    message = msgspec.structs.replace(message_of("twilio"), text=text, ttl_seconds=ttl_seconds)
    with recording(201, b'{"sid":"SM1"}') as recorder:
        async with open_wire(allowed_hosts=frozenset({"127.0.0.1"})) as wire:
            base = values_of("twilio", recorder.url)
            account = {**base, **values, "config": base["config"] | values.get("config", {})}
            await open_provider("sms", "twilio", account, wire).send([message], boottime() + 30)
        client = Client(*credentials, account_sid="AC0123456789abcdef", http_client=_Local(recorder.url))
        given = {} if ttl_seconds is None else {"validity_period": ttl_seconds}
        await asyncio.to_thread(
            client.messages.create,
            to=str(message.address),
            body=text,
            status_callback=message.callback_url,
            **sender,
            **given,
        )
    ours, theirs = recorder.requests
    assert (ours.method, ours.path) == (theirs.method, theirs.path)
    assert ours.form == theirs.form
    assert differing(ours.headers, theirs.headers) == _OTHER_HEADERS.keys()


NOW = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)


def listed(sid: str, body: str = TEXT, seconds: int = 1, **fields: Any) -> dict[str, Any]:
    created = format_datetime(NOW + timedelta(seconds=seconds))
    return {"sid": sid, "body": body, "direction": "outbound-api", "status": "sent", "date_created": created, **fields}


@pytest.mark.parametrize(
    ("messages", "more", "expected"),
    [
        ([], None, Absent()),
        ([], "/next", Unclear("too_many_listed")),
        ([listed("SM1", num_segments="1")], None, Found(Accepted("SM1", 1))),
        ([listed("SM1", body="other")], None, Absent()),
        ([listed("SM1", seconds=-60)], None, Absent()),
        ([listed("SM1"), listed("SM2")], None, Unclear("several_match")),
        ([listed("SM1"), listed("SMother")], None, Found(Accepted("SM1"))),
        ([listed("SM1", direction="inbound")], None, Absent()),
        (
            [listed("SM1", status="undelivered", error_code=30005)],
            None,
            Found(Refused("recipient_permanent", "30005")),
        ),
    ],
)
def test_the_answer_to_the_question(messages: list[Any], more: str | None, expected: object) -> None:
    answer = HttpAnswer(200, msgspec.json.encode({"messages": messages, "next_page_uri": more}))
    assert twilio.finding(ACCOUNT, message_of("twilio"), NOW, {"SMother"}, answer) == expected


def test_one_price_is_asked_for_by_its_sid_and_several_by_the_time_of_sending() -> None:
    one, other = (Sought(sid, NOW, NOW + timedelta(seconds=seconds)) for sid, seconds in (("SM1", 10), ("SM2", 70)))
    alone = twilio.price_question(ACCOUNT, [one])
    together = twilio.price_question(ACCOUNT, [one, other])
    assert (alone.method, alone.url) == ("GET", f"{MESSAGES}/SM1.json")
    assert (together.method, together.url.partition("?")[0]) == ("GET", f"{MESSAGES}.json")
    assert dict(parse_qsl(together.url.partition("?")[2])) == {
        "DateSent>": "2026-11-24T11:59:55Z",
        "DateSent<": "2026-11-24T12:01:15Z",
        "PageSize": "50",
    }


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (200, {"sid": "SM1", "price": "-0.00750", "price_unit": "usd"}, {"SM1": Price(7500, "USD")}),
        (200, {"sid": "SM1", "price": None, "price_unit": "USD"}, {"SM1": None}),
        (200, {"sid": "SM1", "price": "soon", "price_unit": "USD"}, {"SM1": None}),
        (200, {"sid": "SM1", "price": "-0.1"}, {"SM1": None}),
        (
            200,
            {"messages": [{"sid": "SM1", "price": "-0.1", "price_unit": "EUR"}, {"sid": "SM2"}]},
            {"SM1": Price(100_000, "EUR"), "SM2": None},
        ),
        (200, {"messages": []}, {}),
        (404, {"code": 20404}, {}),
        (429, {"code": 20429}, None),
        (500, {}, None),
        (200, [], None),
    ],
)
def test_the_price_is_what_the_account_was_charged(status: int, body: object, expected: Any) -> None:
    prices = twilio.prices(ACCOUNT, HttpAnswer(status, msgspec.json.encode(body)))
    assert prices == (None if expected is None else Prices(expected))


@pytest.mark.parametrize(
    ("uri", "url"),
    [
        (
            "/2010-04-01/Accounts/AC0123456789abcdef/Messages.json?Page=1&PageToken=PASM1",
            f"{MESSAGES}.json?Page=1&PageToken=PASM1",
        ),
        ("/2010-04-01/Accounts/ACanother/Messages.json?Page=1", None),
        ("@evil.example/", None),
        ("https://evil.example/", None),
        ("", None),
        (None, None),
    ],
)
def test_only_pages_of_our_own_messages_are_read(uri: str | None, url: str | None) -> None:
    prices = twilio.prices(ACCOUNT, HttpAnswer(200, msgspec.json.encode({"messages": [], "next_page_uri": uri})))
    assert prices is not None
    assert (prices.more and prices.more.url) == url


def test_an_answer_that_is_no_list_proves_nothing() -> None:
    for status, body in ((500, b""), (401, b"{}"), (200, b"[]"), (200, b"{}")):
        finding = twilio.finding(ACCOUNT, message_of("twilio"), NOW, (), HttpAnswer(status, body))
        assert isinstance(finding, Unclear)
