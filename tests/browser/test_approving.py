"""A campaign that waits for a second person, as who asked sees it, and as who decides does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest_asyncio
from playwright.async_api import expect

from tests.browser.conftest import Window
from tests.browser.day import said
from tests.browser.looking import look_at
from tests.browser.tenants import Tenant, add_person


@pytest_asyncio.fixture(loop_scope="session")
async def careful(tenant: Tenant) -> AsyncIterator[Tenant]:
    """A tenant where every campaign needs a second person."""
    await tenant.api.data("PATCH", "/settings", {"approvalAbove": 0})
    yield tenant
    await tenant.api.data("PATCH", "/settings", {"approvalAbove": None})


async def test_what_waits_says_so_and_is_not_asked_for_twice(window: Window, careful: Tenant) -> None:
    asker = f"ann-{uuid4().hex[:6]}@example.com"
    await add_person(careful.api, asker, "Ann", "approver")
    body = {
        "campaignName": f"Careful {uuid4().hex[:6]}",
        "templateId": careful.templates["sms"],
        "providerId": careful.accounts["sms"],
        "audienceFilter": {"all": [{"field": "country", "op": "eq", "value": "DE"}]},
    }
    draft = await careful.api.data("POST", "/sms/campaigns", body)
    at = f"/notification/sms/campaigns/{draft['id']}"
    async with window(email=asker) as watched:
        main = watched.page.locator("main")
        stale = await watched.page.context.new_page()
        for page in (stale, watched.page):
            await page.goto(f"{careful.url}{at}/review")
            await expect(page.get_by_role("button", name="Send now")).to_be_visible()
        await watched.press("Send now")
        await said(watched, "Somebody else has to approve")
        for path in (at, f"{at}/review"):
            await watched.go(path)
            await expect(main).to_contain_text("Asked for by you on")
            await expect(main.get_by_role("link", name="See what waits")).to_be_visible()
            for name in ("Send now", "Schedule"):
                await expect(main.get_by_role("button", name=name)).to_have_count(0)
        await stale.get_by_role("button", name="Send now").click()
        await expect(stale.get_by_role("alert")).to_contain_text("waits for somebody else")
        asked = await careful.api.data("GET", f"/approvals?campaignId={draft['id']}")
        assert [one["state"] for one in asked] == ["pending"]
        await watched.go("/notification/approvals")
        own = main.locator("li", has_text=body["campaignName"])
        await expect(own).to_contain_text("somebody else decides")
        await expect(own.get_by_role("button")).to_have_count(0)
    async with window() as watched:
        main = watched.page.locator("main")
        await watched.go(at)
        await expect(main).to_contain_text(f"Asked for by {asker} on")
        await watched.press("See what waits")
        waiting = main.locator("li", has_text=body["campaignName"])
        await expect(waiting).to_contain_text(f"Approve: up to {asked[0]['size']:,} people")
        assert (await look_at(watched, "approval", "light-1280")).holds
        for known in ("Text “", "Through ", "estimated cost: $"):
            await expect(waiting).to_contain_text(known)
        await waiting.get_by_role("button", name="Reject").click()
        await said(watched, "Rejected")
        await watched.go(at)
        await expect(main).not_to_contain_text("Asked for by")
