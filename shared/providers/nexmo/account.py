"""Our credentials at Vonage, for either API."""

from __future__ import annotations

import base64
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from contracts.masked import Secret
from shared.providers.nexmo.signatures import METHODS
from shared.providers.provider import InvalidField, Problem, boottime, problems_in
from shared.providers.reading import config_of, missing, secrets_of, text_of, with_control_characters

_API, _REST = "https://api.nexmo.com", "https://rest.nexmo.com"
_MESSAGES_API, _SMS_API = "messages", "sms"
_TOKEN_SECONDS = 900
_TOKEN_USED_SECONDS = 600.0
"""A token signs requests for ten of its fifteen minutes, frozen ones included: minting one costs a millisecond."""


@dataclass(slots=True)
class Account:
    """`headers()` are those of a send; `basic` those of everything else."""

    is_sms_api: bool
    base_url: str
    send_url: str
    balance_url: str
    sender: str = field(repr=False)
    api_key: str = field(repr=False)
    basic: tuple[str, ...] = field(repr=False)
    signature_secrets: tuple[Secret, ...] = field(repr=False)
    signature_method: str
    application_id: str = ""
    private_key: RSAPrivateKey | None = field(default=None, repr=False)
    _bearer: tuple[str, ...] = field(default=(), repr=False)
    _bearer_until: float = 0.0

    def hosts(self) -> list[tuple[str, str]]:
        """The URLs that the account names, with the field that holds each."""
        return [("config.baseUrl", self.base_url)]

    def headers(self) -> tuple[str, ...]:
        """A token of the application where there is one, else key and secret."""
        if self.private_key is None:
            return self.basic
        if boottime() >= self._bearer_until:
            issued = int(time.time())
            claims = {"application_id": self.application_id, "iat": issued, "exp": issued + _TOKEN_SECONDS}
            token = jwt.encode(claims | {"jti": str(uuid.uuid4())}, self.private_key, algorithm="RS256")
            self._bearer = (f"Authorization: Bearer {token}", "Content-Type: application/json")
            self._bearer_until = boottime() + _TOKEN_USED_SECONDS
        return self._bearer


def problems(values: Mapping[str, Any]) -> list[Problem]:
    """Needs `apiKey`, `apiSecret`, and `phoneNumber` or `senderId` to send from.

    `config.api` is messages (default) or sms. `config.applicationId` with `config.privateKey` sends as an application.
    `config.signatureSecret` verifies callbacks, and may be a list while it is rotated; for the SMS API
    `config.signatureMethod` says how the account signs.
    """
    config = config_of(values)
    found = missing(values, "apiKey", "apiSecret")
    if not _sender(values):
        found.append(Problem("phoneNumber", "is required unless senderId is given"))
    if (text_of(config, "api") or _MESSAGES_API) not in (_MESSAGES_API, _SMS_API):
        found.append(Problem("config.api", "must be messages or sms"))
    if bool(text_of(config, "applicationId")) != bool(text_of(config, "privateKey")):
        name = "privateKey" if text_of(config, "applicationId") else "applicationId"
        found.append(Problem(f"config.{name}", "is required: an application needs its id and its private key"))
    if (text_of(config, "signatureMethod") or "md5hash") not in METHODS:
        found.append(Problem("config.signatureMethod", f"must be one of {', '.join(METHODS)}"))
    if (key := text_of(config, "privateKey")) and text_of(config, "api") != _SMS_API:
        found += problems_in(lambda: _key(key))
    return found + with_control_characters(values, "apiKey", "apiSecret")


def _sender(values: Mapping[str, Any]) -> str:
    """A name, or a number without its plus."""
    return text_of(values, "phoneNumber").lstrip("+") or text_of(values, "senderId")


def account(values: Mapping[str, Any]) -> Account:
    """See `Vendor.account`."""
    config = config_of(values)
    is_sms_api = text_of(config, "api") == _SMS_API
    given = text_of(config, "baseUrl").rstrip("/")
    api, rest = given or _API, given or _REST
    key, secret = text_of(values, "apiKey"), text_of(values, "apiSecret")
    content = "application/x-www-form-urlencoded" if is_sms_api else "application/json"
    made = Account(
        is_sms_api=is_sms_api,
        base_url=rest if is_sms_api else api,
        send_url=f"{rest}/sms/json" if is_sms_api else f"{api}/v1/messages",
        balance_url=f"{rest}/account/get-balance",
        sender=_sender(values),
        api_key=key,
        basic=(
            "Authorization: Basic " + base64.b64encode(f"{key}:{secret}".encode()).decode(),
            f"Content-Type: {content}",
        ),
        signature_secrets=secrets_of(config, "signatureSecret"),
        signature_method=text_of(config, "signatureMethod") or "md5hash",
    )
    if not is_sms_api and text_of(config, "applicationId"):
        made.application_id, made.private_key = text_of(config, "applicationId"), _key(text_of(config, "privateKey"))
    return made


def _key(text: str) -> RSAPrivateKey:
    try:
        key = load_pem_private_key(text.encode(), None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, RSAPrivateKey):
        raise InvalidField(Problem("config.privateKey", "must be the text of the application's private.key file"))
    return key
