"""Firebase Cloud Messaging, HTTP v1: one push a request, no receipts but the app's own, no idempotency.

https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages/send
pyfcm builds the messages and google-auth the authorization; pyfcm's own HTTP is not used, because it sleeps, repeats
requests and takes every 404 for a dead token.
"""

from __future__ import annotations

import hashlib
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote
from weakref import WeakValueDictionary

import msgspec
from google.auth.exceptions import GoogleAuthError, TransportError
from google.auth.transport import Request as GoogleRequest
from google.auth.transport import Response as GoogleResponse
from google.oauth2 import service_account
from pyfcm import FCMNotification

from shared.providers.http_provider import UNAUTHORIZED
from shared.providers.provider import (
    Accepted,
    Capabilities,
    Deferred,
    HttpAnswer,
    HttpRequest,
    InvalidField,
    Message,
    Outcome,
    Problem,
    Refused,
    Unknown,
    Verification,
    problems_in,
)
from shared.providers.reading import config_of, decoded, text_of
from shared.providers.silent import CALLBACK_REPLY as CALLBACK_REPLY
from shared.providers.silent import finding as finding
from shared.providers.silent import is_genuine as is_genuine
from shared.providers.silent import question as question
from shared.providers.silent import read_callback as read_callback
from shared.providers.vendor import Exchange

CAPABILITIES = Capabilities(
    channel="push",
    provider_type="firebase",
    official_hosts=frozenset({"fcm.googleapis.com", "oauth2.googleapis.com", "accounts.google.com"}),
    batch_max=1,
    in_flight_max=100,
    receipts="app",
    resend_is_safe=False,
    can_be_asked=False,
    price="none",
)

_OFFICIAL = "https://fcm.googleapis.com"
_SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
_QUOTA_SECONDS = 60.0
_INSTALLATION = re.compile(r"[A-Za-z0-9_-]{22}")
"""A Firebase installation id; tokens are several times as long."""

_TTL_SECONDS_MAX = 28 * 86_400
_FRESH_SECONDS = 300.0
_AGAIN_SECONDS = 10.0


class _Payloads(FCMNotification):  # type: ignore[misc]
    """pyfcm's message building with a faster encoder, and with the installation ids that are to replace tokens."""

    def json_dumps(self, data: dict[str, Any]) -> bytes:
        message = data["message"]
        if _INSTALLATION.fullmatch(message.get("token", "")):
            message["fid"] = message.pop("token")
        return msgspec.json.encode(data)


@dataclass(slots=True, eq=False, weakref_slot=True)
class _Grant:
    """A service account's authorization; `headers` hold the token that is good until `expires_at`."""

    credentials: Any = field(repr=False)
    headers: tuple[str, ...] = field(default=(), repr=False)
    expires_at: float = 0.0
    renewing: threading.Lock = field(default_factory=threading.Lock, repr=False)


_GRANTS: WeakValueDictionary[tuple[str, ...], _Grant] = WeakValueDictionary()
"""Accounts that hold the same service account share its token as long as one of them is in use."""


@dataclass(slots=True)
class Account:
    """Our service account in one Firebase project."""

    base_url: str
    token_url: str
    send_url: str
    grant: _Grant = field(repr=False)
    payloads: _Payloads = field(repr=False)

    def hosts(self) -> list[tuple[str, str]]:
        """The URLs that the account names, with the field that holds each."""
        return [("config.baseUrl", self.base_url), ("config.serviceAccount", self.token_url)]


def _service_account(values: Mapping[str, Any]) -> Mapping[str, Any]:
    given = config_of(values).get("serviceAccount")
    if isinstance(given, str):
        try:
            given = msgspec.json.decode(given)
        except msgspec.DecodeError:
            return {}
    return given if isinstance(given, Mapping) else {}


