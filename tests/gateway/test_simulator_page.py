"""The page about trying accounts against the simulator: what it shows works as it stands."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from shared.providers.registry import VENDORS
from tests.providers.samples import apple_key, private_key

PAGE = (Path(__file__).parents[2] / "docs/providers/simulator.md").read_text()
URL = "http://simulator.example"


def accounts(simulator: str) -> list[dict[str, Any]]:
    (text,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    for name, value in (("SIMULATOR", simulator), ("RSA_KEY", private_key()), ("EC_KEY", apple_key())):
        text = text.replace(name, json.dumps(value)[1:-1])
    found: list[dict[str, Any]] = json.loads(text)
    return found


def test_there_is_an_account_for_every_vendor():
    assert {(one["channel"], one["providerType"]) for one in accounts(URL)} == set(VENDORS)


async def test_every_account_works_as_it_stands(fleet, make):
    client = await make()
    works = {}
    for account in accounts(fleet.url("provider_simulator")):
        at = f"/{account.pop('channel')}/providers"
        status, made = await client("POST", at, account)
        assert status == 201, made
        _, checked = await client("POST", f"{at}/{made['data']['id']}/verify")
        works[account["providerName"]] = checked["data"]["works"]
    assert works == dict.fromkeys(works, True)


async def test_the_simulator_takes_where_confirmations_go(fleet, make):
    client = await make()
    (body,) = re.findall(r"--data-binary '(.*?)'", PAGE, re.DOTALL)
    destinations = json.loads(body)
    secrets = {
        account["config"].get("appId", account.get("apiKey")): account["config"].get("webhookSecret")
        or account["config"].get("logSecret")
        for account in accounts(URL)
    }
    assert {name: one["secret"] for name, one in destinations.items()}.items() <= secrets.items()
    page = f"{fleet.url('provider_simulator')}/_simulator/log-destinations"
    async with client.http.put(page, data=body) as answer:
        assert answer.status == 200, await answer.text()
    async with client.http.put(page, data="{}") as answer:
        assert answer.status == 200
