"""`notify` against the running fleet, as people use it: arguments in, text, JSON and exit codes out."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
import pytest_asyncio
from aiokafka import AIOKafkaProducer

from contracts.topics import SEND_REQUESTS
from deploy.local.environment import environment_of_running
from deploy.local.fleet import Fleet
from deploy.rehearsal import (
    create_accounts,
    create_campaign,
    create_tenant,
    set_faults,
    write_customers,
)
from notify.client import Api, open_api
from notify.running import FELL_SHORT, NOBODY_ANSWERS, WRONG_USE
from tests.waiting import until

COMMAND_SECONDS = 90.0
SIZE = 300
SEED = 20_261_124


@dataclass
class Notify:
    """The command with the settings of one tenant."""

    environment: dict[str, str]

    async def __call__(self, *arguments: str | Path, given: str = "") -> tuple[int, str, str]:
        """(exit code, output, errors); `given` is typed in."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "notify",
            *map(str, arguments),
            env=self.environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await asyncio.wait_for(process.communicate(given.encode()), COMMAND_SECONDS)
        return process.returncode or 0, out.decode(), err.decode()

    async def json(self, *arguments: str | Path) -> tuple[int, Any]:
        """(exit code, the last line read as JSON)."""
        code, out, err = await self(*arguments, "--json")
        assert out, err
        return code, json.loads(out.splitlines()[-1])


def settings_of(fleet: Fleet, api_key: str) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "COLUMNS": "200",
        "NOTIFY_URL": fleet.url("gateway"),
        "NOTIFY_API_KEY": api_key,
        "NOTIFY_SIMULATOR_URL": fleet.url("provider_simulator"),
        "KAFKA_BOOTSTRAP_SERVERS": fleet.kafka,
        "INTERNAL_TOKEN": fleet.secrets["internal_token"],
    }


