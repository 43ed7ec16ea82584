"""The simulator as Firebase: sends, access tokens, and the customer's app that reports what it was given.

https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages/send
"""

from __future__ import annotations

import base64
import hmac
import os
import time
from hashlib import sha256

import msgspec

from services.provider_simulator.handlers import Result, Simulator, Submission, app_report
from services.provider_simulator.http_text import Answer, Request, answer_bytes, form_of

ROOT = "/v1/projects/"
TOKEN_PATH = "/token"  # noqa: S105
REFUSED_EMAIL_PREFIX = "wrong"
"""Service accounts with such an e-mail address are refused, so that wrong credentials can be played."""

_TOKEN_SECONDS = 3600
_PAYLOAD_BYTES_MAX = 4096
_key = os.urandom(32)


class _Notification(msgspec.Struct, gc=False):
    title: str = ""
    body: str = ""


class _Message(msgspec.Struct, gc=False):
    token: str = ""
    topic: str = ""
    notification: _Notification | None = None
    data: dict[str, str] | None = None


class _Send(msgspec.Struct, gc=False):
    message: _Message
    validate_only: bool = False
    validateOnly: bool = False


_decode = msgspec.json.Decoder(_Send).decode


def _error(status: int, name: str, message: str, code: str = "", headers: bytes = b"") -> bytes:
    details: list[dict[str, object]] = []
    if code:
        details.append({"@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError", "errorCode": code})
    body = {"error": {"code": status, "message": message, "status": name, "details": details}}
    return answer_bytes(status, msgspec.json.encode(body), headers)


_UNAUTHENTICATED = _error(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.")
_INVALID_TOKEN = _error(
    400, "INVALID_ARGUMENT", "The registration token is not a valid FCM registration token", "INVALID_ARGUMENT"
)
_ERRORS = {
    "dead_address": _error(404, "NOT_FOUND", "Requested entity was not found.", "UNREGISTERED"),
    "opted_out_address": _error(404, "NOT_FOUND", "Requested entity was not found.", "UNREGISTERED"),
    "server_error": _error(500, "INTERNAL", "Internal error encountered.", "INTERNAL"),
    "accept_then_error": _error(503, "UNAVAILABLE", "The service is currently unavailable.", "UNAVAILABLE"),
}


def handle(simulator: Simulator, request: Request) -> Answer:
    """Anything under `ROOT`."""
    project, _, resource = request.path[len(ROOT) :].partition("/")
    if resource != "messages:send" or request.method != "POST":
        return Answer(_error(404, "NOT_FOUND", "Requested entity was not found."))
    scheme, _, token = request.header(b"authorization").partition(" ")
    if scheme != "Bearer" or not _is_valid(token):
        return Answer(_UNAUTHENTICATED)
    try:
        sent = _decode(request.body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return Answer(_error(400, "INVALID_ARGUMENT", f"Invalid JSON payload received: {error}"))
    if sent.validate_only or sent.validateOnly:
        return Answer(_accepted(f"projects/{project}/messages/fake_message_id"))
    message = sent.message
    if not message.token:
        return Answer(_error(400, "INVALID_ARGUMENT", "Recipient of the message is not set.", "INVALID_ARGUMENT"))
    if len(message.token) < 8:
        return Answer(_INVALID_TOKEN)
    if len(request.body) > _PAYLOAD_BYTES_MAX + 1024:
        return Answer(_error(400, "INVALID_ARGUMENT", "Message too big", "INVALID_ARGUMENT"))
    url = (message.data or {}).get("reportUrl", "")
    text = message.notification.body if message.notification else ""
    submission = Submission(
        "firebase", f"projects/{project}/messages/", project, message.token, text, url.rpartition("/")[2]
    )
    if url.startswith(("http://", "https://")):
        submission.url = url
        submission.by_app = True
        submission.report = app_report
    return _answer(simulator, submission, simulator.submit(submission))


def _accepted(name: str) -> bytes:
    return answer_bytes(200, b'{"name":"%b"}' % name.encode())


def _answer(simulator: Simulator, submission: Submission, result: Result) -> Answer:
    name = result.name
    if name == "accept_then_hang":
        return Answer(b"", simulator.fates.faults.hang_seconds, close=True)
    if name == "accept_then_close":
        return Answer(b"", result.delay_seconds, close=True)
    if name == "throttled":
        headers = b"retry-after: %d\r\n" % simulator.fates.faults.retry_after_seconds
        data = _error(429, "RESOURCE_EXHAUSTED", "Quota exceeded.", "QUOTA_EXCEEDED", headers)
        return Answer(data, result.delay_seconds)
    return Answer(_ERRORS.get(name) or _accepted(submission.id), result.delay_seconds)


def give_token(_simulator: Simulator, request: Request) -> Answer:
    """An access token for a service account's signed statement (RFC 7523); its signature is not checked."""
    try:
        form = form_of(request.body)
    except UnicodeDecodeError:
        form = {}
    if form.get("grant_type") != "urn:ietf:params:oauth:grant-type:jwt-bearer":
        return Answer(answer_bytes(400, b'{"error":"unsupported_grant_type"}'))
    try:
        part = form.get("assertion", "").split(".")[1]
        claims = msgspec.json.decode(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)), type=dict[str, object])
    except (IndexError, ValueError):
        return Answer(answer_bytes(400, b'{"error":"invalid_grant","error_description":"Invalid JWT"}'))
    if str(claims.get("iss", "")).startswith(REFUSED_EMAIL_PREFIX) or "firebase.messaging" not in str(
        claims.get("scope")
    ):
        return Answer(answer_bytes(400, b'{"error":"invalid_grant","error_description":"Invalid grant"}'))
    body = {
        "access_token": _token(int(time.time()) + _TOKEN_SECONDS),
        "expires_in": _TOKEN_SECONDS,
        "token_type": "Bearer",
    }
    return Answer(answer_bytes(200, msgspec.json.encode(body)))


def _token(expires_at: int) -> str:
    return f"ya29.{expires_at}.{hmac.digest(_key, str(expires_at).encode(), sha256).hex()}"


def _is_valid(token: str) -> bool:
    """True for a token given by this process that has not expired."""
    parts = token.split(".")
    if len(parts) != 3 or not parts[1].isdecimal() or int(parts[1]) < time.time():
        return False
    return hmac.compare_digest(token.encode(), _token(int(parts[1])).encode())