def problems(values: Mapping[str, Any]) -> list[Problem]:
    """Needs `config.serviceAccount`, the JSON file of a service account; `config.projectId` overrides its project."""
    info = _service_account(values)
    if not info:
        return [Problem("config.serviceAccount", "must be the JSON of a service account")]
    found = [
        Problem("config.serviceAccount", f"has no {name}")
        for name in ("client_email", "private_key", "token_uri")
        if not text_of(info, name)
    ]
    found = found or problems_in(lambda: _grant(info))
    if not text_of(config_of(values), "projectId") and not text_of(info, "project_id"):
        found.append(Problem("config.projectId", "is required, since the service account names no project"))
    return found


def account(values: Mapping[str, Any]) -> Account:
    """See `Vendor.account`."""
    config, info = config_of(values), _service_account(values)
    project = text_of(config, "projectId") or text_of(info, "project_id")
    base_url = (text_of(config, "baseUrl") or _OFFICIAL).rstrip("/")
    grant = _grant(info)
    return Account(
        base_url=base_url,
        token_url=text_of(info, "token_uri"),
        send_url=f"{base_url}/v1/projects/{quote(project, safe='')}/messages:send",
        grant=grant,
        payloads=_Payloads(credentials=grant.credentials, project_id=project),
    )


def _grant(info: Mapping[str, Any]) -> _Grant:
    names = tuple(text_of(info, name) for name in ("token_uri", "client_email", "private_key_id", "private_key"))
    key = (*names[:3], hashlib.sha256(names[3].encode()).hexdigest())
    if (known := _GRANTS.get(key)) is not None:
        return known
    try:
        credentials = service_account.Credentials.from_service_account_info(dict(info), scopes=[_SCOPE])  # type: ignore[no-untyped-call]
    except (ValueError, GoogleAuthError):
        raise InvalidField(Problem("config.serviceAccount", "its private_key cannot be read")) from None
    grant = _GRANTS[key] = _Grant(credentials)
    return grant


def authorize(account: Account, refused: HttpRequest | None) -> Callable[[Exchange], Refused | Deferred | None] | None:
    """A token is fetched when there is none, when it ends in less than five minutes, or when it was refused."""
    grant = account.grant
    held = grant.headers
    was_refused = refused is not None and refused.headers is held
    if not was_refused and time.monotonic() < grant.expires_at - _FRESH_SECONDS:
        return None

    def refresh(exchange: Exchange) -> Refused | Deferred | None:
        with grant.renewing:
            return _renew(grant, exchange, was_refused) if grant.headers is held else None

    return refresh


def _renew(grant: _Grant, exchange: Exchange, was_refused: bool) -> Refused | Deferred | None:
    try:
        grant.credentials.refresh(_Transport(exchange))
    except GoogleAuthError as error:
        if not was_refused and time.monotonic() < grant.expires_at:
            return None
        if isinstance(error, TransportError) or error.retryable:
            return Deferred("authorization", _AGAIN_SECONDS)
        return Refused("config", "invalid_grant")
    left = grant.credentials.expiry.replace(tzinfo=UTC) - datetime.now(UTC)
    grant.headers = (f"Authorization: Bearer {grant.credentials.token}", "Content-Type: application/json")
    grant.expires_at = time.monotonic() + left.total_seconds()
    return None