@dataclass
class Tenant:
    """One tenant with accounts at the simulator."""

    api: Api
    accounts: dict[str, str]
    notify: Notify


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def tenant(fleet: Fleet) -> AsyncIterator[Tenant]:
    async with open_api(fleet.url("gateway"), "") as anonymous:
        api = await create_tenant(fleet, lambda token: Api(anonymous.session, fleet.url("gateway"), token), uuid4().hex)
        simulator = fleet.url("provider_simulator")
        await set_faults(api, simulator, {"rates": {"dead_address": 0.05, "undelivered": 0.05}}, SEED)
        accounts = await create_accounts(api, simulator)
        yield Tenant(api, accounts, Notify(settings_of(fleet, api.token)))
        await set_faults(api, simulator, {}, SEED)  # the fleet serves other modules, too


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def people(tenant: Tenant, fleet: Fleet, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What `notify import customers` says of a file in which some rows are bad."""
    path = tmp_path_factory.mktemp("people") / "people.csv"
    written = write_customers(path, SIZE, SEED)
    code, answer = await tenant.notify.json("import", "customers", path, "--errors", path.with_suffix(".errors"))
    assert written.invalid > 0
    assert (code, answer["imported"], answer["rejected"]) == (FELL_SHORT, SIZE - written.invalid, written.invalid)
    _, *refused, end = path.with_suffix(".errors").read_text().splitlines()
    assert len(refused) == written.invalid
    assert end == f"# complete: {written.invalid} rows"
    code, out, _ = await tenant.notify("import", "customers", path)
    size = f"{path.stat().st_size:,}"
    assert out.startswith(f"people.csv: {size} of {size} bytes in "), out
    return answer


async def sent_campaign(tenant: Tenant, channel: str) -> str:
    campaign_id = await create_campaign(tenant.api, channel, tenant.accounts[channel])
    await tenant.api.data("POST", f"/{channel}/campaigns/{campaign_id}/send")
    return campaign_id


async def at_rest(tenant: Tenant, campaign_id: str) -> dict[str, Any]:
    """The verification, once all receipts have come."""
    code, _, _ = await tenant.notify("campaign", "watch", campaign_id)
    assert code == 0
    verified: dict[str, Any] = {}

    async def balanced() -> bool:
        nonlocal verified
        code, verified = await tenant.notify.json("campaign", "verify", campaign_id)
        return code == 0 and verified["terms"]["accepted"]["unconfirmed"] == 0

    await until(balanced, COMMAND_SECONDS)
    return verified


@pytest.mark.parametrize("channel", ["sms", "push"])
@pytest.mark.usefixtures("people")
async def test_a_campaign_is_watched_to_its_end_and_verified(fleet, tenant, channel):
    campaign_id = await sent_campaign(tenant, channel)
    code, out, err = await tenant.notify("campaign", "watch", campaign_id)
    assert (code, err) == (0, "")
    assert "Accounting of the" in out
    verified = await at_rest(tenant, campaign_id)
    assert verified["balanced"]
    assert (verified["doubleSends"], verified["optedOutSends"]) == (0, 0)
    assert verified["terms"]["accepted"]["delivered"] > 0
    code, shown = await tenant.notify.json("campaign", "show", campaign_id)
    assert (code, shown["status"], shown["accounting"]["balanced"]) == (0, "sent", True)
    code, listed = await tenant.notify.json("campaign", "list", "--channel", channel)
    assert campaign_id in [row["id"] for row in listed]
    narrow = Notify(tenant.notify.environment | {"COLUMNS": "40"})
    code, out, _ = await narrow("campaign", "list", "--channel", channel)
    heading, *lines = [line.split("\t") for line in out.splitlines()]
    assert (code, heading[:2]) == (0, ["channel", "id"])
    assert [channel, campaign_id] in [line[:2] for line in lines]
    code, out, _ = await tenant.notify("campaign", "verify", campaign_id)
    assert (code, "differs" in out) == (0, False)


def damage(fleet: Fleet, service: str, statement: str, campaign_id: str) -> None:
    with psycopg.connect(fleet.database_url(service), autocommit=True) as connection:
        assert connection.execute(statement, (campaign_id,)).rowcount == 1


@pytest.mark.usefixtures("people")
async def test_the_dashboard_is_compared_with_its_sources_and_rebuilt(fleet, tenant):
    settings = environment_of_running("analytics", fleet.state.root)
    assert settings == fleet.environment("analytics")
    operator = Notify(tenant.notify.environment | settings)
    await at_rest(tenant, campaign_id := await sent_campaign(tenant, "sms"))
    dashboard = await tenant.api.data("GET", "/dashboard")
    assert dashboard["smsSendCost"] > 0
    assert (await operator("analytics", "rebuild"))[0] == 0
    assert (await tenant.api.data("GET", "/dashboard"))["smsSendCost"] == dashboard["smsSendCost"]
    code, compared = await tenant.notify.json("analytics", "verify")
    assert (code, compared["balanced"]) == (0, True), compared

    of_tenant = "user_id = (SELECT user_id FROM campaigns WHERE id = %s)"
    wrong = f"UPDATE tenant_costs SET cost_micros = cost_micros + 1 WHERE {of_tenant}"
    damage(fleet, "analytics", wrong, campaign_id)
    code, compared = await tenant.notify.json("analytics", "verify")
    assert (code, compared["balanced"]) == (FELL_SHORT, False)
    code, found = await operator.json("analytics", "rebuild", "--verify")
    assert (code, found["differing"], found["differences"][0]["table"]) == (FELL_SHORT, 1, "tenant_costs")
    assert (await operator("analytics", "rebuild"))[0] == 0
    assert (await operator("analytics", "rebuild", "--verify"))[0] == 0
    assert (await tenant.notify("analytics", "verify"))[0] == 0


DAMAGES = {
    "a row of the ledger": (
        "dispatcher",
        "UPDATE sms_campaign_recipients SET status = 'bounced' WHERE id = (SELECT id FROM sms_campaign_recipients"
        " WHERE campaign_id = %s AND status = 'delivered' LIMIT 1)",
    ),
    "a recipient who is gone": (
        "dispatcher",
        "DELETE FROM sms_campaign_recipients WHERE id = (SELECT id FROM sms_campaign_recipients"
        " WHERE campaign_id = %s AND status = 'delivered' LIMIT 1)",
    ),
    "a lot's counter": (
        "dispatcher",
        "UPDATE lots SET accepted = accepted + 1 WHERE id ="
        " (SELECT id FROM lots WHERE campaign_id = %s AND accepted > 0 LIMIT 1)",
    ),
    "the event log": (
        "analytics",
        "DELETE FROM notification_events WHERE id = (SELECT id FROM notification_events"
        " WHERE campaign_id = %s AND event_type = 'sent' LIMIT 1)",
    ),
    "an aggregate": (
        "analytics",
        "UPDATE campaign_totals SET events = events + 1 WHERE campaign_id = %s AND event_type = 'delivered'",
    ),
}


@pytest.mark.usefixtures("people")
async def test_verify_finds_every_kind_of_damage(fleet, tenant):
    for what, (service, statement) in DAMAGES.items():
        campaign_id = await sent_campaign(tenant, "sms")
        await at_rest(tenant, campaign_id)
        damage(fleet, service, statement, campaign_id)
        code, verified = await tenant.notify.json("campaign", "verify", campaign_id)
        assert (what, code, verified["balanced"]) == (what, FELL_SHORT, False)


async def silent_account(tenant: Tenant) -> str:
    """An account whose provider refuses connections, so that everybody waits."""
    body = {
        "providerName": "Silent",
        "providerType": "twilio",
        "accountSid": "AC" + "1" * 32,
        "apiSecret": "secret",
        "phoneNumber": "+15005550006",
        "config": {"baseUrl": "http://127.0.0.1:9"},
    }
    return (await tenant.api.data("POST", "/sms/providers", body))["id"]


@pytest.mark.usefixtures("people")
async def test_a_campaign_is_paused_resumed_and_cancelled(tenant):
    campaign_id = await create_campaign(tenant.api, "sms", await silent_account(tenant))
    await tenant.api.data("POST", f"/sms/campaigns/{campaign_id}/send")
    for command, status in (("pause", "paused"), ("resume", "sending"), ("cancel", "cancelled")):
        code, out, err = await tenant.notify("campaign", command, campaign_id)
        assert (command, code, out.split()[-1:], err) == (command, 0, [status], "")
    code, out, err = await tenant.notify("campaign", "watch", campaign_id)
    assert (code, err) == (0, "")
    code, verified = await tenant.notify.json("campaign", "verify", campaign_id)
    terms = verified["terms"]
    assert (terms["accepted"]["total"], terms["unknown"], terms["cancelled"] > 0) == (0, 0, True)
    code, _, err = await tenant.notify("campaign", "resume", campaign_id)
    assert (code, "Not possible" in err) == (FELL_SHORT, True)


async def test_a_key_is_made_and_works(fleet, tenant):
    somebody = f"somebody-{uuid4().hex}"
    create = ("keys", "create", "--user", somebody, "--scope", "read", "--json")
    code, out, err = await tenant.notify(*create)
    made = json.loads(out)
    assert (code, made["scopes"], f"{somebody} is a new user" in err) == (0, ["read"], True)
    assert (await tenant.notify(*create))[2] == ""
    other = Notify(settings_of(fleet, made["apiKey"]))
    assert await other.json("campaign", "list") == (0, [])
    code, _, err = await tenant.notify("keys", "create", "--user", somebody, "--scope", "everything")
    assert (code, "scopes" in err) == (FELL_SHORT, True)


async def test_a_key_is_rotated_and_revoked(fleet, tenant):
    user = ("--user", uuid4().hex)
    _, made = await tenant.notify.json("keys", "create", *user)
    code, rotated = await tenant.notify.json("keys", "rotate", made["id"], *user, "--overlap-hours", "0")
    assert (code, rotated["prefix"], rotated["apiKey"] != made["apiKey"]) == (0, made["prefix"], True)
    code, out, _ = await tenant.notify("keys", "revoke", made["id"], *user)
    assert (code, out.strip()) == (0, "revoked")
    code, listed = await tenant.notify.json("keys", "list", *user)
    assert (code, [(one["id"], one["revokedAt"] is not None) for one in listed]) == (0, [(made["id"], True)])


async def test_the_first_person_of_a_new_tenant_gets_in(tenant):
    person = ("users", "create", "--user", uuid4().hex, "--email", f"{uuid4().hex}@example.com", "--role")
    code, out, _ = await tenant.notify(*person, "admin", given="a horse, a battery, a staple")
    assert (code, out.strip().endswith("can sign in")) == (0, True)
    code, _, err = await tenant.notify(*person, "admin")
    assert (code, "email" in err) == (FELL_SHORT, True)
    code, _, err = await tenant.notify(*person, "owner")
    assert (code, "role" in err) == (FELL_SHORT, True)
    code, out, _ = await tenant.notify(*person[:5], f"{uuid4().hex}@example.com", "--role", "viewer")
    assert (code, "/notification/invitations/" in out) == (0, True)


async def test_a_send_request_is_sent_once(fleet, tenant):
    number = f"+49170{uuid4().int % 10**7:07d}"
    user_id = (await tenant.api.data("GET", f"/sms/providers/{tenant.accounts['sms']}"))["userId"]
    for _ in range(2):
        code, out, _ = await tenant.notify(
            *("send-request", "--user", user_id, "--request-id", "order-1", "--address", number, "--text", "It is here")
        )
        assert (code, out.strip()) == (0, "published order-1")

    async def entries() -> list[dict[str, Any]]:
        async with tenant.api.session.get(f"{fleet.url('provider_simulator')}/_simulator/log?after=0") as answer:
            lines = (await answer.text()).splitlines()
        return [entry for line in lines if (entry := json.loads(line))["address"] == number]

    await until(entries, COMMAND_SECONDS)
    assert len(await entries()) == 1
    code, out, _ = await tenant.notify("reconcile")
    assert (code, "sms: asked" in out) == (0, True)


async def test_a_bad_record_waits_in_the_dead_letters_and_its_neighbours_do_not(fleet, tenant):
    user_id = (await tenant.api.data("GET", f"/sms/providers/{tenant.accounts['sms']}"))["userId"]
    marker = uuid4().hex
    number = f"+49171{uuid4().int % 10**7:07d}"
    known = {one["id"] for one in (await tenant.notify.json("dead-letters", "list"))[1]}
    async with AIOKafkaProducer(bootstrap_servers=fleet.kafka) as producer:
        await producer.send_and_wait(SEND_REQUESTS.name, f'{{"type":"{marker}"'.encode(), key=user_id.encode())
    code, _, _ = await tenant.notify(
        *("send-request", "--user", user_id, "--request-id", marker, "--address", number, "--text", "still sent")
    )

    async def waiting() -> list[dict[str, Any]]:
        _, letters = await tenant.notify.json("dead-letters", "list")
        new = [one["id"] for one in letters if one["id"] not in known]
        shown = [(await tenant.notify.json("dead-letters", "show", one))[1] for one in new]
        return [one for one in shown if marker in one["value"]]

    async def sent() -> bool:
        async with tenant.api.session.get(f"{fleet.url('provider_simulator')}/_simulator/log?after=0") as answer:
            return number in await answer.text()

    await until(waiting, COMMAND_SECONDS)
    await until(sent, COMMAND_SECONDS)
    (letter,) = await waiting()
    assert (letter["topic"], letter["service"]) == (SEND_REQUESTS.name, "audience")
    assert "not a record of send-requests" in letter["reason"]
    code, out, _ = await tenant.notify("dead-letters", "redrive", letter["id"])
    assert (code, out.strip()) == (0, "put back 1")

    async def is_back() -> bool:
        return [one["id"] for one in await waiting()] not in ([], [letter["id"]])

    await until(is_back, COMMAND_SECONDS)
    code, _, _ = await tenant.notify("dead-letters", "redrive", letter["id"])
    assert code == FELL_SHORT


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("campaign", "list", "--channel", "fax"), "--channel"),
        (("import", "customers", "/nowhere.csv"), "/nowhere.csv"),
        (("import", "customers", __file__), ".csv"),
        (("send-request", "--user", "u", "--request-id", "r", "--text", "x"), "--address"),
        (("send-request", "--user", "u", "--request-id", "r", "--address", "+49"), "--text"),
        (("dead-letters", "redrive"), "--all"),
        (("campaign",), "Usage"),
    ],
)
async def test_wrong_use_says_what_to_change(fleet, tenant, arguments, named):
    code, out, err = await tenant.notify(*arguments)
    assert (code, named in out + err) == (WRONG_USE, True)


async def test_missing_settings_and_silent_servers_are_told_apart(fleet, tenant):
    nobody = Notify(tenant.notify.environment | {"NOTIFY_URL": "http://127.0.0.1:9"})
    code, _, err = await nobody("campaign", "list")
    assert (code, "nobody answers" in err) == (NOBODY_ANSWERS, True)
    keyless = {name: value for name, value in tenant.notify.environment.items() if name != "NOTIFY_API_KEY"}
    code, _, err = await Notify(keyless)("campaign", "list")
    assert (code, "NOTIFY_API_KEY" in err) == (WRONG_USE, True)
    code, _, err = await tenant.notify("campaign", "show", str(uuid4()))
    assert (code, "Traceback" in err) == (FELL_SHORT, False)
