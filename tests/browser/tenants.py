"""A tenant with something to look at."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from deploy.local.fleet import Fleet
from deploy.rehearsal import (
    create_accounts,
    create_campaign,
    create_tenant,
    import_customers,
    send_and_rest,
    write_customers,
)
from notify.client import Api, open_api
from tests.browser.windows import PASSWORD
from tests.dead_letters import put_aside


@dataclass(frozen=True, slots=True)
class Tenant:
    """A tenant with accounts, customers and one finished campaign of each channel."""

    api: Api = field(repr=False)
    url: str
    email: str
    """Of an admin."""

    accounts: dict[str, str]
    campaigns: dict[str, str]
    templates: dict[str, str]
    letter: str
    """A request that could not be processed."""


@asynccontextmanager
async def open_tenant(fleet: Fleet, folder: Path, customers: int, seed: int) -> AsyncIterator[Tenant]:
    """A new one, with so many customers in a file in the folder."""
    url, user_id = fleet.url("gateway"), f"shop-{uuid4().hex[:8]}"
    people = write_customers(folder / "people.csv", customers, seed)
    async with open_api(url, "") as anonymous:
        api = await create_tenant(fleet, lambda token: Api(anonymous.session, url, token), user_id)
        email = f"ada@{user_id}.example"
        await add_person(api, email, "Ada Lovelace", "admin")
        accounts = await create_accounts(api, fleet.url("provider_simulator"))
        await import_customers(api, people)
        campaigns = {name: await create_campaign(api, name, accounts[name]) for name in accounts}
        for name, campaign_id in campaigns.items():
            await send_and_rest(api, name, campaign_id)
        templates = {name: (await api.data("GET", f"/{name}/templates"))[0]["id"] for name in accounts}
        request = {"userId": user_id, "channel": "sms", "address": "+4915112345678"}
        letter = await put_aside(fleet.kafka, user_id, json.dumps(request).encode())
        yield Tenant(api, url, email, accounts, campaigns, templates, letter)


async def add_person(api: Api, email: str, name: str, role: str) -> None:
    """Somebody who can sign in."""
    await api.data("POST", "/users", {"email": email, "name": name, "role": role, "password": PASSWORD})
