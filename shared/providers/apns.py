"""Apple Push Notification service: one push a request over HTTP/2, no receipts but the app's own, no idempotency.

https://developer.apple.com/documentation/usernotifications/sending-notification-requests-to-apns
aioapns describes the notifications and mints the provider tokens; its connections are not used, because they wait for
ever for a silent server, mint a token each, and send again what was in flight when one breaks.
"""

from __future__ import annotations

import hashlib
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import msgspec
from aioapns.common import PRIORITY_HIGH, PRIORITY_NORMAL, NotificationRequest, PushType
from aioapns.connection import JWTAuthorizationHeaderProvider
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import NameOID

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
    boottime,
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
    provider_type="apns",
    official_hosts=frozenset({"api.push.apple.com", "api.sandbox.push.apple.com"}),
    batch_max=1,
    in_flight_max=500,
    http2=True,
    receipts="app",
    resend_is_safe=False,
    can_be_asked=False,
    price="none",
    client_certificates=True,
)

_PRODUCTION, _SANDBOX = "https://api.push.apple.com", "https://api.sandbox.push.apple.com"
_TOKEN_KEPT_SECONDS = 1200.0
"""Apple refuses tokens that are minted more often."""

_TOKEN_GOOD_SECONDS = 2400.0
"""After which a token is replaced: Apple takes none that is an hour old."""

_TOKENS_MAX = 10_000
"""Keys whose tokens are remembered."""

_TOPIC = re.compile(r"[A-Za-z0-9.-]{1,255}")
_KEY_ID = re.compile(r"[A-Za-z0-9]{1,20}")

# https://developer.apple.com/documentation/usernotifications/handling-notification-responses-from-apns
_CLASSES = {
    **dict.fromkeys(
        ("Unregistered", "ExpiredToken", "BadDeviceToken", "DeviceTokenNotForTopic"), "recipient_permanent"
    ),
    **dict.fromkeys(
        (
            *("PayloadEmpty", "PayloadTooLarge", "BadCollapseId", "BadExpirationDate", "BadMessageId", "BadPriority"),
            *("InvalidPushType", "MissingDeviceToken", "DuplicateHeaders"),
        ),
        "content",
    ),
    **dict.fromkeys(
        (
            *(
                "BadTopic",
                "MissingTopic",
                "TopicDisallowed",
                "BadCertificate",
                "BadCertificateEnvironment",
                "Forbidden",
            ),
            *("InvalidProviderToken", "MissingProviderToken", "UnrelatedKeyIdInToken", "BadEnvironmentKeyIdInToken"),
            *("BadEnvironmentKeyInToken", "BadPath", "MethodNotAllowed"),
        ),
        "config",
    ),
}

_CLASSES_BY_STATUS = {**dict.fromkeys((401, 403, 404, 405), "config"), 413: "content"}
"""For answers without a reason, which whatever stands before Apple gives."""


@dataclass(slots=True)
class _Token:
    """The provider token of one key, as a header."""

    key_id: str
    team_id: str
    private_key: str = field(repr=False)
    header: str = field(repr=False)
    minted_at: float

    def age_seconds(self) -> float:
        return boottime() - self.minted_at

    def renew(self) -> None:
        self.header, self.minted_at = _mint(self.private_key, self.key_id, self.team_id), boottime()


_TOKENS: OrderedDict[tuple[str, ...], _Token] = OrderedDict()
"""All accounts with one key share its token, and so do those that are made anew: Apple counts by the key."""

_MINTING = threading.Lock()


@dataclass(slots=True)
class Account:
    """Our key for one app. With a client certificate there is no token."""

    base_url: str
    base_url_field: str
    topic: str
    token: _Token | None

    def hosts(self) -> list[tuple[str, str]]:
        """The URLs that the account names, with the field that holds each."""
        return [(self.base_url_field, self.base_url)]


