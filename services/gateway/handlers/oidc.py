"""Talking to the identity provider: discovery, its keys, and the exchange of a code for who has signed in."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

import aiohttp
import jwt
import msgspec

from contracts.http.endpoints import BASE
from services.gateway.domain.oidc import (
    ALGORITHMS,
    Beginning,
    Provider,
    TokenRefused,
    authorization_url,
    key_id_of,
    verified_email,
)
from services.gateway.domain.sessions import SignedIn, SignInProblem
from services.gateway.handlers.sessions import begin_session
from services.gateway.settings import GatewaySettings
from services.gateway.store.people import find_account_by_email
from shared.database import Database
from shared.http import Problem
from shared.logs import logger

ANSWER_SECONDS = 5.0
ANSWER_BYTES_MAX = 256 * 1024
KNOWN_SECONDS = 3600.0
"""So long what discovery told, and the keys, are believed without asking again."""

ASK_AGAIN_SECONDS = 30.0
"""An unknown key makes us ask for the keys again, but not more often than this."""

KEYS_MAX = 50
CALLBACK_PATH = f"{BASE}/oidc/callback"

NO_ACCOUNT = "nobody with this e-mail address has an account here: ask an admin for one"
NOT_BELIEVED = "the identity provider's answer could not be checked: sign in again"


@dataclass(slots=True)
class Oidc:
    """One identity provider; it only signs in people who have an account already."""

    client: aiohttp.ClientSession
    settings: GatewaySettings
    _provider: Provider | None = None
    _keys: dict[str | None, jwt.PyJWK] = field(default_factory=dict)
    _asked_at: float = float("-inf")
    _asking: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def is_set_up(self) -> bool:
        """Whether there is an identity provider."""
        return bool(self.settings.oidc_issuer)

    @property
    def redirect_uri(self) -> str:
        """Where the provider sends the browser back to."""
        return self.settings.public_url + CALLBACK_PATH

    async def begin(self, next_path: str) -> tuple[Beginning, str]:
        """What to remember in a cookie, and where to send the browser."""
        begun = Beginning(next=next_path)
        provider = await self._discover()
        url = authorization_url(
            provider, self.settings.oidc_client_id, self.settings.oidc_scopes, self.redirect_uri, begun
        )
        return begun, url

    async def finish(self, database: Database, begun: Beginning, code: str) -> SignedIn | SignInProblem:
        """A session for whoever the provider says has signed in, if they have an account of ours."""
        try:
            email = await self._email_of(begun, code)
        except TokenRefused as refused:
            logger().warning("oidc_refused", reason=str(refused))
            return SignInProblem(NOT_BELIEVED)
        async with database.transaction() as connection:
            account = await find_account_by_email(connection, email)
            if account is None or not account.is_active:
                return SignInProblem(NO_ACCOUNT, email=email)
            return await begin_session(connection, account, self.settings.session_limits)

    async def _email_of(self, begun: Beginning, code: str) -> str:
        provider = await self._discover()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.redirect_uri,
            "code_verifier": begun.verifier,
        }
        client_id = self.settings.oidc_client_id
        secret = self.settings.oidc_client_secret.get_secret_value()
        login = aiohttp.encode_basic_auth(quote(client_id, safe=""), quote(secret, safe=""))
        told = await self._ask("POST", provider.token_endpoint, data=form, headers={"Authorization": login})
        id_token = str(told.get("id_token", ""))
        key = await self._key_of(provider, key_id_of(id_token))
        return verified_email(id_token, key, provider, client_id, begun.nonce)

    async def _discover(self) -> Provider:
        async with self._asking:
            if self._provider is None or time.monotonic() - self._asked_at > KNOWN_SECONDS:
                issuer = self.settings.oidc_issuer.rstrip("/")
                told = await self._ask("GET", f"{issuer}/.well-known/openid-configuration")
                provider = _provider_of(told, self.settings.oidc_issuer)
                await self._ask_keys(provider)
                self._provider = provider
            return self._provider

    async def _key_of(self, provider: Provider, key_id: str | None) -> jwt.PyJWK:
        async with self._asking:
            if key_id not in self._keys and time.monotonic() - self._asked_at > ASK_AGAIN_SECONDS:
                await self._ask_keys(provider)
            if key_id not in self._keys:
                raise TokenRefused("signed with an unknown key")
            return self._keys[key_id]

    async def _ask_keys(self, provider: Provider) -> None:
        told = await self._ask("GET", provider.jwks_uri)
        self._keys = {}
        for one in told.get("keys", [])[:KEYS_MAX]:
            try:
                key = jwt.PyJWK(one)
            except jwt.PyJWTError:
                continue  # of a kind that we do not know: nothing can be signed with it
            if key.algorithm_name in ALGORITHMS:
                self._keys[key.key_id] = key
        self._asked_at = time.monotonic()

    async def _ask(self, method: str, url: str, **options: Any) -> dict[str, Any]:
        timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
        try:
            async with self.client.request(method, url, timeout=timeout, allow_redirects=False, **options) as answer:
                raw = await _whole(answer)
                if 400 <= answer.status < 500 and method == "POST":
                    raise TokenRefused("the code was refused")
                if answer.status != 200:
                    raise _unavailable()
                return msgspec.json.decode(raw, type=dict[str, Any])
        except (aiohttp.ClientError, TimeoutError, msgspec.MsgspecError):
            raise _unavailable() from None


async def _whole(answer: aiohttp.ClientResponse) -> bytes:
    """The answer, however many pieces it comes in, up to what is looked at."""
    raw = bytearray()
    while len(raw) < ANSWER_BYTES_MAX and (piece := await answer.content.read(ANSWER_BYTES_MAX - len(raw))):
        raw += piece
    return bytes(raw)


def _provider_of(told: dict[str, Any], issuer: str) -> Provider:
    """What was told, if it is about this issuer and its addresses are as safe as the issuer's."""
    names = ("issuer", "authorization_endpoint", "token_endpoint", "jwks_uri")
    found = Provider(**{name: str(told.get(name, "")) for name in names})
    scheme = urlsplit(issuer).scheme
    endpoints = (found.authorization_endpoint, found.token_endpoint, found.jwks_uri)
    is_safe = all(urlsplit(one).scheme in ("https", scheme) for one in endpoints)
    if found.issuer.rstrip("/") != issuer.rstrip("/") or not is_safe:
        raise Problem(503, "Temporarily unavailable", "the identity provider describes itself as another one")
    return found


def _unavailable() -> Problem:
    detail = "the identity provider does not answer; try again shortly"
    return Problem(503, "Temporarily unavailable", detail, headers={"Retry-After": "5"})
