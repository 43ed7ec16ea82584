"""A marketer's day, through the pages, with and without scripts."""

from __future__ import annotations

import re
from uuid import uuid4

import pytest
from playwright.async_api import expect

from deploy.local.fleet import Fleet
from tests.browser.conftest import Window
from tests.browser.tenants import Tenant, add_person
from tests.browser.windows import PASSWORD, ZONE, Watched

NUMBER = re.compile(r"[\d,]+")
SENT_MS = 60_000
"""A small campaign, on a machine that is busy."""


async def number_in(watched: Watched, selector: str) -> int:
    text = await watched.page.locator(selector).inner_text()
    return int(NUMBER.findall(text)[0].replace(",", ""))


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


# --- a campaign ------------------------------------------------------------------------------------------------------


async def write_template(watched: Watched, name: str) -> None:
    await watched.go("/notification/sms/templates/new")
    await watched.page.get_by_label("Name", exact=True).fill(name)
    await watched.page.get_by_label("Text", exact=True).fill("Acme: hi {{firstName|there}}, shoes are back. STOP ends")
    await watched.press("Save")
    await expect(watched.page.get_by_role("status").first).to_contain_text("The template is saved")


async def draft_campaign(watched: Watched, name: str, template: str) -> None:
    await watched.go("/notification/sms/campaigns/new")
    await watched.page.get_by_label("Name", exact=True).fill(name)
    await watched.page.get_by_label("Template").select_option(label=template)
    await watched.page.get_by_label("Provider account").select_option(label="Twilio (simulated)")
    await watched.press("Save and choose who gets it")


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "plain"])
async def test_a_campaign_from_the_text_to_the_last_recipient(window: Window, tenant: Tenant, scripts: bool) -> None:
    name = f"Shoes {uuid4().hex[:6]}"
    async with window(scripts=scripts) as watched:
        page = watched.page
        await write_template(watched, name)
        await draft_campaign(watched, name, name)
        await page.get_by_label("What").first.select_option("country")
        await page.get_by_label("Value").first.fill("DE")
        await watched.press("Count again")
        wanted = {"all": [{"field": "country", "op": "eq", "value": "DE"}]}
        count = (await tenant.api.data("POST", "/audience/preview", {"audienceFilter": wanted}))["count"]
        await expect(page.locator("#found")).to_have_text(f"{count:,}")
        await watched.press("Save and check")
        recipients = await number_in(watched, "#recipients")
        assert 0 < recipients <= count
        await watched.press(f"Send now to {recipients:,} people")
        await expect(page.get_by_role("heading", level=1)).to_have_text(name)
        campaign_id = page.url.rpartition("/")[2]
        if scripts:
            await expect(page.locator("main .badge").first).to_have_text("Sent", timeout=SENT_MS)
            assert not any(
                one.endswith(campaign_id) for one in watched.requests[watched.requests.index(page.url) + 1 :]
            )
        found = await tenant.api.data("GET", f"/sms/campaigns/{campaign_id}")
        assert found["audienceFilter"] == wanted
        assert watched.elsewhere == []


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


async def test_pause_resume_and_cancel_say_first_what_will_happen(window: Window, tenant: Tenant) -> None:
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
        badge = watched.page.locator("main .badge").first
        for link, words, button, status in (
            ("Pause…", "cannot be taken back", "Pause now", "Paused"),
            ("Resume…", "Whoever opted out meanwhile is left out", "Resume now", "Sending"),
            ("Cancel…", "This cannot be undone", "Cancel for good", "Cancelled"),
        ):
            await watched.press(link)
            await expect(watched.page.locator("main .card")).to_contain_text(words)
            await watched.press(button)
            await expect(badge).to_have_text(status)
        await watched.go(f"/notification/sms/campaigns/{campaign['id']}/pause")
        await watched.press("Pause now")
        await expect(watched.page.get_by_role("alert")).to_contain_text("cannot pause")


