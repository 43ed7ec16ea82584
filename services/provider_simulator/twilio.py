"""The simulator as Twilio: Messages, their list, the account, signed status callbacks, inbound messages.

https://www.twilio.com/docs/messaging/api/message-resource
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime
from functools import lru_cache
from itertools import islice, takewhile

import msgspec

from contracts.content import count_segments
from services.provider_simulator.handlers import Inbound, Result, Simulator, Submission
from services.provider_simulator.http_text import Answer, Request, answer_bytes, form_of, request_bytes
from services.provider_simulator.store import Entry
from shared.providers.forms import form_quoted

ROOT = "/2010-04-01/Accounts/"
REFUSED_SECRET_PREFIX = "wrong"  # noqa: S105
"""Credentials with such a password are refused, so that a wrong password can be played."""

_BODY_MAX = 1600
_POOL_NUMBER = "+15005550006"
_quoted = msgspec.json.Encoder().encode

_MESSAGE = (
    b'{"sid":"%b","status":"%b","to":%b,"from":%b,"messaging_service_sid":%b,"body":%b,"num_segments":"%d",'
    b'"num_media":"0","direction":"outbound-api","api_version":"2010-04-01","price":%b,"price_unit":"USD",'
    b'"error_code":%b,"error_message":null,"account_sid":%b,"date_created":"%b","date_updated":"%b","date_sent":%b,'
    b'"uri":"/2010-04-01/Accounts/%b/Messages/%b.json","subresource_uris":{}}'
)
_UNDELIVERED_CODE = 30005
_PRICE_PER_SEGMENT = Decimal("-0.00750")


def _error(status: int, code: int, message: str, headers: bytes = b"") -> bytes:
    body = b'{"code":%d,"message":%b,"more_info":"https://www.twilio.com/docs/errors/%d","status":%d}' % (
        code,
        _quoted(message),
        code,
        status,
    )
    return answer_bytes(status, body, headers)


_UNAUTHORIZED = _error(401, 20003, "Authenticate")
_NOT_FOUND = _error(404, 20404, "The requested resource was not found")
_ERRORS = {
    "dead_address": _error(400, 21614, "'To' number is not a valid mobile number"),
    "opted_out_address": _error(400, 21610, "Attempt to send to unsubscribed recipient"),
    "server_error": _error(500, 20500, "Internal Server Error"),
    "accept_then_error": _error(500, 20500, "Internal Server Error"),
}


def handle(simulator: Simulator, request: Request) -> Answer:
    """Anything under `ROOT`."""
    account, slash, resource = request.path[len(ROOT) :].partition("/")
    secret = _secret_of(request.header(b"authorization"))
    if not secret or secret.startswith(REFUSED_SECRET_PREFIX):
        return Answer(_UNAUTHORIZED)
    if resource == "Messages.json":
        if request.method == "POST":
            return _create(simulator, account, secret, request)
        return Answer(_list(simulator, account, form_of(request.query.encode())))
    if not slash and account.endswith(".json"):
        sid = account.removesuffix(".json")
        return Answer(answer_bytes(200, msgspec.json.encode({"sid": sid, "status": "active", "friendly_name": sid})))
    if resource.startswith("Messages/SM") and resource.endswith(".json"):
        return Answer(_fetch(simulator, account, resource[9:-5]))
    return Answer(_NOT_FOUND)


@lru_cache(maxsize=1024)
def _secret_of(authorization: str) -> str:
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(encoded, validate=True).decode().partition(":")[2]
    except ValueError:
        return ""


def _create(simulator: Simulator, account: str, secret: str, request: Request) -> Answer:
    try:
        form = form_of(request.body)
    except UnicodeDecodeError:
        return Answer(_error(400, 21600, "not a form in UTF-8"))
    to, text = form.get("To", ""), form.get("Body", "")
    service, sender = form.get("MessagingServiceSid", ""), form.get("From", "")
    url = form.get("StatusCallback", "")
    if refusal := _problem(to, text, service or sender):
        return Answer(refusal)
    simulator.secrets[account] = secret
    submission = Submission("twilio", "SM", account, to, text, _reference_of(url))
    submission.sender = sender or _POOL_NUMBER
    if url.startswith(("http://", "https://")):
        submission.url = url

        def report(submission: Submission, state: str) -> bytes:
            return status_callback(submission, state, secret)

        submission.report = report
    result = simulator.submit(submission)
    return _answer(simulator, submission, result, service)


def _problem(to: str, text: str, sender: str) -> bytes | None:
    if not to:
        return _error(400, 21604, "A 'To' phone number is required.")
    if not (to[0] == "+" and to[1:].isdecimal() and 7 <= len(to) <= 16):
        return _error(400, 21211, "The 'To' number is not a valid phone number.")
    if not sender:
        return _error(400, 21603, "A 'From' phone number is required.")
    if not text:
        return _error(400, 21602, "Message body is required.")
    if len(text) > _BODY_MAX:
        return _error(400, 21617, "The concatenated message body exceeds the 1600 character limit.")
    return None


def _reference_of(url: str) -> str:
    _, found, reference = url.partition("ref=")
    return reference.partition("&")[0].partition("#")[0] if found else ""


def _answer(simulator: Simulator, submission: Submission, result: Result, service: str) -> Answer:
    name = result.name
    if name == "accept_then_hang":
        return Answer(b"", simulator.fates.faults.hang_seconds, close=True)
    if name == "accept_then_close":
        return Answer(b"", result.delay_seconds, close=True)
    if name == "throttled":
        seconds = simulator.fates.faults.retry_after_seconds
        headers = b"retry-after: %d\r\n" % seconds if seconds else b""
        return Answer(_error(429, 20429, "Too Many Requests", headers), result.delay_seconds)
    if name in _ERRORS:
        return Answer(_ERRORS[name], result.delay_seconds)
    state = b"accepted" if service else b"queued"
    body = _message(submission, state, _date(datetime.now(UTC)), service)
    return Answer(answer_bytes(201, body), result.delay_seconds)


def _message(
    submission: Submission,
    state: bytes,
    created: bytes,
    service: str,
    error_code: int | None = None,
    priced: bool = False,
) -> bytes:
    identity, account = submission.id.encode(), submission.account
    segments = count_segments(submission.text).count
    sent = b"null" if state in (b"queued", b"accepted") else b'"%b"' % created
    return _MESSAGE % (
        identity,
        state,
        _quoted(submission.address),
        b"null" if service else _quoted(submission.sender),
        _quoted(service) if service else b"null",
        _quoted(submission.text),
        segments,
        b'"%b"' % str(_PRICE_PER_SEGMENT * segments).encode() if priced else b"null",
        b"%d" % error_code if error_code else b"null",
        _quoted(account),
        created,
        created,
        sent,
        account.encode(),
        identity,
    )


_last_date: tuple[int, bytes] = (0, b"")


def _date(moment: datetime) -> bytes:
    """RFC 2822; the text of the latest second is kept."""
    global _last_date
    second = int(moment.timestamp())
    if _last_date[0] != second:
        _last_date = (second, format_datetime(moment).encode())
    return _last_date[1]


def status_callback(submission: Submission, state: str, secret: str) -> bytes:
    """The signed request that reports a state to the message's StatusCallback."""
    sid = submission.id
    fields = {"AccountSid": submission.account, "ApiVersion": "2010-04-01"}
    if state == "undelivered":
        fields["ErrorCode"] = str(_UNDELIVERED_CODE)
    fields |= {
        "From": submission.sender,
        "MessageSid": sid,
        "MessageStatus": state,
        "SmsSid": sid,
        "SmsStatus": state,
        "To": submission.address,
    }
    return signed_request(submission.url, fields, secret)


