"""Signing in with an identity provider, and what of its answers is not believed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from ipaddress import IPv4Address
from secrets import randbits
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import aiohttp
import jwt
import pytest
import pytest_asyncio
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.asymmetric import rsa
from fastapi import FastAPI
from pydantic import SecretStr

from contracts.http.access import UserWrite
from services.gateway.handlers import oidc as handlers
from services.gateway.handlers.keys import Keys
from services.gateway.handlers.limits import Limits
from services.gateway.handlers.oidc import NO_ACCOUNT, NOT_BELIEVED, Oidc
from services.gateway.handlers.people import change_person, create_person
from services.gateway.handlers.sessions import find_session
from services.gateway.handlers.tenants import Tenants
from services.gateway.routes.entrance import Entrance
from services.gateway.routes.oidc import oidc_routes
from services.gateway.store.audit import find_deeds
from shared.database import Database, open_database
from shared.http import answer_problems
from shared.ids import new_id
from shared.security import seal
from tests.asking import Answer, Client
from tests.gateway.conftest import settings_of
from tests.gateway.identity import CLIENT_ID, CLIENT_SECRET, Identity, identity_provider

BASE = "/api/notification/oidc"
SIGN_INS_PER_MINUTE = 10
LONG_AGO = 1_000_000_000  # seconds of the epoch: 2001
FAR_AHEAD = 4_102_444_800  # 2100


@dataclass
class Visitor:
    """A browser between the gateway and the identity provider."""

    database: Database
    http: aiohttp.ClientSession
    client: Client
    identity: Identity
    cookies: dict[str, str] = field(default_factory=dict)

    async def ask(self, path: str) -> Answer:
        """The gateway's answer."""
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        answer = await self.client.get(path, headers={"Cookie": cookie})
        for given in answer.set_cookies:
            self.cookies |= {name: morsel.value for name, morsel in SimpleCookie(given).items()}
        return answer

    async def leave(self, next_path: str = "/notification/audit") -> str:
        """Goes to the provider, signs in there; the address that it sends the browser back to."""
        answer = await self.ask(f"/begin?next={next_path}")
        assert answer.status_code == 303, answer.text
        async with self.http.get(answer.headers["location"], allow_redirects=False) as back:
            url = urlsplit(back.headers["Location"])
        return f"{url.path.removeprefix(BASE)}?{url.query}"

    async def come_back(self, back: str) -> str:
        """Where the gateway sends the browser on to."""
        return (await self.ask(back)).headers["location"]

    async def problem(self) -> str:
        """What the sign-in page is told after a whole round."""
        location = await self.come_back(await self.leave())
        assert "session" not in self.cookies
        return parse_qs(urlsplit(location).query)["problem"][0]


@pytest_asyncio.fixture
async def visitor(database_of) -> AsyncIterator[Visitor]:
    async with identity_provider() as identity, aiohttp.ClientSession() as http:
        settings = settings_of(
            database_of("gateway"),
            secrets_key=SecretStr(Fernet.generate_key().decode()),
            public_url="http://gateway.example",
            proxies=1,
            sign_ins_per_minute=SIGN_INS_PER_MINUTE,
            oidc_issuer=identity.url,
            oidc_client_id=CLIENT_ID,
            oidc_client_secret=SecretStr(CLIENT_SECRET),
        )
        async with open_database(settings.database_url, 4, "test") as database:
            entrance = Entrance(database, Keys(database), Tenants(database), Limits(database), settings)
            app = FastAPI()
            answer_problems(app)
            key = seal(settings.secrets_key.get_secret_value())
            app.include_router(oidc_routes(entrance, Oidc(http, settings), key))
            identity.email = f"{uuid4().hex}@example.com"
            headers = {"x-forwarded-for": str(IPv4Address(randbits(32)))}
            yield Visitor(database, http, Client(app, BASE, headers), identity)


async def account_of(visitor: Visitor):
    body = UserWrite(email=visitor.identity.email, name="Ada", role="viewer")
    account, _ = await create_person(visitor.database, new_id(), uuid4().hex, body, 1)
    return account


async def test_who_has_an_account_is_signed_in(visitor):
    account = await account_of(visitor)
    assert await visitor.come_back(await visitor.leave()) == "/notification/audit"
    session = await find_session(visitor.database, visitor.cookies["session"])
    assert session is not None
    assert session.person.id == account.id
    assert visitor.cookies["oidc"] == ""


async def test_who_has_none_gets_none(visitor):
    assert await visitor.problem() == NO_ACCOUNT
    account = await account_of(visitor)
    await change_person(visitor.database, account.user_id, account.id, {"is_active": False})
    assert await visitor.problem() == NO_ACCOUNT


