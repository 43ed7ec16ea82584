"""The simulator as OneSignal: messages to subscriptions, idempotency keys, and the event stream of an app.

OneSignal is told no callback URL: where an app's events go is set at `/_simulator/log-destinations`, by app id, and the
secret goes with them as a bearer token. Their body is that of docs/providers/onesignal.md.

https://documentation.onesignal.com/reference/create-message
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import msgspec

from services.provider_simulator.handlers import ACCEPTED, OF_REQUESTS, Simulator, Submission
from services.provider_simulator.http_text import Answer, Request, answer_bytes, form_of, request_bytes

ROOTS = ("/notifications", "/api/v1/notifications")
REFUSED_KEY_PREFIX = "wrong"
"""API keys with such a beginning are refused, so that wrong credentials can be played."""

_SUBSCRIPTIONS_MAX = 20_000
_encode = msgspec.json.Encoder().encode


class _Send(msgspec.Struct):
    app_id: str
    contents: dict[str, str] = {}
    include_subscription_ids: list[str] = []
    target_channel: str = ""
    idempotency_key: str | None = None
    data: dict[str, Any] | None = None


_send = msgspec.json.Decoder(_Send).decode


def _errors(status: int, *errors: str, headers: bytes = b"") -> bytes:
    return answer_bytes(status, _encode({"errors": list(errors)}), headers)


def handle(simulator: Simulator, request: Request) -> Answer:
    """Anything under `ROOTS`."""
    scheme, _, key = request.header(b"authorization").partition(" ")
    if scheme.lower() not in ("key", "basic", "bearer") or not key or key.startswith(REFUSED_KEY_PREFIX):
        return Answer(_errors(403, "Access denied. Please include an 'Authorization: ...' header with a valid API key"))
    if request.method == "POST":
        return _create(simulator, request)
    query = form_of(request.query.encode())
    if not _is_uuid(query.get("app_id", "")):
        return Answer(_errors(400, "app_id not found. You may be missing a Content-Type: application/json header."))
    notification = request.path.rpartition("/notifications")[2].strip("/")
    if not notification:
        listing = {"total_count": 0, "offset": 0, "limit": 1, "notifications": []}
        return Answer(answer_bytes(200, _encode(listing)))
    if ("onesignal", query["app_id"], notification) not in simulator.memory:
        return Answer(_errors(404, "Notification not found"))
    return Answer(answer_bytes(200, _encode({"id": notification, "app_id": query["app_id"]})))


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def _create(simulator: Simulator, request: Request) -> Answer:
    try:
        sent = _send(request.body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return Answer(_errors(400, str(error)))
    if refusal := _problem(sent):
        return Answer(refusal)
    remembered = ("onesignal", sent.app_id, sent.idempotency_key or "")
    if sent.idempotency_key and remembered in simulator.memory:
        return Answer(simulator.memory[remembered])
    notification = str(uuid4())
    destination = simulator.destinations.get(sent.app_id)

    def report(submission: Submission, state: str) -> bytes:
        assert destination is not None
        return event(submission, state, destination.secret)

    submissions = []
    for subscription in sent.include_subscription_ids:
        submission = Submission("onesignal", "", sent.app_id, subscription, sent.contents["en"], "")
        submission.id = notification
        if destination is not None:
            submission.url, submission.by_app, submission.report = destination.url, True, report
        submissions.append(submission)
    results = simulator.submit_all(submissions)
    first, faults = results[0], simulator.fates.faults
    if first.name == "throttled":
        headers = b"retry-after: %d\r\n" % faults.retry_after_seconds
        return Answer(_errors(429, "API rate limit exceeded", headers=headers), first.delay_seconds)
    if first.name == "server_error":
        return Answer(_errors(500, "Internal server error"), first.delay_seconds)
    dead = [one.address for one, result in zip(submissions, results, strict=True) if result.name not in ACCEPTED]
    answer = _taken(notification, dead, len(submissions))
    if sent.idempotency_key:
        simulator.remember(*remembered, answer)
    simulator.remember("onesignal", sent.app_id, notification, True)
    if first.name == "accept_then_hang":
        return Answer(b"", faults.hang_seconds, close=True)
    if first.name == "accept_then_close":
        return Answer(b"", first.delay_seconds, close=True)
    if first.name in OF_REQUESTS:
        return Answer(_errors(503, "try again"), first.delay_seconds)
    return Answer(answer, first.delay_seconds)


def _problem(sent: _Send) -> bytes | None:
    if not _is_uuid(sent.app_id):
        return _errors(400, "app_id not found. You may be missing a Content-Type: application/json header.")
    if "en" not in sent.contents:
        return _errors(400, "Notification content must not be null for any languages.")
    if not 1 <= len(sent.include_subscription_ids) <= _SUBSCRIPTIONS_MAX:
        return _errors(400, "You must include which players, segments, or tags you wish to send this notification to.")
    if not all(sent.include_subscription_ids):
        return _errors(400, "include_subscription_ids must be valid UUIDs")
    if sent.idempotency_key is not None and not _is_uuid(sent.idempotency_key):
        return _errors(400, "idempotency_key must be a UUID")
    return None


def _taken(notification: str, dead: list[str], subscriptions: int) -> bytes:
    if len(dead) == subscriptions:
        body: dict[str, object] = {"id": "", "errors": ["All included players are not subscribed"]}
    elif dead:
        body = {"id": notification, "external_id": None, "errors": {"invalid_player_ids": dead}}
    else:
        body = {"id": notification, "external_id": None}
    return answer_bytes(200, _encode(body))


_EVENTS = {"delivered": "message.push.received", "clicked": "message.push.clicked", "opened": "message.push.displayed"}


def event(submission: Submission, state: str, secret: str) -> bytes:
    """What the event stream of the app posts."""
    body = {
        "event": _EVENTS[state],
        "timestamp": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "messageId": submission.id,
        "subscriptionId": submission.address,
        "externalId": "",
    }
    headers = b"content-type: application/json\r\nauthorization: Bearer %b\r\n" % secret.encode()
    return request_bytes(submission.url, _encode(body), headers)
