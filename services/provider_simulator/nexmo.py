"""The simulator as Vonage: Messages API and SMS API, the balance, signed webhooks, inbound messages.

Bad numbers are taken, as Vonage takes them, and reported as failed. Callbacks are signed with the API secret that the
message was sent with, or with the application's id where it was sent with a token: an account under test has the same
text as its signature secret. The SMS API signs by the plain MD5 hash, the default of accounts.

https://developer.vonage.com/en/api/messages, https://developer.vonage.com/en/api/sms
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import time
from datetime import UTC, datetime
from functools import lru_cache, partial
from uuid import uuid4

import msgspec

from contracts.content import count_segments
from services.provider_simulator.handlers import OF_REQUESTS, Inbound, Simulator, Submission
from services.provider_simulator.http_text import Answer, Request, answer_bytes, form_of, request_bytes
from shared.providers.forms import form_quoted

MESSAGES_PATH = "/v1/messages"
SMS_PATH = "/sms/json"
BALANCE_PATH = "/account/get-balance"
REFUSED_SECRET_PREFIX = "wrong"  # noqa: S105
"""Credentials with such a secret (or application id) are refused, so that wrong ones can be played."""

_TEXT_MAX = 3200
_KIND = ("sms", "text")
_PRICE = "0.0331"
_TOKEN_HEAD = base64.urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT"}').rstrip(b"=")
_encode = msgspec.json.Encoder().encode


class _Send(msgspec.Struct):
    to: str
    from_: str = msgspec.field(name="from")
    text: str = ""
    channel: str = ""
    message_type: str = ""
    client_ref: str = ""
    webhook_url: str = ""
    ttl: int | None = None


class _Claims(msgspec.Struct):
    application_id: str
    iat: float
    exp: float


_send = msgspec.json.Decoder(_Send).decode


def _problem(status: int, number: int | str, title: str, headers: bytes = b"") -> bytes:
    body = {
        "type": f"https://developer.vonage.com/api-errors/messages#{number}",
        "title": title,
        "detail": title,
        "instance": os.urandom(16).hex(),
    }
    return answer_bytes(status, _encode(body), headers, b"application/problem+json")


_UNAUTHORIZED = _problem(401, "unauthorized", "You did not provide correct credentials.")


@lru_cache(maxsize=1024)
def _credentials(authorization: str) -> tuple[str, str]:
    """Account and signature secret of a request; two empty texts where it is refused."""
    scheme, _, value = authorization.partition(" ")
    try:
        if scheme.lower() == "basic":
            key, _, secret = base64.b64decode(value, validate=True).decode().partition(":")
        else:
            part = value.split(".")[1]
            claims = msgspec.json.decode(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)), type=_Claims)
            key = secret = claims.application_id
    except (ValueError, IndexError, msgspec.DecodeError):
        return "", ""
    return ("", "") if not secret or secret.startswith(REFUSED_SECRET_PREFIX) else (key, secret)


def handle_messages(simulator: Simulator, request: Request) -> Answer:
    """`POST /v1/messages`."""
    account, secret = _credentials(request.header(b"authorization"))
    if not secret:
        return Answer(_UNAUTHORIZED)
    try:
        sent = _send(request.body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return Answer(_problem(422, 1150, str(error)))
    if not (sent.to.isdecimal() and 7 <= len(sent.to) <= 15):
        return Answer(_problem(422, 1150, "Invalid params: to"))
    if not 0 < len(sent.text) <= _TEXT_MAX or (sent.channel, sent.message_type) != _KIND:
        return Answer(_problem(422, 1150, "Invalid params"))
    simulator.secrets[account] = secret
    submission = Submission("nexmo", "", account, f"+{sent.to}", sent.text, sent.client_ref)
    submission.id, submission.sender, submission.refused_later = str(uuid4()), sent.from_, True
    if sent.webhook_url:
        submission.url = sent.webhook_url

        def report(submission: Submission, state: str) -> bytes:
            return status_webhook(submission, state, secret)

        submission.report = report
    result = simulator.submit(submission)
    faults = simulator.fates.faults
    if result.name == "accept_then_hang":
        return Answer(b"", faults.hang_seconds, close=True)
    if result.name == "accept_then_close":
        return Answer(b"", result.delay_seconds, close=True)
    if result.name == "throttled":
        headers = b"retry-after: %d\r\n" % faults.retry_after_seconds
        return Answer(_problem(429, 1000, "Throttled", headers), result.delay_seconds)
    if result.name in OF_REQUESTS:
        return Answer(_problem(500, 1030, "Internal error"), result.delay_seconds)
    return Answer(answer_bytes(202, b'{"message_uuid":"%b"}' % submission.id.encode()), result.delay_seconds)


_STATUSES = {"delivered": "delivered", "undelivered": "undeliverable", "sent": "submitted", "failed": "rejected"}
_ERRORS = {"undelivered": 1180, "failed": 1300}


def status_webhook(submission: Submission, state: str, secret: str) -> bytes:
    """The signed request that reports a state to the message's webhook URL."""
    body: dict[str, object] = {
        "message_uuid": submission.id,
        "to": submission.address.lstrip("+"),
        "from": submission.sender,
        "timestamp": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "status": _STATUSES[state],
        "client_ref": submission.reference,
        "channel": "sms",
        "usage": {"currency": "EUR", "price": _PRICE},
    }
    if state in _ERRORS:
        number = _ERRORS[state]
        url = f"https://developer.vonage.com/api-errors/messages#{number}"
        body["error"] = {"type": url, "title": str(number), "detail": "not delivered", "instance": submission.id}
    return _with_token(submission.url, _encode(body), submission.account, secret)