async def test_who_is_kept_out_has_an_entry_in_the_log(visitor):
    account = await account_of(visitor)
    await change_person(visitor.database, account.user_id, account.id, {"is_active": False})
    assert await visitor.problem() == NO_ACCOUNT
    async with visitor.database.transaction() as connection:
        (entry,) = await find_deeds(connection, account.user_id, {}, None, 10)
    assert (entry["action"], entry["actor_id"], entry["status"]) == ("sign in, refused", str(account.id), 401)


async def test_nobody_begins_without_end(visitor):
    places = [(await visitor.client.get("/begin")).headers["location"] for _ in range(SIGN_INS_PER_MINUTE + 3)]
    led_back = ["/notification/sign-in?problem=" in place for place in places]
    assert (led_back[:SIGN_INS_PER_MINUTE], True in led_back) == ([False] * SIGN_INS_PER_MINUTE, True)


@pytest.mark.parametrize("next_path", ["https://evil.example", "//evil.example", "/\\evil.example", "/elsewhere"])
async def test_nobody_is_sent_to_another_site(visitor, next_path):
    await account_of(visitor)
    assert await visitor.come_back(await visitor.leave(next_path)) == "/notification"


@pytest.mark.parametrize(
    "change",
    [
        {"nonce": "another"},
        {"aud": "another client"},
        {"aud": [CLIENT_ID, "another client"]},
        {"iss": "https://evil.example"},
        {"exp": LONG_AGO},
        {"iat": FAR_AHEAD},
        {"email": None},
        {"email_verified": False},
        {"email_verified": "true"},
    ],
    ids=str,
)
async def test_a_claim_that_is_wrong_is_not_believed(visitor, change):
    await account_of(visitor)
    visitor.identity.spoil = lambda claims: claims | change
    assert await visitor.problem() == NOT_BELIEVED


@pytest.mark.parametrize("missing", ["exp", "nonce", "iss", "aud", "sub", "iat"])
async def test_a_claim_that_is_missing_is_not_believed(visitor, missing):
    await account_of(visitor)
    visitor.identity.spoil = lambda claims: {name: value for name, value in claims.items() if name != missing}
    assert await visitor.problem() == NOT_BELIEVED


async def test_what_others_signed_is_not_believed(visitor):
    await account_of(visitor)
    other = rsa.generate_private_key(65537, 2048)
    for sign in (
        lambda claims: jwt.encode(claims, other, "RS256", {"kid": "first"}),
        lambda claims: jwt.encode(claims, None, "none", {"kid": "first"}),
        lambda claims: jwt.encode(claims, "secret", "HS256", {"kid": "of no use"}),
        lambda claims: jwt.encode(claims, other, "RS256"),
        lambda claims: "no token",
    ):
        visitor.identity.sign = sign
        assert await visitor.problem() == NOT_BELIEVED


async def test_another_browsers_sign_in_is_not_taken_over(visitor):
    await account_of(visitor)
    back = await visitor.leave()
    kept = visitor.cookies
    for cookies, path in (({}, back), (kept, back.replace("state=", "state=x")), ({"oidc": "made up"}, back)):
        visitor.cookies = dict(cookies)
        assert "problem" in await visitor.come_back(path)
        assert "session" not in visitor.cookies


async def test_a_code_works_once(visitor):
    await account_of(visitor)
    back = await visitor.leave()
    kept = dict(visitor.cookies)
    assert await visitor.come_back(back) == "/notification/audit"
    visitor.cookies = kept
    assert "problem" in await visitor.come_back(back)


async def test_new_keys_are_asked_for_but_not_all_the_time(visitor, monkeypatch):
    await account_of(visitor)
    await visitor.leave()
    visitor.identity.change_key()
    assert await visitor.problem() == NOT_BELIEVED
    assert visitor.identity.asked.count("/jwks") == 1
    monkeypatch.setattr(handlers, "ASK_AGAIN_SECONDS", 0.0)
    assert await visitor.come_back(await visitor.leave()) == "/notification/audit"
    assert visitor.identity.asked.count("/jwks") == 2
    assert visitor.identity.asked.count("/.well-known/openid-configuration") == 1


async def test_a_provider_that_calls_itself_another_is_not_used(visitor):
    visitor.identity.url = "http://another.example"
    answer = await visitor.ask("/begin")
    assert parse_qs(urlsplit(answer.headers["location"]).query)["problem"] == [
        "the identity provider describes itself as another one"
    ]
