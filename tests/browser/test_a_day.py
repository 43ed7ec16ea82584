"""A marketer's day, with and without scripts, and what holds besides it."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from uuid import uuid4

from playwright.async_api import Browser, expect

from deploy.local.fleet import Fleet
from tests.browser.conftest import CUSTOMERS, SEED, Window
from tests.browser.day import Kind, live_a_day, number_in, said
from tests.browser.tenants import Tenant, add_person
from tests.browser.windows import PASSWORD, ZONE

KINDS = (Kind("light", 1280), Kind("dark", 400, scripts=False))
SENDING_SECONDS = 25.0
LOST_MS = 60_000
"""Until a page has noticed what became of its stream, on a machine that is busy."""


# --- getting in ------------------------------------------------------------------------------------------------------


async def test_nobody_sees_a_page_without_signing_in(window: Window, tenant: Tenant) -> None:
    async with window(email=None) as watched:
        await watched.go("/notification/customers?search=Ada")
        await expect(watched.page).to_have_title("Sign in · Omni-Sales")
        await watched.page.get_by_label("E-mail address").fill(tenant.email)
        await watched.page.get_by_label("Password").fill("something else entirely")
        await watched.page.get_by_role("button", name="Sign in").click()
        await expect(watched.page.get_by_role("alert")).to_contain_text("E-mail address or password is wrong")
        await watched.page.get_by_label("Password").fill(PASSWORD)
        await watched.page.get_by_role("button", name="Sign in").click()
        await expect(watched.page).to_have_url(re.compile("/notification/customers[?]search=Ada"))
        await watched.page.get_by_role("button", name="Sign out").first.click()
        await expect(watched.page.get_by_role("status")).to_contain_text("signed out")
        await watched.go("/notification")
        await expect(watched.page).to_have_title("Sign in · Omni-Sales")


async def test_a_form_of_another_session_changes_nothing(window: Window, tenant: Tenant) -> None:
    async with window() as watched:
        await watched.go("/notification/sms/templates/new")
        await watched.page.get_by_label("Name", exact=True).fill("Forged")
        await watched.page.get_by_label("Text", exact=True).fill("Hello. Reply STOP")
        await watched.page.evaluate("document.querySelector('main [name=csrfToken]').value = 'f'.repeat(48)")
        await watched.press("Save")
        await expect(watched.page.get_by_role("heading", level=1)).to_have_text("You may not see this")
    assert "Forged" not in str(await tenant.api.data("GET", "/sms/templates?limit=100"))


async def test_a_viewer_is_offered_nothing_that_is_refused(window: Window, tenant: Tenant) -> None:
    email = f"viv-{uuid4().hex[:6]}@example.com"
    await add_person(tenant.api, email, "Viv", "viewer")
    async with window(email=email) as watched:
        await expect(watched.page.get_by_role("link", name="Audit log")).to_have_count(0)
        await watched.go(f"/notification/sms/templates/{tenant.templates['sms']}")
        await expect(watched.page.get_by_role("button", name="Save")).to_have_count(0)
        assert await watched.go("/notification/audit") == 403
        campaign = f"/notification/sms/campaigns/{tenant.campaigns['sms']}"
        for page, link in (("sms/campaigns", "New SMS campaign"), ("customers", "Import a file")):
            await watched.go(f"/notification/{page}")
            await expect(watched.page.locator("main").get_by_role("link", name=link)).to_have_count(0)
        for form in (
            "/notification/push/campaigns/new",
            "/notification/sms/templates/new",
            "/notification/customers/import",
            f"{campaign}/edit",
            f"{campaign}/audience",
            f"{campaign}/clone",
            f"{campaign}/cancel",
        ):
            assert await watched.go(form) == 403


async def test_a_form_that_is_refused_keeps_what_was_typed(window: Window, tenant: Tenant) -> None:
    email = f"max-{uuid4().hex[:6]}@example.com"
    await add_person(tenant.api, email, "Max", "marketer")
    person = next(one for one in await tenant.api.data("GET", "/users?limit=100") if one["email"] == email)
    async with window(email=email) as watched:
        name = watched.page.get_by_label("Name", exact=True)
        await watched.go("/notification/push/campaigns/new")
        await expect(watched.page.get_by_label("Provider account")).to_have_value(tenant.accounts["push"])
        await name.fill("Typed with care")
        await tenant.api.data("PATCH", f"/users/{person['id']}", {"role": "viewer"})
        await watched.press("Save and choose")
        await expect(watched.page.get_by_role("alert")).to_contain_text("Nothing was saved yet")
        await expect(name).to_have_value("Typed with care")


# --- the numbers -----------------------------------------------------------------------------------------------------


async def test_the_dashboard_shows_the_numbers_of_the_api(window: Window, tenant: Tenant) -> None:
    async with window() as watched:
        await watched.go("/notification")
        data = await tenant.api.data("GET", "/dashboard")
        assert await number_in(watched, "#delivered") == data["totalSMSDelivered"] + data["totalPushDelivered"]
        assert await number_in(watched, "#total-campaigns") == data["totalSMSCampaigns"] + data["totalPushCampaigns"]
        rate = await watched.page.locator("#sms-delivery-rate").inner_text()
        assert rate == f"{data['smsAverageDeliveryRate']}%"
        assert data["recentSMSCampaigns"][0]["campaignName"] in await watched.page.locator("main").inner_text()


async def test_the_bar_says_the_same_as_the_accounting(window: Window, tenant: Tenant) -> None:
    found = await tenant.api.data("GET", f"/sms/campaigns/{tenant.campaigns['sms']}/accounting")
    async with window() as watched:
        await watched.go(f"/notification/sms/campaigns/{tenant.campaigns['sms']}")
        numbers = [int(one.replace(",", "")) for one in await watched.page.locator(".legend b").all_inner_texts()]
        assert sum(numbers[:7]) == numbers[7] == found["audience"]
        assert numbers[0] == found["accepted"]["delivered"]


# --- the day ------------------------------------------------------------------------------------------------------


async def test_a_day_comes_to_its_end(fleet: Fleet, browser: Browser, tmp_path: Path) -> None:
    turn = asyncio.Lock()
    lives = [live_a_day(fleet, browser, tmp_path, kind, CUSTOMERS, SENDING_SECONDS, SEED, turn) for kind in KINDS]
    for lived in await asyncio.gather(*lives):
        assert [look for look in lived.looks if not look.holds] == []
        assert lived.elsewhere == []
        assert lived.accounting["skipped"] == {"opted_out": 1}


async def test_a_copy_leads_to_itself(window: Window, tenant: Tenant) -> None:
    at = f"/notification/sms/campaigns/{tenant.campaigns['sms']}"
    async with window() as watched:
        await watched.go(f"{at}/clone")
        await watched.press("Make the copy")
        await said(watched, "This is the copy")
        await expect(watched.page.get_by_role("heading", level=1)).to_contain_text("(copy)")
        await expect(watched.page).not_to_have_url(re.compile(at))


async def test_what_is_sent_leads_to_its_own_page(window: Window, tenant: Tenant) -> None:
    at = f"/notification/sms/campaigns/{tenant.campaigns['sms']}"
    async with window() as watched:
        for step in ("edit", "audience", "review"):
            await watched.go(f"{at}/{step}")
            await expect(watched.page).to_have_url(re.compile(f"{at}$"))
            await said(watched, "it cannot be changed")


async def test_many_people_are_typed_before_they_are_sent_to(window: Window, tenant: Tenant, fleet: Fleet) -> None:
    body = {
        "campaignName": f"Everybody {uuid4().hex[:6]}",
        "templateId": tenant.templates["sms"],
        "providerId": tenant.accounts["sms"],
        "audienceFilter": {"all": []},
    }
    rows = [{"customerId": f"many-{n}", "phoneNumber": f"+49151{n:08d}", "smsOptedIn": True} for n in range(1_000)]
    await tenant.api.data("POST", "/customers", {"customers": rows})
    draft = await tenant.api.data("POST", "/sms/campaigns", body)
    async with window() as watched:
        await watched.go(f"/notification/sms/campaigns/{draft['id']}/review")
        recipients = await number_in(watched, "#recipients")
        await watched.press(f"Send now to {recipients:,} people")
        await expect(watched.page.get_by_role("alert")).to_contain_text(f"Type {recipients:,}")
        assert (await tenant.api.data("GET", f"/sms/campaigns/{draft['id']}"))["status"] == "draft"
        await watched.page.get_by_label("Type the number of people").fill(f"{recipients:,}")
        await watched.press(f"Send now to {recipients:,} people")
        await expect(watched.page.get_by_role("status").first).to_contain_text("Sending has begun")


async def test_cancelling_says_first_what_will_happen(window: Window, tenant: Tenant) -> None:
    account = await tenant.api.data("GET", f"/sms/providers/{tenant.accounts['sms']}")
    config = account["config"] | {"ratePerSecond": 1}
    slow = await tenant.api.data(
        "POST",
        "/sms/providers",
        {
            "providerName": f"Slow {uuid4().hex[:6]}",
            "providerType": "twilio",
            "accountSid": "AC" + "1" * 32,
            "apiSecret": "only-the-simulator-knows",
            "phoneNumber": "+15005550007",
            "config": config,
        },
    )
    body = {"campaignName": "Slowly", "templateId": tenant.templates["sms"], "providerId": slow["id"]}
    campaign = await tenant.api.data("POST", "/sms/campaigns", body | {"audienceFilter": {"all": []}})
    await tenant.api.data("POST", f"/sms/campaigns/{campaign['id']}/send")
    async with window() as watched:
        await watched.go(f"/notification/sms/campaigns/{campaign['id']}")
        await watched.press("Cancel…")
        await expect(watched.page.locator("main .card")).to_contain_text("This cannot be undone")
        await watched.press("Cancel for good")
        await expect(watched.page.locator("main .badge").first).to_have_text("Cancelled")
        await watched.go(f"/notification/sms/campaigns/{campaign['id']}/pause")
        await watched.press("Pause now")
        await expect(watched.page.get_by_role("alert")).to_contain_text("cannot pause")


async def test_a_time_is_the_viewers_own(window: Window, tenant: Tenant) -> None:
    body = {"campaignName": "Later", "templateId": tenant.templates["sms"], "providerId": tenant.accounts["sms"]}
    filtered = {"audienceFilter": {"all": [{"field": "country", "op": "eq", "value": "BR"}]}}
    draft = await tenant.api.data("POST", "/sms/campaigns", body | filtered)
    async with window() as watched:
        await watched.go(f"/notification/sms/campaigns/{draft['id']}/review")
        await watched.page.get_by_label(f"Day and time in {ZONE}").fill("2032-07-01T10:00")
        await watched.press("Schedule")
        await expect(watched.page.locator("main")).to_contain_text("Goes out Jul 1, 2032, 10:00 CEST")
    found = await tenant.api.data("GET", f"/sms/campaigns/{draft['id']}")
    assert (found["status"], found["scheduledSendTime"]) == ("scheduled", "2032-07-01T08:00:00Z")
    await tenant.api.data("POST", f"/sms/campaigns/{draft['id']}/cancel")


# --- people ----------------------------------------------------------------------------------------------------------


async def test_one_customer_can_be_looked_up(window: Window, tenant: Tenant) -> None:
    at = f"/sms/campaigns/{tenant.campaigns['sms']}/recipients"
    one = (await tenant.api.data("GET", f"{at}?limit=1"))[0]
    async with window() as watched:
        await watched.go(f"/notification{at}")
        await watched.page.get_by_label("Phone number").fill(one["phoneNumber"])
        await watched.press("Show")
        await expect(watched.page.locator("tbody a")).to_have_count(1)
        await watched.page.locator("tbody a").click()
        await expect(watched.page.locator("main")).to_contain_text("What happened")
        assert one["phoneNumber"] not in await watched.page.content()
        await expect(watched.page.locator(".rules li").first).to_be_visible()


# --- what holds when things go wrong ---------------------------------------------------------------------------------


async def test_a_field_says_what_is_wrong_with_it(window: Window, tenant: Tenant) -> None:
    async with window(scripts=False) as watched:
        await watched.go("/notification/sms/templates/new")
        await watched.page.get_by_label("Name", exact=True).fill("Broken")
        await watched.page.get_by_label("Text", exact=True).fill("Hello {{nobody}}")
        await watched.press("Save")
        text = watched.page.get_by_label("Text", exact=True)
        await expect(text).to_have_attribute("aria-invalid", "true")
        await expect(text).to_have_value("Hello {{nobody}}")
        await expect(watched.page.locator("#f-content-error")).to_contain_text("unknown variable")


async def test_the_keyboard_reaches_the_content_first(window: Window) -> None:
    async with window() as watched:
        await watched.page.keyboard.press("Tab")
        await expect(watched.page.get_by_text("Skip to the content")).to_be_focused()
        await watched.page.keyboard.press("Enter")
        await expect(watched.page.locator("main")).to_be_focused()


async def test_a_page_that_lost_its_stream_says_so_and_asks(window: Window, tenant: Tenant) -> None:
    async with window() as watched:
        await watched.page.route("**/live", lambda route: route.abort())
        await watched.go(f"/notification/sms/campaigns/{tenant.campaigns['sms']}")
        await expect(watched.page.locator("[data-stream]")).to_contain_text("Connection lost", timeout=LOST_MS)
        await watched.page.unroute("**/live")
        await expect(watched.page.locator("[data-stream]")).to_have_text("Live", timeout=LOST_MS)


CARELESS = {
    "/notification/sms/campaigns/{draft}/schedule": {"scheduledSendTime": "0001-01-01T00:00"},
    "/notification/sms/campaigns/{draft}/audience": {"mode": "expert", "text": "[" * 100_000, "intent": "save"},
    "/notification/sms/campaigns/{draft}/audience/part": {
        "mode": "all",
        "field": "x",
        "intent": "remove-" + "9" * 5_000,
    },
    "/notification/sms/campaigns/{draft}/review": {"people": "\0, ,+"},
    "/notification/sms/campaigns": {"campaignName": "x" * 5_000, "templateId": "none"},
    "/notification/sms/templates": {"templateName": "\0", "content": "{{"},
    "/notification/settings": {"approvalAbove": "9" * 5_000},
    "/notification/users": {"email": "nobody", "name": "", "role": "king"},
    "/notification/api-keys": {"name": ""},
    "/notification/sms/providers/new?vendor=twilio": {"config.ratePerSecond": "9" * 5_000},
    "/notification/customers/C0000001/preferences": {"smsCategories": "x" * 10_000},
}


async def test_a_careless_form_gets_a_page_that_says_what_to_change(window: Window, tenant: Tenant) -> None:
    body = {"campaignName": "Careless", "templateId": tenant.templates["sms"], "providerId": tenant.accounts["sms"]}
    draft = (await tenant.api.data("POST", "/sms/campaigns", body))["id"]
    async with window() as watched:
        token = await watched.page.locator("[name=csrfToken]").first.get_attribute("value")
        context = watched.page.context
        await context.add_cookies([{"name": "zone", "value": "Nowhere/At%20all", "url": tenant.url}])
        answers = {}
        for path, fields in CARELESS.items():
            form = {**fields, "csrfToken": token or ""}
            answer = await context.request.post(tenant.url + path.format(draft=draft), form=form)
            answers[path] = answer.status
        assert {status for status in answers.values() if status >= 500 or status == 403} == set(), answers
        assert await watched.go("/notification?cursor=nonsense") == 200
        assert await watched.go("/notification/customers?cursor=nonsense") == 422
