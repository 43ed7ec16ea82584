"""A small identity provider: its own HTTP server with its own keys, which can also misbehave."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

CLIENT_ID = "notifications"
CLIENT_SECRET = "only/for:tests"


@dataclass
class Identity:
    """The provider. `email` is who signs in next; `spoil` changes the claims, `sign` signs them."""

    url: str = ""
    key: rsa.RSAPrivateKey = field(default_factory=lambda: rsa.generate_private_key(65537, 2048))
    key_id: str = "first"
    email: str = ""
    is_verified: bool = True
    spoil: Callable[[dict[str, Any]], dict[str, Any]] = lambda claims: claims
    sign: Callable[[dict[str, Any]], str] | None = None
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    """Paths, in order."""

    async def configuration(self, request: web.Request) -> web.Response:
        self.asked.append(request.path)
        names = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "jwks"}
        return web.json_response({"issuer": self.url} | {name: f"{self.url}/{path}" for name, path in names.items()})

    async def jwks(self, request: web.Request) -> web.StreamResponse:
        """In two pieces, as networks deliver it."""
        self.asked.append(request.path)
        shown = RSAAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
        unknown = {"kty": "oct", "kid": "of no use", "k": "c2VjcmV0"}
        whole = json.dumps({"keys": [unknown, shown | {"kid": self.key_id, "alg": "RS256", "use": "sig"}]}).encode()
        answer = web.StreamResponse(headers={"Content-Type": "application/json"})
        await answer.prepare(request)
        await answer.write(whole[:20])
        for _ in range(10):  # the loop delivers the first one meanwhile
            await asyncio.sleep(0)
        await answer.write(whole[20:])
        return answer

    async def authorize(self, request: web.Request) -> web.Response:
        """Signs somebody in and sends the browser back."""
        assert request.query["client_id"] == CLIENT_ID
        assert request.query["code_challenge_method"] == "S256"
        code = uuid4().hex
        self.codes[code] = dict(request.query)
        back = urlencode({"code": code, "state": request.query["state"]})
        raise web.HTTPFound(f"{request.query['redirect_uri']}?{back}")

    async def token(self, request: web.Request) -> web.Response:
        """Exchanges a code, once, for whoever proves to have begun."""
        form = await request.post()
        login = base64.b64decode(request.headers["Authorization"].removeprefix("Basic ")).decode()
        begun = self.codes.pop(str(form["code"]), None)
        challenge = base64.urlsafe_b64encode(sha256(str(form["code_verifier"]).encode()).digest()).rstrip(b"=").decode()
        if (
            begun is None
            or login != f"{CLIENT_ID}:only%2Ffor%3Atests"
            or begun["code_challenge"] != challenge
            or begun["redirect_uri"] != form["redirect_uri"]
        ):
            return web.json_response({"error": "invalid_grant"}, status=400)
        now = int(time.time())
        claims = {
            "iss": self.url,
            "aud": CLIENT_ID,
            "sub": "somebody",
            "iat": now,
            "exp": now + 300,
            "nonce": begun["nonce"],
            "email": self.email,
            "email_verified": self.is_verified,
        }
        signed = (self.sign or self.sign_well)(self.spoil(claims))
        return web.json_response({"id_token": signed, "access_token": "unused", "token_type": "Bearer"})

    def sign_well(self, claims: dict[str, Any]) -> str:
        return jwt.encode(claims, self.key, "RS256", {"kid": self.key_id})

    def change_key(self) -> None:
        self.key, self.key_id = rsa.generate_private_key(65537, 2048), uuid4().hex


@asynccontextmanager
async def identity_provider() -> AsyncIterator[Identity]:
    """The provider on a port of its own."""
    found = Identity()
    app = web.Application()
    app.router.add_get("/.well-known/openid-configuration", found.configuration)
    app.router.add_get("/jwks", found.jwks)
    app.router.add_get("/authorize", found.authorize)
    app.router.add_post("/token", found.token)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        found.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield found
    finally:
        await runner.cleanup()
