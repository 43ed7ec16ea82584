"""Signatures on random input, genuine and tampered with: ours and the vendor's own validator judge alike.

Those of SNS are judged in `tests/oracles`, by AWS's validator.
"""

from __future__ import annotations

import hashlib
import json
import time
from typing import Any
from urllib.parse import urlencode

from hypothesis import given, settings
from hypothesis import strategies as st
from sinch.domains.sms.sinch_events.v1 import SmsSinchEvent
from twilio.request_validator import RequestValidator
from vonage_http_client import Auth
from vonage_jwt import VonageVerifyJwtError, verify_signature
from werkzeug.datastructures import MultiDict

from shared.providers import nexmo, sinch, twilio
from shared.providers.nexmo.signatures import METHODS
from shared.providers.provider import CallbackRequest
from tests.providers.fixtures.nexmo.genuine import token
from tests.providers.fixtures.sinch.genuine import signed
from tests.providers.samples import SECRET, values_of

BASE = "https://notify.example/callbacks/1"
VALUES = {kind: values_of(kind, "http://127.0.0.1:9") for kind in ("twilio", "nexmo", "sinch")}
TWILIO = twilio.account({**VALUES["twilio"], "config": {"sharedKeys": {"k1": "shared"}}})
NEXMO = nexmo.account(VALUES["nexmo"])
SINCH = sinch.account(VALUES["sinch"])

repeatable = settings(max_examples=400, derandomize=True, deadline=None)
texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
letters = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=20)
names = texts.filter(bool)
pairs = st.lists(st.tuples(names | st.sampled_from("ab"), texts | st.sampled_from("ab")), max_size=8)


def flipped(text: str, at: int) -> str:
    """Another letter in one place."""
    at %= len(text)
    return text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :]


# --- Twilio -----------------------------------------------------------------------------------------------------------

urls = st.builds(
    lambda scheme, port, query: f"{scheme}://notify.example{port}/callbacks/1{query and '?' + urlencode(query)}",
    st.sampled_from(["https", "http"]),
    st.sampled_from(["", ":443", ":80", ":8443"]),
    st.just("") | pairs.filter(bool),
)
twilio_keys = st.sampled_from([("", SECRET), ("k1", "shared")])
algorithms = st.sampled_from(["HMAC_SHA1", "HMAC_SHA256"])


def from_twilio(url: str, body: bytes, signature: str, key: str, algorithm: str) -> bool:
    headers = {
        "x-twilio-signature": signature,
        "x-twilio-webhooks-signature-settings": f"key={key},algorithm={algorithm}",
    }
    return twilio.is_genuine(TWILIO, CallbackRequest(method="POST", url=url, headers=headers, body=body))


@repeatable
@given(
    *(urls, pairs, twilio_keys, algorithms, algorithms, st.integers(0, 99)),
    st.sampled_from(["nothing", "order", "again", "empty", "value", "drop", "more", "url", "signature", "secret"]),
)
def test_twilios_forms(
    url: str,
    form: list[tuple[str, str]],
    key: tuple[str, str],
    algorithm: str,
    stated: str,
    at: int,
    change: str,
) -> None:
    name, secret = key
    signer = RequestValidator("another" if change == "secret" else secret)
    signature = signer.compute_signature(url, MultiDict(form), algorithm)
    here = at % max(len(form), 1)
    match change:
        case "order":
            form = form[::-1]
        case "again":
            form = form + form[here : here + 1]
        case "empty":
            form = [*form, ("x", "")]
        case "value":
            form = [(one, value + "x" if place == here else value) for place, (one, value) in enumerate(form)]
        case "drop":
            form = form[:here] + form[here + 1 :]
        case "more":
            form = [*form, ("a", "another")]
        case "url":
            url = url.replace("/callbacks", "/callback")
        case "signature":
            signature = flipped(signature, at)
    theirs = RequestValidator(secret).validate(url, MultiDict(form), signature, stated)
    assert from_twilio(url, urlencode(form).encode(), signature, name, stated) is theirs
    if change in ("nothing", "order", "again") and stated == algorithm:
        assert theirs


@repeatable
@given(
    *(st.dictionaries(texts, texts), twilio_keys, algorithms, st.integers(0, 99)),
    st.sampled_from(["nothing", "body", "no body", "hash", "signature", "secret"]),
)
def test_twilios_json(said: dict[str, str], key: tuple[str, str], algorithm: str, at: int, change: str) -> None:
    name, secret = key
    body = json.dumps(said, ensure_ascii=False)
    digest = hashlib.sha256(body.encode()).hexdigest()
    url = f"{BASE}?ref=abc&bodySHA256={digest}"
    signer = RequestValidator("another" if change == "secret" else secret)
    signature = signer.compute_signature(url, {}, algorithm)
    match change:
        case "body":
            body = flipped(body, at)
        case "no body":
            body = ""
        case "hash":
            url = url.replace(digest, flipped(digest, at))
        case "signature":
            signature = flipped(signature, at)
    theirs = RequestValidator(secret).validate(url, body, signature, algorithm)
    assert from_twilio(url, body.encode(), signature, name, algorithm) is theirs is (change == "nothing")