def signed_request(url: str, fields: dict[str, str], secret: str) -> bytes:
    """A form POST with Twilio's signature."""
    text = url + "".join([name + fields[name] for name in sorted(fields)])
    signature = base64.b64encode(hmac.digest(secret.encode(), text.encode(), hashlib.sha1))
    body = "&".join([f"{name}={form_quoted(value)}" for name, value in fields.items()]).encode()
    headers = b"content-type: application/x-www-form-urlencoded\r\nx-twilio-signature: %b\r\n" % signature
    return request_bytes(url.partition("#")[0], body, headers)


def inbound_request(inbound: Inbound, secret: str) -> tuple[str, bytes]:
    """The id of a message that a person sends to one of the account's numbers, and the request that tells of it."""
    sid = "SM" + os.urandom(16).hex()
    fields = {
        "AccountSid": inbound.account,
        "ApiVersion": "2010-04-01",
        "Body": inbound.body,
        "From": inbound.from_,
        "MessageSid": sid,
        "NumMedia": "0",
        "NumSegments": str(count_segments(inbound.body).count),
        "SmsSid": sid,
        "SmsStatus": "received",
        "To": inbound.to,
    }
    return sid, signed_request(inbound.url, fields, secret)


def _list(simulator: Simulator, account: str, query: dict[str, str]) -> bytes:
    limit = min(int(query["PageSize"]) if query.get("PageSize", "").isdecimal() else 50, 1000)
    since = (query.get("DateSent>") or query.get("DateSent") or "").removesuffix("Z")
    until = (query.get("DateSent<") or query.get("DateSent") or "9999").removesuffix("Z")
    log = simulator.log
    requests = reversed(log.find(query["To"])) if "To" in query else log.newest_first(until)
    listed = (
        one for one in takewhile(lambda one: since <= one[0].time, requests) if _is_listed(one[0], account, until)
    )
    page = int(query["Page"]) if query.get("Page", "").isdecimal() else 0
    messages = [_resource(simulator, *one) for one in islice(listed, page * limit, (page + 1) * limit + 1)]
    following = "&".join(f"{form_quoted(name)}={form_quoted(value)}" for name, value in query.items() if name != "Page")
    body = b'{"messages":[%b],"page":0,"page_size":%d,"next_page_uri":%b,"first_page_uri":"","uri":""}' % (
        b",".join(messages[:limit]),
        limit,
        _quoted(f"{ROOT}{account}/Messages.json?{following}&Page={page + 1}") if len(messages) > limit else b"null",
    )
    return answer_bytes(200, body)


