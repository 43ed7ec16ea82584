"""Vonage's two APIs, judged by Vonage's own SDK where that does what is documented."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
import time
from typing import Any
from urllib.parse import parse_qsl, urlencode

import jwt
import msgspec
import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from hypothesis import given
from hypothesis import strategies as st
from requests.adapters import HTTPAdapter
from vonage_http_client import Auth, HttpClient, HttpClientOptions
from vonage_jwt import VonageVerifyJwtError, verify_signature
from vonage_messages import Messages
from vonage_messages.models import Sms as SmsModel
from vonage_messages.models.sms import SmsOptions
from vonage_sms import Sms, SmsMessage

from shared.providers import nexmo
from shared.providers.nexmo.signatures import signature, signed_text
from shared.providers.provider import CallbackMalformed, CallbackRequest, HttpAnswer, InboundMessage, VendorReceipt
from shared.providers.registry import validate_account
from tests.providers.fixtures.nexmo.genuine import callback, token
from tests.providers.recorder import recording
from tests.providers.samples import SECRET, message_of, private_key, values_of

BASE = "http://127.0.0.1:9"
VALUES = values_of("nexmo", BASE)
ACCOUNT = nexmo.account(VALUES)
SMS_VALUES = values_of("nexmo", BASE, "smsApi")
SMS_ACCOUNT = nexmo.account(SMS_VALUES)


def changed(values: dict[str, Any], **config: Any) -> dict[str, Any]:
    return values | {"config": values["config"] | config}


def client_of(url: str, **auth: Any) -> HttpClient:
    host = url.removeprefix("http://")
    client = HttpClient(Auth(**auth), HttpClientOptions(api_host=host, rest_host=host))
    make = client.make_request

    def plainly(request_type: str, host: str, *arguments: Any, **options: Any) -> Any:
        client._session.mount("https://", _Plain())
        return make(request_type, host, *arguments, **options)

    client.make_request = plainly  # type: ignore[method-assign]
    return client


class _Plain(HTTPAdapter):  # type: ignore[misc]
    """Speaks HTTP where the SDK insists on HTTPS."""

    def send(self, request: Any, **options: Any) -> Any:
        request.url = request.url.replace("https://", "http://")
        return super().send(request, **options)


# --- what leaves ------------------------------------------------------------------------------------------------------


def test_a_message_as_vonages_own_client_sends_it() -> None:
    message = message_of("nexmo")
    request = nexmo.request(ACCOUNT, message)
    with recording(202, b'{"message_uuid":"u1"}') as recorder:
        client = client_of(recorder.url, api_key=VALUES["apiKey"], api_secret=VALUES["apiSecret"])
        model = SmsModel(
            to=message.address.lstrip("+"),
            from_="15005550006",
            text=message.text,
            ttl=600,
            client_ref=message.reference,
            webhook_url=message.callback_url,
            webhook_version="v1",
            sms=SmsOptions(encoding_type="auto"),
        )
        Messages(client).send(model)
    (theirs,) = recorder.requests
    assert request.url == BASE + theirs.path
    assert json.loads(request.body) == theirs.json
    assert f"Authorization: {theirs.headers['authorization']}" in request.headers


@pytest.mark.parametrize(("text", "kind"), [("Hello {}", "text"), ("Grüße 😀", "unicode")])
def test_the_sms_api_as_vonages_own_client_uses_it(text: str, kind: str) -> None:
    message = msgspec.structs.replace(message_of("nexmo"), text=text)
    request = nexmo.request(SMS_ACCOUNT, message)
    part = {"to": "49", "message-id": "a", "status": "0", "remaining-balance": "1", "message-price": "0.1"}
    answer = json.dumps({"message-count": "1", "messages": [part | {"network": "1"}]}).encode()
    with recording(200, answer) as recorder:
        client = client_of(recorder.url, api_key=VALUES["apiKey"], api_secret=VALUES["apiSecret"])
        model = SmsMessage(
            to=message.address.lstrip("+"),
            from_="15005550006",
            text=text,
            type=kind,
            ttl=600_000,
            client_ref=message.reference,
            status_report_req=True,
            callback=(message.callback_url or "").partition("?")[0],
        )
        Sms(client).send(model)
    (theirs,) = recorder.requests
    assert request.url == BASE + theirs.path
    ours = dict(parse_qsl(request.body.decode()))
    expected = dict(parse_qsl(theirs.body.decode()))
    assert ours | {"status-report-req": "True"} == expected
    assert f"Authorization: {theirs.headers['authorization']}" in request.headers


def test_a_callback_url_that_is_too_long_for_the_sms_api_is_left_out() -> None:
    message = msgspec.structs.replace(message_of("nexmo"), callback_url="https://notify.example/" + "x" * 90)
    assert b"callback" not in nexmo.request(SMS_ACCOUNT, message).body


def test_an_application_signs_with_one_token_for_many_messages() -> None:
    values = changed(VALUES, applicationId="app-1", privateKey=private_key())
    account = nexmo.account(values)
    first, second = (nexmo.request(account, message_of("nexmo", number)) for number in (1, 2))
    assert first.headers is second.headers
    bearer = first.headers[0].removeprefix("Authorization: Bearer ")
    public = load_pem_private_key(private_key().encode(), None).public_key()
    claims = jwt.decode(bearer, public, algorithms=["RS256"])  # type: ignore[arg-type]
    assert (claims["application_id"], claims["exp"] - claims["iat"]) == ("app-1", 900)
    account._bearer_until = 0.0
    assert nexmo.request(account, message_of("nexmo")).headers[0] != first.headers[0]


@pytest.mark.parametrize(
    ("change", "fields"),
    [
        ({"api": "fax"}, ["config.api"]),
        ({"applicationId": "a"}, ["config.privateKey"]),
        ({"privateKey": "a"}, ["config.applicationId", "config.privateKey"]),
        ({"applicationId": "a", "privateKey": "no key"}, ["config.privateKey"]),
        ({"signatureMethod": "rot13"}, ["config.signatureMethod"]),
    ],
)
def test_unusable_accounts_are_refused_by_field(change: dict[str, Any], fields: list[str]) -> None:
    problems = validate_account("sms", "nexmo", changed(VALUES, **change), frozenset({"127.0.0.1"}))
    assert [problem.field for problem in problems] == fields


@pytest.mark.parametrize("value", [b"10.28", b"0", b"-3.5"])
def test_credentials_work_whatever_the_balance(value: bytes) -> None:
    """An account on credit has a balance below zero."""
    assert nexmo.verified(ACCOUNT, HttpAnswer(200, b'{"value":%b,"autoReload":false}' % value)).works


# --- callbacks of the Messages API ------------------------------------------------------------------------------------


def with_token(body: bytes, bearer: str) -> CallbackRequest:
    return CallbackRequest(method="POST", url=BASE, headers={"authorization": f"Bearer {bearer}"}, body=body)


@given(st.binary(max_size=200), st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=8, max_size=40))
def test_tokens_of_vonages_own_verifier_are_taken(body: bytes, secret: str) -> None:
    account = nexmo.account(changed(VALUES, signatureSecret=secret))
    bearer = token(body, secret, VALUES["apiKey"])
    assert verify_signature(bearer, secret)
    assert nexmo.is_genuine(account, with_token(body, bearer))
    assert not nexmo.is_genuine(account, with_token(body + b" ", bearer))
    assert not nexmo.is_genuine(ACCOUNT, with_token(body, bearer))


@pytest.mark.parametrize(("age", "genuine"), [(0, True), (280, True), (320, False), (-320, False), (2e8, False)])
def test_a_token_is_good_for_five_minutes(age: float, genuine: bool) -> None:
    bearer = token(b"{}", SECRET, VALUES["apiKey"], age_seconds=age)
    assert nexmo.is_genuine(ACCOUNT, with_token(b"{}", bearer)) is genuine


def test_a_token_of_another_account_or_without_a_hash_is_refused() -> None:
    assert not nexmo.is_genuine(ACCOUNT, with_token(b"{}", token(b"{}", SECRET, "somebody")))
    assert not nexmo.is_genuine(ACCOUNT, with_token(b"{}", token(b"{}", SECRET, VALUES["apiKey"], payload_hash=None)))
    unsigned = jwt.encode({"iat": int(time.time())}, "", algorithm="none")
    longer = jwt.encode({"iat": int(time.time()), "payload_hash": hashlib.sha256(b"{}").hexdigest()}, SECRET, "HS512")
    for strange in (unsigned, longer, "", "a.b.c", "é", "a" * 10_000):
        assert not nexmo.is_genuine(ACCOUNT, with_token(b"{}", strange))


@pytest.mark.parametrize("issued", [float("nan"), float("inf"), 10**400, True, "1", None, [], {}])
def test_a_token_of_no_time_is_refused(issued: object) -> None:
    assert not nexmo.is_genuine(ACCOUNT, with_token(b"{}", token(b"{}", SECRET, VALUES["apiKey"], iat=issued)))


def test_a_token_whose_head_names_another_algorithm_is_refused() -> None:
    """Its digest is good all the same: Vonage's own verifier refuses it too."""
    _, payload, _ = token(b"{}", SECRET, VALUES["apiKey"]).split(".")
    head = base64.urlsafe_b64encode(b'{"alg":"HS512","typ":"JWT"}').decode().rstrip("=")
    digest = hmac.digest(SECRET.encode(), f"{head}.{payload}".encode(), "sha256")
    bearer = f"{head}.{payload}.{base64.urlsafe_b64encode(digest).decode().rstrip('=')}"
    with pytest.raises(VonageVerifyJwtError):
        verify_signature(bearer, SECRET)
    assert not nexmo.is_genuine(ACCOUNT, with_token(b"{}", bearer))