async def test_a_second_person_lets_a_large_campaign_go(window: Window, tenant: Tenant) -> None:
    people = {}
    for role in ("marketer", "approver"):
        people[role] = f"{role}-{uuid4().hex[:6]}@example.com"
        await add_person(tenant.api, people[role], role.title(), role)
    name = f"Large {uuid4().hex[:6]}"
    body = {"campaignName": name, "templateId": tenant.templates["sms"], "providerId": tenant.accounts["sms"]}
    filtered = {"audienceFilter": {"all": [{"field": "country", "op": "eq", "value": "FR"}]}}
    draft = await tenant.api.data("POST", "/sms/campaigns", body | filtered)
    await tenant.api.data("PATCH", "/settings", {"approvalAbove": 1})
    try:
        async with window(email=people["marketer"]) as watched:
            await watched.go(f"/notification/sms/campaigns/{draft['id']}/review")
            await watched.press(f"Send now to {await number_in(watched, '#recipients'):,} people")
            await expect(watched.page.get_by_role("status").first).to_contain_text("Somebody else has to approve")
        async with window(email=people["approver"]) as watched:
            await watched.go("/notification/approvals")
            await watched.page.locator("main li", has_text=name).get_by_role("button", name="Approve").click()
            await expect(watched.page.get_by_role("status").first).to_contain_text("Approved")
            await watched.go(f"/notification/sms/campaigns/{draft['id']}")
            await expect(watched.page.locator("main .badge").first).to_have_text("Sent", timeout=SENT_MS)
    finally:
        await tenant.api.data("PATCH", "/settings", {"approvalAbove": None})


async def test_a_time_is_the_viewers_own(window: Window, tenant: Tenant) -> None:
    body = {"campaignName": "Later", "templateId": tenant.templates["sms"], "providerId": tenant.accounts["sms"]}
    filtered = {"audienceFilter": {"all": [{"field": "country", "op": "eq", "value": "BR"}]}}
    draft = await tenant.api.data("POST", "/sms/campaigns", body | filtered)
    async with window() as watched:
        await watched.go(f"/notification/sms/campaigns/{draft['id']}/review")
        await watched.page.get_by_label(f"Day and time in {ZONE}").fill("2032-07-01T10:00")
        await watched.press("Schedule")
        await expect(watched.page.locator("main")).to_contain_text("goes out Jul 1, 2032, 10:00 CEST")
    found = await tenant.api.data("GET", f"/sms/campaigns/{draft['id']}")
    assert (found["status"], found["scheduledSendTime"]) == ("scheduled", "2032-07-01T08:00:00Z")
    await tenant.api.data("POST", f"/sms/campaigns/{draft['id']}/cancel")


# --- people ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "plain"])
async def test_a_file_with_bad_rows_leaves_the_good_ones(window: Window, tenant: Tenant, tmp_path, scripts) -> None:
    key = uuid4().hex[:6]
    path = tmp_path / "people.csv"
    path.write_text(
        f"customerId,phoneNumber,firstName\n{key}-1,+491511234567{scripts:d},Grace\n{key}-2,nonsense,Alan\n"
    )
    async with window(scripts=scripts) as watched:
        await watched.go("/notification/customers/import")
        await watched.page.get_by_label("File").set_input_files(path)
        await watched.press("Import")
        await expect(watched.page.locator("#imported")).to_have_text("1")
        await expect(watched.page.locator("#rejected")).to_have_text("1")
        await watched.go(f"/notification/customers/{key}-1")
        await watched.page.get_by_label("Marketing").uncheck()
        await watched.press("Save")
        await expect(watched.page.get_by_role("status").first).to_contain_text("Saved")
    assert not (await tenant.api.data("GET", f"/customers/{key}-1"))["marketingOptedIn"]


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
        await expect(watched.page.locator("[data-stream]")).to_contain_text("Connection lost", timeout=SENT_MS)
        await watched.page.unroute("**/live")
        await expect(watched.page.locator("[data-stream]")).to_have_text("Live", timeout=SENT_MS)


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
