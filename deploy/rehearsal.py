"""A tenant, its customers and its campaigns against the simulator: what the demo shows and the proofs repeat."""

from __future__ import annotations

import asyncio
import csv
import json
import random
import secrets
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from deploy.local.fleet import Fleet
from notify.checking import Verified, verify_campaign
from notify.client import Api, ApiError, open_api

UPLOAD_PIECE_BYTES = 64 * 1024
PASSWORD_BYTES = 12
POLL_SECONDS = 0.1
POLL_WORKING_SECONDS = 1.0
"""While much waits the accounting is asked for less often: each answer counts all recipients."""

QUIET_SECONDS = 3.0
"""A campaign of which nothing has changed for so long is at rest: longer than the latest receipt is late."""

AT_REST_SECONDS = 420.0

ESTIMATES = ("eta", "ratePerSecond")
"""Of an accounting: they change while nothing else does."""

FAULTS: dict[str, Any] = {
    "rates": {
        "accept_then_hang": 0.0025,
        "accept_then_close": 0.0025,
        "dead_address": 0.01,
        "undelivered": 0.01,
        "late_receipt": 0.02,
        "duplicate_receipt": 0.05,
        "reordered_receipt": 0.05,
        "early_receipt": 0.02,
    },
    "late_seconds": 0.5,
    "hang_seconds": 0.5,
}

_COUNTRIES = (
    ("DE", "+4915{:09d}", "Europe/Berlin", "de-DE"),
    ("FR", "+336{:08d}", "Europe/Paris", "fr-FR"),
    ("GB", "+4477{:08d}", "Europe/London", "en-GB"),
    ("US", "+1202555{:04d}", "America/New_York", "en-US"),
    ("BR", "+55119{:08d}", "America/Sao_Paulo", "pt-BR"),
    ("IN", "+9198{:08d}", "Asia/Kolkata", "en-IN"),
)
_FIRST_NAMES = ("Ada", "Bela", "Chloé", "Dmitri", "Elif", "Femi", "Grace", "Hugo", "Ines", "Jun", "Kofi", "Lena")
_LAST_NAMES = ("Almeida", "Brandt", "Costa", "Dubois", "Eriksen", "Fischer", "Garcia", "Haddad", "Ito", "Jansen")

DUPLICATE_SHARE = 0.01
INVALID_SHARE = 0.005
OPTED_OUT_SHARE = 0.03
WITHOUT_DEVICE_SHARE = 0.3

