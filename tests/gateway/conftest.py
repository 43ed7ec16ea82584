"""Clients of the running gateway."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import aiohttp
import pytest_asyncio
from pydantic import SecretStr

from contracts.http.endpoints import BASE
from deploy.local.fleet import Fleet
from services.gateway.settings import GatewaySettings

WAIT_SECONDS = 30.0
NOWHERE = "http://localhost"


def settings_of(database_url: str, **fields: Any) -> GatewaySettings:
    """Settings of a gateway in this process, whose owners are nowhere unless said otherwise."""
    owners = ("campaign", "audience", "dispatcher", "delivery_receipt", "analytics")
    given = {f"{owner}_url": NOWHERE for owner in owners} | fields
    secrets = {"secrets_key": SecretStr(""), "internal_token": SecretStr("token")}
    return GatewaySettings(
        http_port=0,
        database_url=SecretStr(database_url),
        kafka_bootstrap_servers="",
        link_base_url=NOWHERE,
        **secrets | given,
    )


@dataclass
class Client:
    """HTTP as one key sees it."""

    http: aiohttp.ClientSession
    url: str
    key: str
    user_id: str

    async def __call__(
        self, method: str, path: str, body: Any = None, raw: bytes | None = None, **headers: str
    ) -> tuple[int, Any]:
        """(status, decoded body)."""
        given = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        data = raw if raw is not None else None if body is None else json.dumps(body).encode()
        async with self.http.request(method, self.url + BASE + path, data=data, headers=given) as answer:
            text = await answer.text()
            if answer.status >= 400:
                assert answer.headers["Content-Type"].startswith("application/problem+json"), text
            return answer.status, json.loads(text) if text else None


Make = Any


@pytest_asyncio.fixture(loop_scope="session")
async def make(fleet: Fleet) -> AsyncIterator[Make]:
    """`await make(scope, …, user_id=…)` is a client with a new key."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=WAIT_SECONDS)) as http:

        async def make(*scopes: str, user_id: str | None = None) -> Client:
            user_id = user_id or uuid4().hex
            body = {"scopes": list(scopes) or ["admin"]}
            headers = {"Authorization": f"Bearer {fleet.secrets['internal_token']}", "X-User-Id": user_id}
            async with http.post(f"{fleet.url('gateway')}{BASE}/api-keys", json=body, headers=headers) as answer:
                made = (await answer.json())["data"]
            return Client(http, fleet.url("gateway"), made["apiKey"], user_id)

        yield make