def problems(values: Mapping[str, Any]) -> list[Problem]:
    """Needs `config.keyId`, `teamId`, `topic` (the app's bundle id) and `privateKey` (the text of the .p8 file).

    Or else `config.certificate`, the PEM text of a push certificate with its private key, which names the topic itself.
    """
    config = config_of(values)
    names = () if text_of(config, "certificate") else ("keyId", "teamId", "topic", "privateKey")
    found = [Problem(f"config.{name}", "is required") for name in names if not text_of(config, name)]
    patterns = {"keyId": _KEY_ID, "teamId": _KEY_ID, "topic": _TOPIC}
    found += [
        Problem(f"config.{name}", "holds characters that Apple does not use in it")
        for name, pattern in patterns.items()
        if text_of(config, name) and not pattern.fullmatch(text_of(config, name))
    ]
    port = config.get("port")
    if port is not None and not (isinstance(port, int) and 0 < port < 65_536):
        found.append(Problem("config.port", "must be a number from 1 to 65535"))
    certificate, key = text_of(config, "certificate"), text_of(config, "privateKey")
    if certificate:
        found += problems_in(lambda: _topic_in(certificate))
    elif key:
        found += problems_in(lambda: _mint(key, text_of(config, "keyId"), text_of(config, "teamId")))
    return found


def account(values: Mapping[str, Any]) -> Account:
    """See `Vendor.account`. `config.host` and `config.port`, or `config.baseUrl`, name another server."""
    config = config_of(values)
    key, key_id, team_id = (text_of(config, name) for name in ("privateKey", "keyId", "teamId"))
    topic = text_of(config, "topic")
    if certificate := text_of(config, "certificate"):
        named = _topic_in(certificate)
        topic = topic or named
    base_url, base_url_field = _PRODUCTION, "config.host"
    if config.get("sandbox") is True:
        base_url = _SANDBOX
    if host := text_of(config, "host"):
        base_url = f"https://{host}:{config.get('port', 443)}"
    if text_of(config, "baseUrl"):
        base_url, base_url_field = text_of(config, "baseUrl").rstrip("/"), "config.baseUrl"
    return Account(
        base_url=base_url,
        base_url_field=base_url_field,
        topic=topic,
        token=None if certificate else _token(key, key_id, team_id),
    )


def _topic_in(certificate: str) -> str:
    """The app that a push certificate is for, "" where it names none; raises `InvalidField` for what is none."""
    try:
        read = x509.load_pem_x509_certificate(certificate.encode())
        load_pem_private_key(certificate.encode(), None)
    except (ValueError, TypeError):
        message = "must be the PEM text of a certificate and its unencrypted private key"
        raise InvalidField(Problem("config.certificate", message)) from None
    named = read.subject.get_attributes_for_oid(NameOID.USER_ID)
    return str(named[0].value) if named else ""


def _token(private_key: str, key_id: str, team_id: str) -> _Token:
    name = (key_id, team_id, hashlib.sha256(private_key.encode()).hexdigest())
    with _MINTING:
        if name not in _TOKENS:
            _TOKENS[name] = _Token(key_id, team_id, private_key, _mint(private_key, key_id, team_id), boottime())
            if len(_TOKENS) > _TOKENS_MAX:
                _TOKENS.popitem(last=False)
        _TOKENS.move_to_end(name)
        return _TOKENS[name]


def _mint(private_key: str, key_id: str, team_id: str) -> str:
    """Raises `InvalidField` for a text that is no key."""
    try:
        minted = JWTAuthorizationHeaderProvider(private_key, key_id, team_id).get_header()  # type: ignore[no-untyped-call]
    except Exception:  # whatever the libraries below raise over a text that is no P-256 key
        raise InvalidField(Problem("config.privateKey", "must be the text of Apple's .p8 file")) from None
    return f"authorization: {minted}"


def authorize(account: Account, refused: HttpRequest | None) -> Callable[[Exchange], Refused | Deferred | None] | None:
    """Mints a token when ours is old, or when Apple calls it expired, unless that was done just now."""
    token = account.token
    if token is None:
        return None
    held, was_refused = token.header, refused is not None and token.header in refused.headers
    if not was_refused and token.age_seconds() < _TOKEN_GOOD_SECONDS:
        return None

    def mint(_exchange: Exchange) -> Refused | Deferred | None:
        with _MINTING:
            if token.header is not held:  # by another account of the key
                return None
            if token.age_seconds() < _TOKEN_KEPT_SECONDS:
                return Refused("config", "ExpiredProviderToken")
            token.renew()
        return None

    return mint


