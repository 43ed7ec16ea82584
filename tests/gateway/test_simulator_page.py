"""The page about trying accounts against the simulator: what it shows works as it stands."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from services.gateway.routes.pages.accounts import PREFIX, VENDOR_FORMS, _account_of
from services.gateway.routes.pages.desks import Form
from shared.providers.registry import VENDORS
from tests.providers.samples import apple_key, private_key

PAGE = (Path(__file__).parents[2] / "docs/providers/simulator.md").read_text()
URL = "http://simulator.example"

FILLED = {
    "apiKey": "SK00000000000000000000000000000000",
    "senderId": "ACME",
    "config.messagingServiceSid": "MG00000000000000000000000000000000",
    "config.authToken": "any-token",
    "config.maxPrice": "0.50",
    "config.entityId": "1101",
    "config.templateId": "1107",
    "config.topicArns": "arn:aws:sns:us-east-1:123456789012:one, arn:aws:sns:us-east-1:123456789012:two",
    "config.logSecret": "any-log-secret",
    "config.api": "messages",
    "config.signatureMethod": "sha256",
    "config.applicationId": "aaaaaaaa-bbbb-cccc-dddd-0123456789ab",
    "config.region": "us",
    "config.projectId": "shop",
    "config.sandbox": "yes",
    "config.host": "localhost",
    "config.port": "443",
    "config.ratePerSecond": "10",
    "config.concurrentMax": "5",
}
"""For the settings of forms that the page's accounts leave empty."""


def accounts(simulator: str) -> list[dict[str, Any]]:
    (text,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    for name, value in (("SIMULATOR", simulator), ("RSA_KEY", private_key()), ("EC_KEY", apple_key())):
        text = text.replace(name, json.dumps(value)[1:-1])
    found: list[dict[str, Any]] = json.loads(text)
    return found


def form_of(account: dict[str, Any]) -> dict[str, str]:
    """What is typed into the form for an account, and sent with it."""
    config = {f"{PREFIX}{name}": value for name, value in account["config"].items()}
    values = {name: value for name, value in account.items() if name not in ("channel", "config")} | config
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in values.items()}


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


@pytest.mark.parametrize(("channel", "vendor"), sorted(VENDORS))
async def test_every_form_can_be_saved_with_all_that_it_offers(fleet, make, channel, vendor):
    every = accounts(fleet.url("provider_simulator"))
    (needed,) = [form_of(one) for one in every if (one["channel"], one["providerType"]) == (channel, vendor)]
    form, offered = VENDOR_FORMS[channel][vendor], FILLED | {"config.privateKey": private_key()} | needed
    assert {setting.name for setting in form.settings} - {"config.certificate"} <= offered.keys()
    client = await make()
    for sent in (needed, offered):
        body = {**_account_of(Form(tuple(sent.items())), form), "providerType": vendor}
        status, made = await client("POST", f"/{channel}/providers", body)
        assert status == 201, made
        assert made["data"].get("senderId") == body.get("senderId")


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