def _is_listed(entry: Entry, account: str, until: str) -> bool:
    is_sent_by_then = entry.accepted and entry.time[: len(until)] <= until
    return is_sent_by_then and entry.provider == "twilio" and entry.account == account


def _fetch(simulator: Simulator, account: str, identity: str) -> bytes:
    try:
        sequence = int(identity[12:], 16)
        entry, text = simulator.log.at(sequence)
    except (ValueError, IndexError):
        return _NOT_FOUND
    if entry.id != identity or entry.account != account:
        return _NOT_FOUND
    return answer_bytes(200, _resource(simulator, entry, text, simulator.log.reports(sequence)))


def _resource(simulator: Simulator, entry: Entry, text: str, reports: list[str]) -> bytes:
    submission = Submission("twilio", "SM", entry.account, entry.address, text, entry.reference)
    submission.id, submission.sender = entry.id, entry.sender
    state = simulator.state(simulator.fates.of(entry.address), reports)
    created = datetime.fromisoformat(entry.time)
    priced_at = created + timedelta(seconds=simulator.fates.faults.price_seconds)
    return _message(
        submission,
        state.encode(),
        format_datetime(created).encode(),
        "",
        _UNDELIVERED_CODE if state == "undelivered" else None,
        priced=datetime.now(UTC) >= priced_at,
    )