def test_nothing_is_believed_without_a_signature_secret_and_each_of_a_list_is_good() -> None:
    assert not nexmo.is_genuine(nexmo.account(changed(VALUES, signatureSecret="")), callback(VALUES, 1))
    both = nexmo.account(changed(VALUES, signatureSecret=["newer-secret", SECRET]))
    for secret, genuine in (("newer-secret", True), (SECRET, True), ("older-secret", False)):
        assert nexmo.is_genuine(both, callback(VALUES, 1, secret)) is genuine


# --- callbacks of the SMS API -----------------------------------------------------------------------------------------


def sms_callback(form: dict[str, str], how: str) -> CallbackRequest:
    body = urlencode(form).encode()
    match how:
        case "GET":
            return CallbackRequest(method="GET", url=f"{BASE}?{body.decode()}", headers={}, body=b"")
        case "JSON":
            return CallbackRequest(method="POST", url=BASE, headers={}, body=json.dumps(form).encode())
    return CallbackRequest(method="POST", url=BASE, headers={}, body=body)


def test_no_parameter_hides_in_the_name_of_another() -> None:
    form = {"client-ref": "ours", "messageId": "1", "status": "delivered", "timestamp": str(int(time.time()))}
    sig = signature(signed_text(form.items()), "md5hash", SECRET)
    hidden = {"client-ref=ours&messageId": "1", "status": "delivered", "timestamp": form["timestamp"]}
    assert signed_text(hidden.items()) == signed_text(form.items())
    assert nexmo.is_genuine(SMS_ACCOUNT, sms_callback({**form, "sig": sig}, "POST"))
    assert not nexmo.is_genuine(SMS_ACCOUNT, sms_callback({**hidden, "sig": sig}, "POST"))


