"""What Vonage signs callbacks with: a token over the body (Messages API), or the parameters themselves (SMS API).

https://developer.vonage.com/en/getting-started/concepts/webhooks, …/concepts/signing-messages
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Iterable, Mapping, Sequence

import jwt

from contracts.masked import Secret

METHODS = ("md5hash", "md5", "sha1", "sha256", "sha512")

_TOKEN_SECONDS_MAX = 300
_PARAMETERS_SECONDS_MAX = 86_400 + 300
"""Vonage repeats receipts of the SMS API for a day, and does not say that it signs them anew."""


def is_token_genuine(authorization: str, body: bytes, api_key: str, secrets: Sequence[Secret]) -> bool:
    """True for a fresh token of this account whose `payload_hash` is that of the body."""
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer":
        return False
    claims = next((found for secret in secrets if (found := _claims(token.strip(), secret)) is not None), None)
    if claims is None:
        return False
    issued, payload_hash = claims.get("iat"), claims.get("payload_hash")
    if not isinstance(issued, int | float) or abs(time.time() - issued) > _TOKEN_SECONDS_MAX:
        return False
    if claims.get("api_key", api_key) != api_key or not isinstance(payload_hash, str):
        return False
    return hmac.compare_digest(hashlib.sha256(body).hexdigest().encode(), payload_hash.lower().encode())


def _claims(token: str, secret: str) -> Mapping[str, object] | None:
    try:
        claims: Mapping[str, object] = jwt.decode(
            token, secret.encode(), algorithms=["HS256"], options={"verify_iat": False, "verify_aud": False}
        )
    except jwt.PyJWTError:
        return None
    return claims


def are_parameters_genuine(parameters: Mapping[str, str], method: str, secrets: Sequence[Secret]) -> bool:
    """True for parameters whose `sig` is made with one of the secrets, and whose `timestamp` is not too old."""
    given, stamp = parameters.get("sig", ""), parameters.get("timestamp", "")
    if not given or not (stamp.isascii() and stamp.isdecimal() and len(stamp) <= 12):
        return False
    if abs(time.time() - int(stamp)) > _PARAMETERS_SECONDS_MAX:
        return False
    text = signed_text((name, value) for name, value in parameters.items() if name != "sig")
    found = False
    for secret in secrets:
        found |= hmac.compare_digest(signature(text, method, secret).encode(), given.lower().encode())
    return found


def signed_text(parameters: Iterable[tuple[str, str]]) -> str:
    """What is signed: sorted by name, with separators in values made harmless."""
    return "".join(f"&{name}={value.replace('&', '_').replace('=', '_')}" for name, value in sorted(parameters))


def signature(text: str, method: str, secret: str) -> str:
    """The hexadecimal digest by one of `METHODS`: `md5hash` appends the secret, the others are HMACs."""
    if method == "md5hash":
        return hashlib.md5((text + secret).encode()).hexdigest()
    return hmac.new(secret.encode(), text.encode(), method).hexdigest()