def _with_token(url: str, body: bytes, account: str, secret: str) -> bytes:
    now = int(time.time())
    claims = {
        "iat": now,
        "jti": os.urandom(16).hex(),
        "iss": "Vonage",
        "payload_hash": hashlib.sha256(body).hexdigest(),
        "application_id": account,
    } | ({} if account == secret else {"api_key": account})
    signed = _TOKEN_HEAD + b"." + base64.urlsafe_b64encode(_encode(claims)).rstrip(b"=")
    digest = base64.urlsafe_b64encode(hmac.digest(secret.encode(), signed, hashlib.sha256)).rstrip(b"=")
    headers = b"content-type: application/json\r\nauthorization: Bearer %b.%b\r\n" % (signed, digest)
    return request_bytes(url.partition("#")[0], body, headers)


# --- the SMS API -----------------------------------------------------------------------------------------------------


def handle_sms(simulator: Simulator, request: Request) -> Answer:
    """`POST /sms/json`."""
    account, secret = _credentials(request.header(b"authorization"))
    try:
        form = form_of(request.body)
    except UnicodeDecodeError:
        form = {}
    if not secret and form.get("api_secret"):
        account, secret = form.get("api_key", ""), form["api_secret"]
    if not secret or secret.startswith(REFUSED_SECRET_PREFIX):
        return Answer(_refused("4", "Bad Credentials"))
    to, text = form.get("to", ""), form.get("text", "")
    if not to or not form.get("from") or not text:
        return Answer(_refused("2", "Missing params"))
    if not (to.isdecimal() and 7 <= len(to) <= 15):
        return Answer(_refused("3", "to address is not numeric"))
    simulator.secrets[account] = secret
    submission = Submission("nexmo", "", account, f"+{to}", text, form.get("client-ref", ""))
    submission.id, submission.sender, submission.refused_later = os.urandom(8).hex().upper(), form["from"], True
    count = count_segments(text).count
    if form.get("callback"):
        submission.url = form["callback"]

        last, *others = (
            partial(delivery_receipt, part=part, is_last=part == count - 1, secret=secret)
            for part in reversed(range(count))
        )
        submission.report, submission.further_reports = last, others
    result = simulator.submit(submission)
    if result.name == "accept_then_hang":
        return Answer(b"", simulator.fates.faults.hang_seconds, close=True)
    if result.name == "accept_then_close":
        return Answer(b"", result.delay_seconds, close=True)
    if result.name == "throttled":
        return Answer(_refused("1", "Throttled"), result.delay_seconds)
    if result.name in OF_REQUESTS:
        return Answer(answer_bytes(500, b""), result.delay_seconds)
    parts = [
        {
            "to": to,
            "message-id": f"{submission.id}{number:02X}",
            "status": "0",
            "remaining-balance": "15.53590000",
            "message-price": _PRICE,
            "network": "26201",
            "client-ref": submission.reference,
        }
        for number in range(count)
    ]
    answer = {"message-count": str(len(parts)), "messages": parts}
    return Answer(answer_bytes(200, _encode(answer)), result.delay_seconds)


def _refused(status: str, text: str) -> bytes:
    message = {"status": status, "error-text": text}
    return answer_bytes(200, _encode({"message-count": "1", "messages": [message]}))


def delivery_receipt(submission: Submission, state: str, part: int, is_last: bool, secret: str) -> bytes:
    """The signed request that reports what became of a part; of a message that does not arrive it is the last."""
    if state == "undelivered" and not is_last:
        state = "delivered"
    status, code = {
        "delivered": ("delivered", "0"),
        "undelivered": ("failed", "2"),
        "sent": ("buffered", "0"),
        "failed": ("failed", "3"),
    }[state]
    fields = {
        "msisdn": submission.address.lstrip("+"),
        "to": submission.sender,
        "network-code": "26201",
        "messageId": f"{submission.id}{part:02X}",
        "price": _PRICE,
        "status": status,
        "scts": datetime.now(UTC).strftime("%y%m%d%H%M"),
        "err-code": code,
        "message-timestamp": datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S"),
        "client-ref": submission.reference,
        "api-key": submission.account,
    }
    return _with_sig(submission.url, fields, secret)


def _with_sig(url: str, fields: dict[str, str], secret: str) -> bytes:
    fields |= {"timestamp": str(int(time.time())), "nonce": os.urandom(8).hex()}
    text = "".join(f"&{name}={value.replace('&', '_').replace('=', '_')}" for name, value in sorted(fields.items()))
    fields["sig"] = hashlib.md5((text + secret).encode()).hexdigest().upper()
    body = "&".join(f"{name}={form_quoted(value)}" for name, value in fields.items()).encode()
    return request_bytes(url.partition("#")[0], body, b"content-type: application/x-www-form-urlencoded\r\n")


def give_balance(_simulator: Simulator, request: Request) -> Answer:
    """`GET /account/get-balance`."""
    if not _credentials(request.header(b"authorization"))[1]:
        return Answer(answer_bytes(401, _encode({"error-code": "401", "error-code-label": "authentication failed"})))
    return Answer(answer_bytes(200, b'{"value":10.28,"autoReload":false}'))


def inbound_request(inbound: Inbound, secret: str) -> tuple[str, bytes]:
    """The id of a message that a person sends to one of the account's numbers, and the request that tells of it."""
    identity = str(uuid4())
    body = {
        "channel": "sms",
        "message_uuid": identity,
        "to": inbound.to.lstrip("+"),
        "from": inbound.from_.lstrip("+"),
        "timestamp": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "text": inbound.body,
        "sms": {"num_messages": "1"},
        "usage": {"price": "0.0057", "currency": "EUR"},
    }
    return identity, _with_token(inbound.url, _encode(body), inbound.account, secret)
