"""A campaign that was cancelled says the same of everybody on each of its pages, and calls nobody failed who was never
tried."""

from __future__ import annotations

from uuid import uuid4

import pytest_asyncio
from playwright.async_api import expect

from deploy.rehearsal import create_campaign
from tests.browser.conftest import Window
from tests.browser.looking import look_at
from tests.browser.tenants import Tenant
from tests.waiting import until

WAIT_SECONDS = 60.0
PER_SECOND = 5


@pytest_asyncio.fixture(loop_scope="session")
async def cancelled(tenant: Tenant) -> str:
    """The address of a campaign that was cancelled before most people's turn."""
    account = await tenant.api.data("GET", f"/sms/providers/{tenant.accounts['sms']}")
    body = {
        "providerName": "Slow",
        "providerType": "twilio",
        "accountSid": "AC" + uuid4().hex,
        "apiSecret": uuid4().hex,
        "phoneNumber": "+15005550006",
        "config": {"baseUrl": account["config"]["baseUrl"], "ratePerSecond": PER_SECOND},
    }
    slow = await tenant.api.data("POST", "/sms/providers", body)
    at = f"/sms/campaigns/{await create_campaign(tenant.api, 'sms', slow['id'])}"

    async def is_ready() -> bool:
        return (await tenant.api.data("GET", at))["blockers"] == []

    async def has_begun() -> bool:
        return (await tenant.api.data("GET", at))["audience"] is not None

    async def term(name: str) -> int:
        return (await tenant.api.data("GET", f"{at}/accounting"))[name]

    async def is_told() -> bool:
        found = await tenant.api.data("GET", f"{at}/timeline")
        told = sum(one["count"] for one in found["failures"] if one["errorClass"] == "cancelled")
        return told == await term("cancelled") > 0 == await term("waiting")

    await until(is_ready, WAIT_SECONDS)
    await tenant.api.data("POST", f"{at}/send")
    await until(has_begun, WAIT_SECONDS)
    await tenant.api.data("POST", f"{at}/cancel")
    await until(is_told, WAIT_SECONDS)
    return at


async def test_who_was_never_tried_is_called_cancelled_everywhere(
    window: Window, tenant: Tenant, cancelled: str
) -> None:
    accounting = await tenant.api.data("GET", f"{cancelled}/accounting")
    count = f"{accounting['cancelled']:,}"
    for scheme, width in (("light", 1280), ("dark", 400)):
        async with window(scheme=scheme, width=width) as watched:
            main = watched.page.locator("main")
            await watched.go(f"/notification{cancelled}")
            await expect(main.locator(".legend").first).to_contain_text(f"{count} cancelled before their turn")
            await expect(main.locator("[aria-labelledby=way]")).to_contain_text("cancelled before their turn")
            assert "cancelled" not in " ".join(await main.locator("[aria-labelledby=failures]").all_inner_texts())
            await expect(main).to_contain_text("planned were tried, the others were not")
            assert (await look_at(watched, "cancelled", f"{scheme}-{width}")).holds
            await watched.go(f"/notification{cancelled}/recipients?outcome=skipped")
            await expect(main.locator("tbody tr").first).to_contain_text("Not tried")
            await expect(main.locator("tbody tr").first).not_to_contain_text("Failed")
            assert (await look_at(watched, "cancelled-recipients", f"{scheme}-{width}")).holds
            await main.locator("tbody a").first.click()
            await expect(main.locator(".story")).to_contain_text("Not tried: cancelled before their turn")
            await watched.go(f"/notification{cancelled}/events?type=failed")
            await expect(main.locator("tbody")).to_contain_text("Not tried: cancelled before their turn")