COLUMNS = (
    "customerId", "phoneNumber", "email", "firstName", "lastName", "country", "locale", "timeZone", "smsOptedIn",
    "pushOptedIn", "marketingOptedIn", "transactionalOptedIn", "deviceToken", "deviceType", "lastSeenAt",
    "attributes.plan",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class People:
    """A file of customers, and what must come of it."""

    path: Path
    rows: int
    invalid: int
    opted_out: dict[str, frozenset[str]]
    """Addresses that may not be sent to, by channel."""


def write_customers(path: Path, rows: int, seed: int) -> People:
    """Writes a CSV of so many rows: several countries and time zones, people who appear twice, numbers that are none,
    some who opted out, some without a device."""
    chance = random.Random(seed)
    invalid = 0
    forbidden: dict[str, set[str]] = {"sms": set(), "push": set()}
    allowed: dict[str, set[str]] = {"sms": set(), "push": set()}
    numbers: list[str] = []
    now = datetime.now(UTC)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for row in range(rows):
            country, pattern, zone, locale = _COUNTRIES[min(chance.randrange(8), 5)]
            if numbers and chance.random() < DUPLICATE_SHARE:
                number = chance.choice(numbers)
            else:
                number = _number(country, pattern, row)
                numbers.append(number)
            written = number
            if chance.random() < INVALID_SHARE:
                written = chance.choice(("12345", "not a number", "+49", "+999123456789"))
                invalid += 1
            sms, push = chance.random() >= OPTED_OUT_SHARE, chance.random() >= OPTED_OUT_SHARE
            token = "" if chance.random() < WITHOUT_DEVICE_SHARE else f"{seed:016x}{row:048x}"
            first, last = chance.choice(_FIRST_NAMES), chance.choice(_LAST_NAMES)
            seen = now - timedelta(days=chance.randrange(200))
            writer.writerow(
                (
                    f"C{row:07d}", written, f"c{row}@example.com", first, last, country, locale, zone,
                    str(sms).lower(), str(push).lower(), "true", "true", token,
                    chance.choice(("ios", "android", "web")) if token else "", seen.isoformat(),
                    chance.choice(("free", "plus", "pro")),
                )
            )  # fmt: skip
            if written == number:
                (allowed if sms else forbidden)["sms"].add(number)
                if token:
                    (allowed if push else forbidden)["push"].add(token)
    return People(path, rows, invalid, {name: frozenset(found) for name, found in forbidden.items()})


def _number(country: str, pattern: str, row: int) -> str:
    if country == "US":
        return f"+1{_US_AREAS[row // 800 % len(_US_AREAS)]}555{100 + row % 800:04d}"
    if country == "DE":
        return f"+49151{10_000_000 + row:08d}"
    return pattern.format(10_000_000 + row)


_US_AREAS = ("202", "212", "305", "312", "415", "512", "617", "702", "713", "808", "206", "303", "404", "503", "602")


async def create_tenant(fleet: Fleet, session_api: Callable[[str], Api], user_id: str) -> Api:
    """The API with a new key of the tenant."""
    async with open_api(fleet.url("gateway"), fleet.secrets["internal_token"], user_id) as api:
        made = await api.data("POST", "/api-keys", {"name": "rehearsal"})
    return session_api(made["apiKey"])


async def create_admin(fleet: Fleet, user_id: str) -> tuple[str, str]:
    """(e-mail address, password) of a new person who may do everything for the tenant."""
    email, password = f"admin@{user_id}.example", secrets.token_urlsafe(PASSWORD_BYTES)
    async with open_api(fleet.url("gateway"), fleet.secrets["internal_token"], user_id) as api:
        body = {"email": email, "name": "Demo admin", "role": "admin", "password": password}
        await api.data("POST", "/users", body)
    return email, password


async def set_faults(api: Api, simulator_url: str, faults: dict[str, Any], seed: int) -> None:
    """Tells the simulator what goes wrong."""
    async with api.session.put(f"{simulator_url}/_simulator/faults", json={"seed": seed, **faults}) as answer:
        if answer.status != 200:
            raise RuntimeError(f"the simulator refuses the faults: {await answer.text()}")


async def create_accounts(api: Api, simulator_url: str) -> dict[str, str]:
    """One account per channel at the simulator; their ids by channel."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    service_account = {
        "type": "service_account",
        "project_id": "rehearsal",
        "client_email": "sender@rehearsal.iam.gserviceaccount.com",
        "private_key": key.decode(),
        "token_uri": f"{simulator_url}/token",
    }
    bodies = {
        "sms": {
            "providerName": "Twilio (simulated)",
            "providerType": "twilio",
            "accountSid": "AC" + "0" * 32,
            "apiSecret": "only-the-simulator-knows",
            "phoneNumber": "+15005550006",
            "config": {"baseUrl": simulator_url},
        },
        "push": {
            "providerName": "Firebase (simulated)",
            "providerType": "firebase",
            "config": {"baseUrl": simulator_url, "serviceAccount": json.dumps(service_account)},
        },
    }
    return {name: (await api.data("POST", f"/{name}/providers", body))["id"] for name, body in bodies.items()}


TEMPLATES: dict[str, dict[str, Any]] = {
    "sms": {
        "templateName": "Summer sale (SMS)",
        "content": "Hi {{firstName|there}}, our summer sale has begun: 20% off everything until Sunday. "
        "Reply STOP to unsubscribe",
    },
    "push": {
        "templateName": "Summer sale (push)",
        "title": "{{firstName|Hello}}, the summer sale is on",
        "body": "20% off everything until Sunday. Your plan: {{attributes.plan|free}}.",
        "actionUrl": "https://shop.example/sale",
    },
}


async def import_customers(api: Api, people: People, on_bytes: Callable[[int], None] = lambda _: None) -> Any:
    """Uploads the file; the import's answer."""

    async def pieces() -> AsyncIterator[bytes]:
        with people.path.open("rb") as file:
            while piece := file.read(UPLOAD_PIECE_BYTES):
                yield piece
                on_bytes(len(piece))

    return await api.upload("/customers/import", "text/csv", pieces())


async def create_campaign(api: Api, channel: str, provider_id: str) -> str:
    """A template and a campaign to every customer; the campaign's id."""
    template = await api.data("POST", f"/{channel}/templates", TEMPLATES[channel])
    body = {
        "campaignName": f"Summer sale by {channel}",
        "templateId": template["id"],
        "providerId": provider_id,
        "audienceFilter": {"all": []},
    }
    campaign: str = (await api.data("POST", f"/{channel}/campaigns", body))["id"]
    return campaign


@dataclass(frozen=True, slots=True)
class Rest:
    """A campaign at rest. `seconds` are from the send command to the last change of its accounting."""

    accounting: dict[str, Any]
    seconds: float


async def send_and_rest(
    api: Api, channel: str, campaign_id: str, on_change: Callable[[dict[str, Any]], None] = lambda _: None
) -> Rest:
    """Sends, and returns when nothing waits, nothing is in flight, and nothing has changed for a while."""
    begin = time.monotonic()
    await api.data("POST", f"/{channel}/campaigns/{campaign_id}/send")
    return await rest(api, channel, campaign_id, begin, on_change)


async def rest(
    api: Api, channel: str, campaign_id: str, begin: float, on_change: Callable[[dict[str, Any]], None] = lambda _: None
) -> Rest:
    """Waits until the campaign is at rest, or until `AT_REST_SECONDS` are over."""
    last: dict[str, Any] = {}
    changed = begin
    while time.monotonic() - begin < AT_REST_SECONDS:
        accounting = await _accounting(api, channel, campaign_id)
        if accounting is None:
            await asyncio.sleep(POLL_SECONDS)
            continue
        if accounting != last:
            last, changed = accounting, time.monotonic()
            on_change(accounting)
        settled = last["audience"] is not None and last["waiting"] == 0 and last["inFlight"] == 0
        if settled and time.monotonic() - changed > QUIET_SECONDS:
            break
        await asyncio.sleep(POLL_WORKING_SECONDS if last["waiting"] else POLL_SECONDS)
    return Rest(last, changed - begin)


async def _accounting(api: Api, channel: str, campaign_id: str) -> dict[str, Any] | None:
    """The accounting without its estimates; None while the dispatcher is away or has not heard of the campaign."""
    try:
        found = await api.data("GET", f"/{channel}/campaigns/{campaign_id}/accounting")
    except ApiError as error:
        if error.status in (404, 503):
            return None
        raise
    return {name: value for name, value in found.items() if name not in ESTIMATES}


async def verified_at_rest(
    api: Api, channel: str, campaign_id: str, simulator_url: str, opted_out: frozenset[str], seconds: float = 30.0
) -> Verified:
    """The verification, repeated until it holds or the time is over: events reach the log a moment after the ledger."""
    deadline = time.monotonic() + seconds
    while True:
        verified = await verify_campaign(api, channel, campaign_id, simulator_url, opted_out)
        if verified.balanced or time.monotonic() > deadline:
            return verified
        await asyncio.sleep(1.0)
