"""People in front of browsers, and operators of the fleet, as the gateway sees them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import aiohttp
from multidict import CIMultiDict, CIMultiDictProxy

from contracts.http.endpoints import BASE
from deploy.local.fleet import Fleet

WAIT_SECONDS = 30.0
PASSWORD = "a horse, a battery, a staple"


@dataclass
class Browser:
    """One browser with its cookies. `headers` go with every request."""

    http: aiohttp.ClientSession
    url: str
    headers: dict[str, str] = field(default_factory=dict)
    answer: CIMultiDictProxy[str] = field(default_factory=lambda: CIMultiDictProxy(CIMultiDict()))
    """The headers of the last answer."""

    async def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """(status, body, decoded where it is JSON)."""
        given = self.headers | {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.http.request(method, self.url + BASE + path, json=body, headers=given) as answer:
            text = await answer.text()
            self.answer = answer.headers
            return answer.status, json.loads(text) if "json" in answer.content_type else text

    async def sign_in(self, email: str, password: str = PASSWORD) -> tuple[int, Any]:
        """As the sign-in page does; keeps the token that writes must bring."""
        status, answer = await self("POST", "/session", {"email": email, "password": password})
        if status == 201:
            self.headers["X-CSRF-Token"] = answer["data"]["csrfToken"]
        return status, answer


@asynccontextmanager
async def browser(fleet: Fleet) -> AsyncIterator[Browser]:
    """A new browser."""
    timeout = aiohttp.ClientTimeout(total=WAIT_SECONDS)
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True), timeout=timeout) as http:
        yield Browser(http, fleet.url("gateway"))


@asynccontextmanager
async def operator(fleet: Fleet, user_id: str | None = None) -> AsyncIterator[Browser]:
    """An operator of the fleet, on behalf of a tenant."""
    async with browser(fleet) as found:
        token = fleet.secrets["internal_token"]
        found.headers |= {"Authorization": f"Bearer {token}", "X-User-Id": user_id or uuid4().hex}
        yield found


async def person_of(somebody: Browser, role: str, password: str | None = PASSWORD) -> dict[str, Any]:
    """A new person of the tenant on whose behalf somebody asks."""
    body = {"email": f"{uuid4().hex}@example.com", "name": f"An {role}", "role": role}
    status, answer = await somebody("POST", "/users", body if password is None else body | {"password": password})
    assert status == 201, answer
    return answer["data"]


@asynccontextmanager
async def signed_in(fleet: Fleet, somebody: Browser, role: str) -> AsyncIterator[Browser]:
    """A browser in which a new person with that role is signed in."""
    person = await person_of(somebody, role)
    async with browser(fleet) as found:
        status, _ = await found.sign_in(person["email"])
        assert status == 201
        yield found
