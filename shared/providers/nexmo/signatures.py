"""What Vonage signs callbacks with: a token over the body (Messages API), or the parameters themselves (SMS API).

https://developer.vonage.com/en/getting-started/concepts/webhooks, …/concepts/signing-messages
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from contracts.masked import Secret
from shared.providers.reading import decoded

METHODS = ("md5hash", "md5", "sha1", "sha256", "sha512")

_TOKEN_SECONDS_MAX = 300
_PARAMETERS_SECONDS_MAX = 86_400 + 300
"""Vonage repeats receipts of the SMS API for a day, and does not say that it signs them anew."""


def is_token_genuine(authorization: str, body: bytes, api_key: str, secrets: Sequence[Secret]) -> bool:
    """True for a fresh token of this account whose `payload_hash` is that of the body."""
    scheme, _, token = authorization.partition(" ")
    claims = _claims(token.strip(), secrets) if scheme.lower() == "bearer" else None
    if claims is None or claims.api_key not in (None, api_key):
        return False
    now = time.time()
    if not now - _TOKEN_SECONDS_MAX <= claims.iat <= now + _TOKEN_SECONDS_MAX:
        return False
    return hmac.compare_digest(hashlib.sha256(body).hexdigest().encode(), claims.payload_hash.lower().encode())


class _Head(msgspec.Struct, gc=False):
    alg: str


class _Claims(msgspec.Struct, gc=False):
    iat: float
    payload_hash: str
    api_key: str | None = None


_head = msgspec.json.Decoder(_Head)
_claims_of = msgspec.json.Decoder(_Claims)


def _claims(token: str, secrets: Sequence[Secret]) -> _Claims | None:
    """What an HS256 token says, or None. Nothing is read of one that is not signed; PyJWT takes four times as long."""
    signed, _, given = token.rpartition(".")
    head, _, payload = signed.partition(".")
    text = signed.encode()
    found = False
    for secret in secrets:
        digest = base64.urlsafe_b64encode(hmac.digest(secret.encode(), text, hashlib.sha256)).rstrip(b"=")
        found |= hmac.compare_digest(digest, given.encode())
    if not found:
        return None
    stated = decoded(_head, _unpacked(head))
    return decoded(_claims_of, _unpacked(payload)) if stated is not None and stated.alg == "HS256" else None


def _unpacked(part: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except ValueError:
        return b""


def are_parameters_genuine(parameters: Mapping[str, str], method: str, secrets: Sequence[Secret]) -> bool:
    """True for parameters whose `sig` is made with one of the secrets, and whose `timestamp` is not too old.

    Only values are made harmless before they are signed, so a name with a separator could hide other parameters.
    """
    given, stamp = parameters.get("sig", ""), parameters.get("timestamp", "")
    if not given or not (stamp.isascii() and stamp.isdecimal() and len(stamp) <= 12):
        return False
    if abs(time.time() - int(stamp)) > _PARAMETERS_SECONDS_MAX:
        return False
    if any("&" in name or "=" in name for name in parameters):
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
