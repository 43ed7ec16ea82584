"""The simulator as Apple's push service, and the customer's app that reports what it was given.

https://developer.apple.com/documentation/usernotifications/sending-notification-requests-to-apns
"""

from __future__ import annotations

import base64
import re
import time
from uuid import uuid4

import msgspec

from services.provider_simulator.handlers import Simulator, Submission, app_report
from services.provider_simulator.http_text import Answer, Request, answer_bytes

ROOT = "/3/device/"
REFUSED_KEY_PREFIX = "WRONG"
"""Keys with such an id are refused, so that wrong credentials can be played."""

_PAYLOAD_BYTES_MAX = 4096
_COLLAPSE_BYTES_MAX = 64
_TOKEN_SECONDS_MAX = 3600
_DEVICE = re.compile(r"[0-9a-fA-F]{16,200}")
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_PRIORITIES = ("", "1", "5", "10")
_PUSH_TYPES = (
    *("", "alert", "background", "location", "voip", "complication", "fileprovider", "mdm", "liveactivity"),
    *("pushtotalk", "widgets", "controls"),
)


class _Alert(msgspec.Struct, gc=False):
    title: str = ""
    body: str = ""


class _Aps(msgspec.Struct, gc=False):
    alert: _Alert | str | None = None


class _Payload(msgspec.Struct, gc=False):
    aps: _Aps
    reportUrl: str = ""


class _Claims(msgspec.Struct, gc=False):
    iss: str
    iat: float


class _Header(msgspec.Struct, gc=False):
    alg: str
    kid: str


_payload = msgspec.json.Decoder(_Payload)


def handle(simulator: Simulator, request: Request) -> Answer:
    """Anything under `ROOT`."""
    identity = request.header(b"apns-id")
    refusal = _refusal(request, identity)
    if refusal is not None:
        return Answer(_error(*refusal, identity))
    try:
        payload = _payload.decode(request.body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Answer(_error(400, "PayloadEmpty", identity))
    alert = payload.aps.alert
    text = alert.body if isinstance(alert, _Alert) else alert or ""
    topic, url = request.header(b"apns-topic"), payload.reportUrl
    submission = Submission("apns", "", topic, request.path[len(ROOT) :], text, url.rpartition("/")[2])
    submission.id = identity or str(uuid4())
    if url.startswith(("http://", "https://")):
        submission.url = url
        submission.by_app = True
        submission.report = app_report
    result = simulator.submit(submission, http2=True)
    identity = submission.id
    match result.name:
        case "accept_then_hang":
            return Answer(b"", simulator.fates.faults.hang_seconds, close=True)
        case "accept_then_close":
            return Answer(b"", result.delay_seconds, close=True)
        case "refused_stream":
            return Answer(b"", result.delay_seconds, refuse=True)
        case "throttled":
            seconds = b"retry-after: %d\r\n" % simulator.fates.faults.retry_after_seconds
            return Answer(_error(429, "TooManyRequests", identity, seconds), result.delay_seconds)
        case "dead_address" | "opted_out_address":
            at = int((time.time() - _TOKEN_SECONDS_MAX) * 1000)
            return Answer(_error(410, "Unregistered", identity, timestamp=at), result.delay_seconds)
        case "server_error":
            return Answer(_error(500, "InternalServerError", identity), result.delay_seconds)
        case "accept_then_error":
            return Answer(_error(503, "ServiceUnavailable", identity), result.delay_seconds)
    taken = answer_bytes(200, b"", b"apns-id: %b\r\n" % identity.encode())
    return Answer(taken, result.delay_seconds, close=result.name == "goaway")


def _refusal(request: Request, identity: str) -> tuple[int, str] | None:
    """Status and reason for what Apple does not even look at."""
    if not request.http2:
        return 505, "HttpVersionNotSupported"
    if request.method != "POST":
        return 405, "MethodNotAllowed"
    if (reason := _token_problem(request.header(b"authorization"))) is not None:
        return 403, reason
    if len(request.body) > _PAYLOAD_BYTES_MAX:
        return 413, "PayloadTooLarge"
    checks = (
        (not identity or _ID.fullmatch(identity), "BadMessageId"),
        (request.header(b"apns-topic"), "MissingTopic"),
        (request.header(b"apns-priority") in _PRIORITIES, "BadPriority"),
        (request.header(b"apns-push-type") in _PUSH_TYPES, "InvalidPushType"),
        ((request.header(b"apns-expiration") or "0").isdecimal(), "BadExpirationDate"),
        (len(request.header(b"apns-collapse-id")) <= _COLLAPSE_BYTES_MAX, "BadCollapseId"),
        (request.body, "PayloadEmpty"),
        (_DEVICE.fullmatch(request.path[len(ROOT) :]), "BadDeviceToken"),
        (request.path[len(ROOT) :].strip("0"), "BadDeviceToken"),
    )
    return next(((400, reason) for holds, reason in checks if not holds), None)


def _token_problem(authorization: str) -> str | None:
    """What is wrong with a provider token; its signature is not checked, as nobody gave us the key."""
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer":
        return "MissingProviderToken"
    try:
        parts = [base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in token.split(".")]
        header = msgspec.json.decode(parts[0], type=_Header)
        claims = msgspec.json.decode(parts[1], type=_Claims)
    except (ValueError, IndexError, msgspec.DecodeError):
        return "InvalidProviderToken"
    if header.alg != "ES256" or len(parts) != 3 or len(parts[2]) != 64 or header.kid.startswith(REFUSED_KEY_PREFIX):
        return "InvalidProviderToken"
    if not -60 < time.time() - claims.iat < _TOKEN_SECONDS_MAX:
        return "ExpiredProviderToken"
    return None


def _error(status: int, reason: str, identity: str, headers: bytes = b"", timestamp: int | None = None) -> bytes:
    body = {"reason": reason} | ({} if timestamp is None else {"timestamp": timestamp})
    if identity:
        headers += b"apns-id: %b\r\n" % identity.encode("latin-1", "replace")
    return answer_bytes(status, msgspec.json.encode(body), headers)
