"""A shop before its day begins: a marketer, somebody who approves, an account with a pace, and a file of customers."""

from __future__ import annotations

import csv
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from deploy.local.fleet import Fleet
from deploy.rehearsal import create_accounts, create_tenant, write_customers
from notify.client import Api, open_api
from tests.browser.tenants import add_person

COUNTRIES = ("DE", "FR", "GB", "US")
PLANS = ("free", "plus")
SHARE = len(COUNTRIES) / 8 * len(PLANS) / 3
"""Of the customers, those whom the day's filter finds, about."""

CITIES = ("Graz", "Köln", "Lyon", "Porto", "Şişli")
WITHOUT_CITY_SHARE = 0.03
LEFT_OUT = {"customerId": "Z0000001", "phoneNumber": "+4915799999999", "country": "DE", "attributes.plan": "free"}
BROKEN = ("customerId,of,another,file", "X1,nonsense")
"""Lines that no import can use."""


@dataclass(frozen=True, slots=True)
class Visitors:
    """The file, and what must come of it. `LEFT_OUT` is in it, who has not agreed to text messages."""

    path: Path
    imported: int
    rejected: int


@dataclass(frozen=True, slots=True)
class Shop:
    """A tenant whose people can sign in."""

    api: Api = field(repr=False)
    url: str
    marketer: str
    approver: str
    account: str
    visitors: Visitors

    @property
    def audience_filter(self) -> dict[str, Any]:
        """What the marketer chooses."""
        wanted = {"country": COUNTRIES, "attributes.plan": PLANS}
        return {"all": [{"field": name, "op": "in", "value": list(values)} for name, values in wanted.items()]}


@asynccontextmanager
async def open_shop(fleet: Fleet, folder: Path, customers: int, seconds: float, seed: int) -> AsyncIterator[Shop]:
    """A new one. Its account takes about so many seconds for the campaign."""
    url, user_id = fleet.url("gateway"), f"shop-{uuid4().hex[:8]}"
    async with open_api(url, "") as anonymous:
        api = await create_tenant(fleet, lambda token: Api(anonymous.session, url, token), user_id)
        people = {role: f"{role}@{user_id}.example" for role in ("marketer", "approver")}
        for role, email in people.items():
            await add_person(api, email, role.title(), role)
        account = (await create_accounts(api, fleet.url("provider_simulator")))["sms"]
        found = await api.data("GET", f"/sms/providers/{account}")
        pace = max(round(customers * SHARE / seconds, 1), 1)
        await api.data("PATCH", f"/sms/providers/{account}", {"config": found["config"] | {"ratePerSecond": pace}})
        await api.data("PATCH", "/settings", {"approvalAbove": 1})
        yield Shop(api, url, *people.values(), found["providerName"], write_visitors(folder, customers, seed))


def write_visitors(folder: Path, rows: int, seed: int) -> Visitors:
    """Customers with cities: one in another alphabet, some without, and lines that are broken."""
    folder.mkdir(parents=True, exist_ok=True)
    chance = random.Random(seed)
    people = write_customers(folder / "people.csv", rows, seed)
    path = folder / "visitors.csv"
    with people.path.open(encoding="utf-8", newline="") as source, path.open("w", encoding="utf-8", newline="") as file:
        reader = csv.DictReader(source)
        assert reader.fieldnames is not None
        writer = csv.DictWriter(file, [*reader.fieldnames, "attributes.city"])
        writer.writeheader()
        for row in reader:
            row["attributes.city"] = "" if chance.random() < WITHOUT_CITY_SHARE else chance.choice(CITIES)
            writer.writerow(row)
        writer.writerow({**LEFT_OUT, "smsOptedIn": "false", "attributes.city": CITIES[0]})
        file.writelines(f"{line}\r\n" for line in BROKEN)
    return Visitors(path, rows - people.invalid + 1, people.invalid + len(BROKEN))