def request(account: Account, message: Message) -> HttpRequest:
    """`reportUrl` is where the app reports; a repetition replaces its forerunner on the device."""
    alert = {"body": message.text} if message.title is None else {"title": message.title, "body": message.text}
    aps: dict[str, object] = {"alert": alert, "sound": "default"}
    if message.image_url is not None:
        aps["mutable-content"] = 1
    payload: dict[str, object] = {**(message.data or {}), "aps": aps}
    named = {"reportUrl": message.report_url, "actionUrl": message.action_url, "imageUrl": message.image_url}
    payload |= {name: value for name, value in named.items() if value is not None}
    return _request_of(
        account,
        NotificationRequest(
            device_token=str(message.address),
            message=payload,
            notification_id=str(message.recipient_id),
            time_to_live=message.ttl_seconds,
            priority=int(PRIORITY_HIGH if message.urgent else PRIORITY_NORMAL),
            collapse_key=message.collapse_id,
            push_type=PushType.ALERT,
        ),
    )


def _request_of(account: Account, notification: NotificationRequest) -> HttpRequest:
    headers = ["content-type: application/json", f"apns-id: {notification.notification_id}"]
    if account.token is not None:
        headers.append(account.token.header)
    if account.topic:
        headers.append(f"apns-topic: {account.topic}")
    if notification.push_type is not None:
        headers.append(f"apns-push-type: {notification.push_type.value}")
    if notification.priority is not None:
        headers.append(f"apns-priority: {notification.priority}")
    if notification.collapse_key is not None:
        headers.append(f"apns-collapse-id: {notification.collapse_key}")
    if notification.time_to_live is not None:
        headers.append(f"apns-expiration: {int(time.time()) + max(notification.time_to_live, 0)}")
    url = f"{account.base_url}/3/device/{quote(notification.device_token, safe='')}"
    return HttpRequest("POST", url, tuple(headers), msgspec.json.encode(notification.message))


class _Failure(msgspec.Struct, gc=False):
    reason: str = ""
    timestamp: float | None = None


_failure = msgspec.json.Decoder(_Failure)


def outcome(_account: Account, message: Message, answer: HttpAnswer) -> Outcome:
    """See `Vendor.outcome`. The status alone condemns nobody."""
    if answer.status == 200:
        return Accepted(str(message.recipient_id))
    failure = decoded(_failure, answer.body)
    reason = failure.reason if failure else ""
    code = reason or str(answer.status)
    if answer.status >= 500:
        return Unknown("server_error", code)
    if reason == "TooManyRequests":  # to this device; others may go on at the same pace
        return Deferred("recipient_throttled", answer.retry_after_seconds, code)
    if answer.status == 429:
        kept = _TOKEN_KEPT_SECONDS if reason == "TooManyProviderTokenUpdates" else None
        return Deferred("throttled", answer.retry_after_seconds or kept, code)
    if reason == "ExpiredProviderToken":
        return UNAUTHORIZED
    if reason == "IdleTimeout":
        return Deferred("transient", None, code)
    if answer.status < 400:
        return Unknown("malformed", code)
    error_class = _CLASSES.get(reason) or _CLASSES_BY_STATUS.get(answer.status, "unknown")
    return Refused(error_class, code, _time_of(failure.timestamp) if failure else None)


def _time_of(milliseconds: float | None) -> datetime | None:
    """Since when the token has been dead, as Apple says with 410."""
    if milliseconds is None:
        return None
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def verification(account: Account) -> HttpRequest:
    """A push to a device that cannot exist: Apple looks at the credentials first."""
    return _request_of(account, NotificationRequest("0" * 64, {"aps": {}}, push_type=PushType.BACKGROUND))


def verified(_account: Account, answer: HttpAnswer) -> Verification:
    """See `Vendor.verified`."""
    failure = decoded(_failure, answer.body)
    reason = failure.reason if failure else ""
    if answer.status == 200 or _CLASSES.get(reason) in ("recipient_permanent", "content"):
        return Verification(works=True, detail="Apple takes pushes for the app")
    return Verification(works=False, detail=f"Apple answered {answer.status} {reason}".rstrip())
