"""The simulator as Sinch: batches, their list, signed delivery reports, inbound messages.

Bad numbers are taken, as Sinch takes them, and reported later: a dead one as rejected, one that opted out as deleted.
Callbacks are signed with the API token, since nobody told us the plan's webhook secret: an account under test has the
same text in both fields.

https://developers.sinch.com/docs/sms/api-reference/
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import time
from datetime import UTC, datetime, timedelta

import msgspec

from services.provider_simulator.handlers import OF_REQUESTS, Inbound, Result, Simulator, Submission
from services.provider_simulator.http_text import Answer, Request, answer_bytes, form_of, request_bytes

ROOT = "/xms/v1/"
REFUSED_TOKEN_PREFIX = "wrong"  # noqa: S105
"""API tokens with such a beginning are refused, so that wrong credentials can be played."""

_RECIPIENTS_MAX = 1000
_BODY_MAX = 2000
_VALUE_BYTES_MAX = 2 * 160
_EXPIRY_MAX = timedelta(days=3)
_NAME = re.compile(r"[A-Za-z0-9._-]{1,16}")
_PLACEHOLDER = re.compile(r"\$\{([A-Za-z0-9._-]{1,16})\}")
_encode = msgspec.json.Encoder().encode


class _Send(msgspec.Struct):
    to: list[str]
    body: str
    from_: str = msgspec.field(default="", name="from")
    parameters: dict[str, dict[str, str]] = {}
    type: str = "mt_text"
    delivery_report: str = "none"
    callback_url: str = ""
    client_reference: str = ""
    expire_at: str | None = None


class _Batch(msgspec.Struct, omit_defaults=True):
    """A batch as Sinch shows it."""

    id: str
    to: list[str]
    type: str
    canceled: bool
    body: str
    created_at: str
    modified_at: str
    delivery_report: str
    from_: str = msgspec.field(default="", name="from")
    parameters: dict[str, dict[str, str]] = {}
    client_reference: str = ""
    callback_url: str = ""
    expire_at: str | None = None


_send = msgspec.json.Decoder(_Send).decode


def _error(status: int, code: str, text: str, headers: bytes = b"") -> bytes:
    return answer_bytes(status, _encode({"code": code, "text": text}), headers)


_UNAUTHORIZED = answer_bytes(401, b"")
_NOT_FOUND = _error(404, "not_found", "no such resource")


def handle(simulator: Simulator, request: Request) -> Answer:
    """Anything under `ROOT`."""
    plan, _, resource = request.path[len(ROOT) :].partition("/")
    scheme, _, token = request.header(b"authorization").partition(" ")
    if scheme.lower() != "bearer" or not token or token.startswith(REFUSED_TOKEN_PREFIX):
        return Answer(_UNAUTHORIZED)
    if resource == "batches" and request.method == "POST":
        return _create(simulator, plan, token, request)
    if resource == "batches":
        return Answer(_list(simulator, plan, form_of(request.query.encode())))
    if resource.startswith("batches/") and (batch := simulator.memory.get(("sinch", plan, resource[8:]))) is not None:
        return Answer(answer_bytes(200, _encode(batch)))
    return Answer(_NOT_FOUND)


def _create(simulator: Simulator, plan: str, token: str, request: Request) -> Answer:
    try:
        sent = _send(request.body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return Answer(_error(400, "syntax_invalid_json", str(error)))
    if refusal := _problem(sent):
        return Answer(refusal)
    simulator.secrets[plan] = token
    batch_id = "01" + os.urandom(12).hex().upper()
    reference = sent.client_reference or sent.callback_url.partition("ref=")[2].partition("&")[0]
    reports = sent.delivery_report.startswith("per_recipient") and sent.callback_url != ""

    def report(submission: Submission, state: str) -> bytes:
        return delivery_report(submission, state, token)

    submissions = []
    for to in sent.to:
        submission = Submission("sinch", "", plan, to, _rendered(sent, to), reference)
        submission.id, submission.sender, submission.refused_later = batch_id, sent.from_, True
        if reports:
            submission.url, submission.report = sent.callback_url, report
        submissions.append(submission)
    results = simulator.submit_all(submissions)
    return _answer(simulator, results[0], sent, plan, batch_id)


def _problem(sent: _Send) -> bytes | None:
    if not 1 <= len(sent.to) <= _RECIPIENTS_MAX:
        return _error(400, "syntax_constraint_violation", f"[to] must have 1 to {_RECIPIENTS_MAX} entries")
    for to in sent.to:
        digits = to.removeprefix("+")
        if not (digits.isascii() and digits.isdecimal() and 6 <= len(digits) <= 15):
            return _error(400, "syntax_invalid_parameter_format", "Invalid phone number in [to]")
    if not sent.body or len(sent.body) > _BODY_MAX:
        return _error(400, "syntax_constraint_violation", f"[body] must have 1 to {_BODY_MAX} characters")
    for name, values in sent.parameters.items():
        if not _NAME.fullmatch(name):
            return _error(400, "syntax_invalid_parameter_format", "Invalid name in [parameters]")
        if any(len(value.encode("utf-16-le")) > _VALUE_BYTES_MAX for value in values.values()):
            return _error(400, "syntax_constraint_violation", "[parameters] have a value of more than 160 characters")
    if sent.expire_at is not None and not _is_expiry(sent.expire_at):
        return _error(400, "syntax_constraint_violation", "[expire_at] must be in the next three days")
    if sent.delivery_report != "none" and not sent.callback_url:
        return _error(403, "missing_callback_url", "Callback has been requested but no URL is provided")
    return None


def _is_expiry(stated: str) -> bool:
    try:
        moment = datetime.fromisoformat(stated)
    except ValueError:
        return False
    left = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - datetime.now(UTC)
    return timedelta() < left <= _EXPIRY_MAX


def _rendered(sent: _Send, to: str) -> str:
    if not sent.parameters:
        return sent.body
    return _PLACEHOLDER.sub(lambda match: _value(sent.parameters.get(match[1], {}), to, match[0]), sent.body)


def _value(values: dict[str, str], to: str, otherwise: str) -> str:
    for key in (to, to.lstrip("+"), "+" + to.lstrip("+"), "default"):
        if key in values:
            return values[key]
    return otherwise


def _answer(simulator: Simulator, result: Result, sent: _Send, plan: str, batch_id: str) -> Answer:
    faults = simulator.fates.faults
    if result.name == "throttled":
        headers = b"retry-after: %d\r\n" % faults.retry_after_seconds
        return Answer(_error(429, "too_many_requests", "slow down", headers), result.delay_seconds)
    if result.name == "server_error":
        return Answer(_error(500, "internal_error", "try again"), result.delay_seconds)
    now = _now()
    batch = _Batch(
        id=batch_id,
        to=sent.to,
        type=sent.type,
        canceled=False,
        body=sent.body,
        created_at=now,
        modified_at=now,
        delivery_report=sent.delivery_report,
        from_=sent.from_,
        parameters=sent.parameters,
        client_reference=sent.client_reference,
        callback_url=sent.callback_url,
        expire_at=sent.expire_at,
    )
    simulator.remember("sinch", plan, batch_id, batch)
    if result.name == "accept_then_hang":
        return Answer(b"", faults.hang_seconds, close=True)
    if result.name == "accept_then_close":
        return Answer(b"", result.delay_seconds, close=True)
    if result.name in OF_REQUESTS:
        return Answer(_error(500, "internal_error", "try again"), result.delay_seconds)
    return Answer(answer_bytes(201, _encode(batch)), result.delay_seconds)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _list(simulator: Simulator, plan: str, query: dict[str, str]) -> bytes:
    size = min(int(query["page_size"]) if query.get("page_size", "").isdecimal() else 30, 100)
    begin, end = query.get("start_date", ""), query.get("end_date", "9")
    reference = query.get("client_reference")
    found = [
        batch
        for (provider, of, _), batch in reversed(simulator.memory.items())
        if (provider, of) == ("sinch", plan)
        and begin <= batch.created_at < end
        and reference in (None, batch.client_reference)
    ]
    page = int(query["page"]) if query.get("page", "").isdecimal() else 0
    shown = found[page * size : (page + 1) * size]
    return answer_bytes(200, _encode({"count": len(found), "page": page, "page_size": len(shown), "batches": shown}))


_STATUSES = {
    "delivered": ("Delivered", 0),
    "undelivered": ("Failed", 404),
    "sent": ("Dispatched", 401),
    "failed": ("Rejected", 402),
}
_DELETED = ("Deleted", 0)
"""By the remote SMSC, for a number that is none or that opted out: Sinch does not say which."""


def delivery_report(submission: Submission, state: str, secret: str) -> bytes:
    """The signed request that reports what became of one recipient's message."""
    status, code = _DELETED if submission.answer == "opted_out_address" else _STATUSES[state]
    body = {
        "type": "recipient_delivery_report_sms",
        "batch_id": submission.id,
        "recipient": submission.address.lstrip("+"),
        "status": status,
        "code": code,
        "at": _now(),
        "client_reference": submission.reference,
    }
    return signed_request(submission.url, _encode(body), secret)


def signed_request(url: str, body: bytes, secret: str) -> bytes:
    """A POST with Sinch's signature."""
    nonce, stamp = os.urandom(13).hex().encode(), b"%d" % time.time()
    digest = hmac.digest(secret.encode(), b"%b.%b.%b" % (body, nonce, stamp), hashlib.sha256)
    headers = (
        b"content-type: application/json\r\nx-sinch-webhook-signature: %b\r\nx-sinch-webhook-signature-nonce: %b\r\n"
        b"x-sinch-webhook-signature-timestamp: %b\r\nx-sinch-webhook-signature-algorithm: HmacSHA256\r\n"
        % (base64.b64encode(digest), nonce, stamp)
    )
    return request_bytes(url.partition("#")[0], body, headers)


def inbound_request(inbound: Inbound, secret: str) -> tuple[str, bytes]:
    """The id of a message that a person sends to one of the plan's numbers, and the request that tells of it."""
    identity = "01" + os.urandom(12).hex().upper()
    body = {
        "type": "mo_text",
        "id": identity,
        "from": inbound.from_.lstrip("+"),
        "to": inbound.to.lstrip("+"),
        "body": inbound.body,
        "received_at": _now(),
    }
    return identity, signed_request(inbound.url, _encode(body), secret)