def test_callbacks_of_both_apis_are_taken_whichever_sends() -> None:
    form = {"msisdn": "4915112345678", "messageId": "1", "text": "STOP", "timestamp": str(int(time.time()))}
    form["sig"] = signature(signed_text(form.items()), "md5hash", SECRET)
    for account in (ACCOUNT, SMS_ACCOUNT):
        for request in (callback(VALUES, 1), sms_callback(form, "POST"), sms_callback(form, "GET")):
            assert nexmo.is_genuine(account, request)
            contents = nexmo.read_callback(account, request)
            assert len(contents.receipts) + len(contents.inbound) == 1


def test_a_body_that_nobody_signed_is_not_read() -> None:
    form = {"messageId": "1", "status": "delivered", "client-ref": "ours", "timestamp": str(int(time.time()))}
    form["sig"] = signature(signed_text(form.items()), "md5hash", SECRET)
    body = b'{"message_uuid":"u","status":"delivered","client_ref":"another"}'
    request = msgspec.structs.replace(sms_callback(form, "GET"), body=body)
    assert nexmo.is_genuine(ACCOUNT, request)
    assert [receipt.reference for receipt in nexmo.read_callback(ACCOUNT, request).receipts] == ["ours"]


def test_a_token_over_the_body_does_not_vouch_for_a_query() -> None:
    genuine = callback(VALUES, 1)
    query = "messageId=m&status=delivered&client-ref=somebody-else"
    moved = msgspec.structs.replace(genuine, method="GET", url=f"{BASE}?{query}")
    assert nexmo.is_genuine(ACCOUNT, genuine)
    assert not nexmo.is_genuine(ACCOUNT, moved)