# --- Vonage -----------------------------------------------------------------------------------------------------------


def vonage_believes(bearer: str, secret: str) -> bool:
    try:
        return verify_signature(bearer, secret)
    except VonageVerifyJwtError:
        return False


@repeatable
@given(st.binary(max_size=200), st.integers(0, 999), st.sampled_from(["nothing", "token", "secret"]))
def test_vonages_tokens(body: bytes, at: int, change: str) -> None:
    bearer = token(body, "another" if change == "secret" else SECRET, VALUES["nexmo"]["apiKey"])
    if change == "token":
        head, payload, digest = bearer.split(".")
        bearer = f"{head}.{payload}.{flipped(digest[:-1], at)}{digest[-1]}"
    headers = {"authorization": f"Bearer {bearer}"}
    ours = nexmo.is_genuine(NEXMO, CallbackRequest(method="POST", url=BASE, headers=headers, body=body))
    assert ours is vonage_believes(bearer, SECRET) is (change == "nothing")


def documented(form: dict[str, str]) -> str:
    """The plain hash, which the SDK does not have, by the text of the documentation."""
    text = "".join(f"&{name}={form[name].replace('&', '_').replace('=', '_')}" for name in sorted(form))
    return hashlib.md5(text.encode() + SECRET.encode()).hexdigest()


def vonage_signs(form: dict[str, str], method: str) -> str:
    if method == METHODS[0]:
        return documented(form)
    sign: str = Auth(api_key="k", signature_secret=SECRET, signature_method=method).sign_params(dict(form))
    return sign


def vonage_takes(form: dict[str, str], method: str) -> bool:
    if method == METHODS[0]:
        return form.get("sig", "").lower() == documented({name: form[name] for name in form if name != "sig"})
    good: bool = Auth(api_key="k", signature_secret=SECRET, signature_method=method).check_signature(dict(form))
    return good


parameters = names.filter(lambda name: name not in ("sig", "timestamp") and not {"&", "="} & set(name))


@repeatable
@given(
    *(st.dictionaries(parameters, texts, max_size=8), st.sampled_from(METHODS), st.integers(0, 999)),
    st.sampled_from(["GET", "FORM", "JSON"]),
    st.sampled_from(["nothing", "upper", "alike", "value", "name", "drop", "more", "signature", "method", "unsigned"]),
)
def test_vonages_signed_parameters(form: dict[str, str], method: str, at: int, how: str, change: str) -> None:
    form = {"status": "a_b", **form, "timestamp": str(int(time.time()))}
    signed_form = dict(form)
    form["sig"] = vonage_signs(signed_form, method)
    match change:
        case "upper":
            form["sig"] = form["sig"].upper()
        case "alike":
            form["status"] = form["status"].replace("_", "&")
        case "value":
            form["status"] += "x"
        case "name":
            form["Status"] = form.pop("status")
        case "drop":
            del form["status"]
        case "more":
            form["another"] = ""
        case "signature":
            form["sig"] = f"x{form['sig'][1:]}"
        case "method":
            form["sig"] = vonage_signs(signed_form, METHODS[METHODS.index(method) - 1 - at % (len(METHODS) - 1)])
        case "unsigned":
            del form["sig"]
    account = nexmo.account(VALUES["nexmo"] | {"config": VALUES["nexmo"]["config"] | {"signatureMethod": method}})
    body = json.dumps(form).encode() if how == "JSON" else urlencode(form).encode()
    request: dict[str, Any] = {"method": "POST", "url": BASE, "body": body}
    if how == "GET":
        request = {"method": "GET", "url": f"{BASE}?{body.decode()}", "body": b""}
    theirs = vonage_takes(form, method)
    assert nexmo.is_genuine(account, CallbackRequest(headers={}, **request)) is theirs
    assert theirs is (change in ("nothing", "upper", "alike"))


# --- Sinch ------------------------------------------------------------------------------------------------------------


@repeatable
@given(
    *(texts, letters, st.integers(0, 999)),
    st.sampled_from(["nothing", "body", "nonce", "timestamp", "signature", "secret", "unsigned"]),
)
def test_sinchs_headers(text: str, nonce: str, at: int, change: str) -> None:
    body = json.dumps({"body": text}, ensure_ascii=False)
    headers = signed(body, "another" if change == "secret" else SECRET, nonce)
    name = "x-sinch-webhook-signature"
    match change:
        case "body":
            body = flipped(body, at)
        case "nonce":
            headers[f"{name}-nonce"] += "x"
        case "timestamp":
            headers[f"{name}-timestamp"] = str(int(headers[f"{name}-timestamp"]) - 1)
        case "signature":
            headers[name] = flipped(headers[name][:-2], at) + headers[name][-2:]
        case "unsigned":
            del headers[name]
    theirs = SmsSinchEvent(SECRET).validate_authentication_header(headers, body)
    ours = sinch.is_genuine(SINCH, CallbackRequest(method="POST", url=BASE, headers=headers, body=body.encode()))
    assert ours is theirs is (change == "nothing")
