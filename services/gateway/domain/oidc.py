"""Signing in with an identity provider (OpenID Connect Core 1.0, authorization code with PKCE)."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any
from urllib.parse import urlencode

import jwt

from services.gateway.domain.sessions import make_token

ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA")
"""Those with a public key: a token that is signed with a shared secret or not at all is refused."""

LEEWAY_SECONDS = 60
"""How far the clocks of the provider and of ours may differ."""


class TokenRefused(Exception):
    """What the provider said is not to be believed; the text names the reason, not what was said."""


@dataclass(frozen=True, slots=True)
class Provider:
    """What discovery told of the identity provider."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str


@dataclass(frozen=True, slots=True)
class Beginning:
    """What is remembered while somebody is away at the identity provider."""

    state: str = field(default_factory=make_token, repr=False)
    nonce: str = field(default_factory=make_token, repr=False)
    verifier: str = field(default_factory=make_token, repr=False)
    next: str = "/"


def authorization_url(provider: Provider, client_id: str, scopes: str, redirect_uri: str, begun: Beginning) -> str:
    """Where the browser goes to."""
    challenge = base64.urlsafe_b64encode(sha256(begun.verifier.encode()).digest()).rstrip(b"=").decode()
    parameters = {
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": redirect_uri,
        "scope": scopes,
        "state": begun.state,
        "nonce": begun.nonce,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    separator = "&" if "?" in provider.authorization_endpoint else "?"
    return f"{provider.authorization_endpoint}{separator}{urlencode(parameters)}"


def key_id_of(id_token: str) -> str | None:
    """Which key the token says that it is signed with; raises `TokenRefused`."""
    try:
        found = jwt.get_unverified_header(id_token).get("kid")
    except jwt.InvalidTokenError as error:
        raise TokenRefused(type(error).__name__) from None
    return None if found is None else str(found)


def verified_email(id_token: str, key: jwt.PyJWK, provider: Provider, client_id: str, nonce: str) -> str:
    """The e-mail address that the provider has verified; raises `TokenRefused`."""
    try:
        claims: Mapping[str, Any] = jwt.decode(
            id_token,
            key,
            algorithms=ALGORITHMS,
            audience=client_id,
            issuer=provider.issuer,
            leeway=LEEWAY_SECONDS,
            options={"require": ["exp", "iat", "iss", "aud", "sub", "nonce"]},
        )
    except jwt.PyJWTError as error:
        raise TokenRefused(type(error).__name__) from None
    if claims["nonce"] != nonce:
        raise TokenRefused("another nonce")
    if isinstance(claims["aud"], list) and len(claims["aud"]) > 1 and claims.get("azp") != client_id:
        raise TokenRefused("another authorized party")
    email = claims.get("email")
    if not isinstance(email, str) or claims.get("email_verified") is not True:
        raise TokenRefused("no verified e-mail address")
    return email.strip().lower()