class _Transport(GoogleRequest):
    """google-auth's requests over our wire, with its timeouts and its list of allowed hosts."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def __call__(
        self,
        url: str,
        method: str = "GET",
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        **_options: object,
    ) -> GoogleResponse:
        lines = tuple(f"{name}: {value}" for name, value in (headers or {}).items())
        try:
            answer = self._exchange(HttpRequest(method, url, lines, body or b""))
        except (ConnectionError, TimeoutError) as error:
            raise TransportError(str(error)) from None  # type: ignore[no-untyped-call]
        return _TokenAnswer(answer)


class _TokenAnswer(GoogleResponse):
    def __init__(self, answer: HttpAnswer) -> None:
        self._answer = answer

    @property
    def status(self) -> int:
        return self._answer.status

    @property
    def headers(self) -> Mapping[str, str]:
        return {}

    @property
    def data(self) -> bytes:
        return self._answer.body


def request(account: Account, message: Message) -> HttpRequest:
    """`data.reportUrl` is where the app reports; a repetition replaces its forerunner on the device."""
    data = dict(message.data) if message.data else {}
    if message.report_url is not None:
        data["reportUrl"] = message.report_url
    if message.action_url is not None:
        data["actionUrl"] = message.action_url
    android: dict[str, object] = {"priority": "HIGH" if message.urgent else "NORMAL"}
    apns: dict[str, str] = {"apns-priority": "10" if message.urgent else "5"}
    if message.ttl_seconds is not None:
        ttl_seconds = min(max(message.ttl_seconds, 0), _TTL_SECONDS_MAX)
        android["ttl"] = f"{ttl_seconds}s"
        apns["apns-expiration"] = str(int(time.time()) + ttl_seconds)
    if message.collapse_id is not None:
        android["notification"] = {"tag": message.collapse_id}
        apns["apns-collapse-id"] = message.collapse_id
    body = account.payloads.parse_payload(
        fcm_token=str(message.address),
        notification_title=message.title,
        notification_body=message.text,
        notification_image=message.image_url,
        data_payload=data or None,
        android_config=android,
        apns_config={"headers": apns},
    )
    return HttpRequest("POST", account.send_url, account.grant.headers, body)


class _Sent(msgspec.Struct, gc=False):
    name: str


class _Detail(msgspec.Struct, gc=False):
    type: str = msgspec.field(default="", name="@type")
    error_code: str | None = msgspec.field(default=None, name="errorCode")


class _Error(msgspec.Struct):
    status: str = ""
    message: str = ""
    details: list[_Detail] = []


class _Failure(msgspec.Struct):
    error: _Error


_sent = msgspec.json.Decoder(_Sent)
_failure = msgspec.json.Decoder(_Failure)


def outcome(_account: Account, _message: Message, answer: HttpAnswer) -> Outcome:
    """An HTTP status alone says nothing about a token: only Firebase's own error code does."""
    if answer.status == 200:
        sent = decoded(_sent, answer.body)
        return Accepted(sent.name) if sent and sent.name else Unknown("malformed")
    failure = decoded(_failure, answer.body)
    error = failure.error if failure else _Error()
    fcm_code = next((detail.error_code for detail in error.details if detail.type.endswith(".FcmError")), None)
    code = fcm_code or error.status or str(answer.status)
    # https://firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode
    match answer.status, fcm_code:
        case 404, "UNREGISTERED":
            return Refused("recipient_permanent", code)
        case 403, "SENDER_ID_MISMATCH":
            return Refused("recipient_permanent", code)
        case 400, "INVALID_ARGUMENT" if "registration token" in error.message.lower():
            return Refused("recipient_permanent", code)
        case 401, "THIRD_PARTY_AUTH_ERROR":
            return Refused("config", code)
        case 401, _:
            return UNAUTHORIZED
        case 429, _:
            return Deferred("throttled", answer.retry_after_seconds or _QUOTA_SECONDS, code)
        case 400, "UNSPECIFIED_ERROR":
            return Refused("unknown", code)
        case 400 | 413, _:
            return Refused("content", code)
        case status, _ if status >= 500:
            return Unknown("server_error", code)
    return Refused("config", code)


def verification(account: Account) -> HttpRequest:
    """A message that Firebase only validates, to a topic that nobody hears."""
    body = account.payloads.parse_payload(topic_name="verification", notification_title="verification", dry_run=True)
    return HttpRequest("POST", account.send_url, account.grant.headers, body)


def verified(_account: Account, answer: HttpAnswer) -> Verification:
    """See `Vendor.verified`."""
    if answer.status == 200:
        return Verification(works=True, detail="Firebase takes messages for the project")
    if answer.status in (401, 403):
        return Verification(works=False, detail="the service account may not send for the project")
    if answer.status == 404:
        return Verification(works=False, detail="Firebase does not know the project")
    return Verification(works=False, detail=f"Firebase answered with status {answer.status}")