def test_what_the_query_names_is_only_looked_for_among_messages_to_the_signed_number() -> None:
    body = {"message_uuid": "u", "to": "4915112345678", "status": "delivered"}

    def receipt_of(**changes: Any) -> VendorReceipt:
        request = with_token(json.dumps(body | changes).encode(), "x")
        moved = msgspec.structs.replace(request, url=f"{BASE}?ref=somebody-else")
        return nexmo.read_callback(ACCOUNT, moved).receipts[0]

    assert (receipt_of().reference, receipt_of().address) == ("somebody-else", "+4915112345678")
    assert (receipt_of(client_ref="ours").reference, receipt_of(client_ref="ours").address) == ("ours", None)
    assert receipt_of(to="").reference is None


def test_the_plain_hash_is_as_documented() -> None:
    """The SDK has no such mode: the text of the documentation is the judge."""
    text = signed_text([("b", "x&y=z"), ("a", "1"), ("timestamp", "1461605396")])
    assert text == "&a=1&b=x_y_z&timestamp=1461605396"
    assert signature(text, "md5hash", "s") == hashlib.md5(text.encode() + b"s").hexdigest()
    assert signature(text, "sha256", "s") == hmac.new(b"s", text.encode(), "sha256").hexdigest()


@pytest.mark.parametrize("stamp", ["", "x", "-5", "1" * 30, "1461605396"])
def test_strange_and_old_timestamps_are_refused(stamp: str) -> None:
    form = {"messageId": "1", "timestamp": stamp}
    form["sig"] = signature(signed_text(form.items()), "md5hash", SECRET)
    assert not nexmo.is_genuine(SMS_ACCOUNT, sms_callback(form, "POST"))


odd = st.one_of(
    st.binary(),
    st.just(b'{"message_uuid":"u","x":' + b"[" * 9_000 + b"]" * 9_000 + b"}"),
    st.dictionaries(
        st.sampled_from(
            ["message_uuid", "status", "text", "from", "usage", "error", "messageId", "msisdn", "err-code"]
        ),
        st.one_of(st.none(), st.integers(), st.text(), st.dictionaries(st.text(), st.integers())),
    ).map(lambda value: json.dumps(value).encode()),
)


@given(odd)
def test_odd_bodies_never_raise(body: bytes) -> None:
    for account in (ACCOUNT, SMS_ACCOUNT):
        request = CallbackRequest(method="POST", url=BASE, headers={"authorization": "Bearer x"}, body=body)
        assert not nexmo.is_genuine(account, request)
        with contextlib.suppress(CallbackMalformed):
            nexmo.read_callback(account, request)


def test_a_person_may_write_by_get() -> None:
    form = {"msisdn": "4915112345678", "to": "1500", "messageId": "1", "text": "STOP"}
    contents = nexmo.read_callback(SMS_ACCOUNT, sms_callback(form, "GET"))
    assert [isinstance(one, InboundMessage) and one.intent for one in contents.inbound] == ["stop"]
