"""What admins look after: dead letters, addresses in full, settings, the audit log; and hints where people err."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from playwright.async_api import expect

from deploy.local.fleet import Fleet
from deploy.rehearsal import create_campaign
from tests.browser.conftest import Window
from tests.browser.looking import PAGE_BYTES_MAX
from tests.browser.tenants import Tenant, add_person
from tests.browser.windows import PASSWORD
from tests.dead_letters import put_aside
from tests.waiting import until


async def deeds(tenant: Tenant) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = await tenant.api.data("GET", "/audit?limit=10")
    return found


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "plain"])
async def test_a_dead_letter_is_read_and_put_back(window: Window, tenant: Tenant, fleet: Fleet, scripts: bool) -> None:
    user_id = (await tenant.api.data("GET", "/sms/providers"))[0]["userId"]
    number = "+4915112345678"
    request = {"type": "SendRequested", "requestId": uuid4().hex, "userId": user_id, "address": number}
    letter = await put_aside(fleet.kafka, user_id, json.dumps(request).encode())
    async with window(scripts=scripts) as watched:
        await watched.go("/notification/dead-letters")
        page, main = watched.page, watched.page.locator("main")
        await page.get_by_label("Part of the reason").fill("no such reason")
        await watched.press("Show")
        await expect(main).to_contain_text("Nothing matches")
        await page.get_by_label("Part of the reason").fill("eventid")
        await watched.press("Show")
        await page.locator(f"tbody a[href$='{letter.replace(':', '%3A')}']").click()
        await expect(main).to_contain_text("Mend that program")
        await expect(main).to_contain_text(request["requestId"])
        assert number not in await page.content()
        await watched.press("Put it back")
        await expect(main).to_contain_text("cannot be taken back")
        await watched.press("Put it back")
        await expect(page.get_by_role("status")).to_contain_text("It is put back")
        await expect(page).to_have_url(re.compile("/notification/dead-letters$"))
        await watched.go(f"/notification/dead-letters/{letter}")
        await expect(main).to_contain_text("may have been put back")
        watched.complaints.clear()
        assert await watched.go("/notification/dead-letters?since=yesterday") == 422
        await expect(main).to_contain_text("choose a day")


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "plain"])
async def test_a_number_is_shown_in_full_to_who_asks_for_it(window: Window, tenant: Tenant, scripts: bool) -> None:
    customer = (await tenant.api.data("GET", "/customers/C0000001"))["phoneNumber"]
    at = f"/sms/campaigns/{tenant.campaigns['sms']}/recipients"
    recipient = (await tenant.api.data("GET", f"{at}?limit=1"))[0]
    async with window(scripts=scripts) as watched:
        for place, number, whose in (
            ("/customers/C0000001", customer, "C0000001"),
            (f"{at}/{recipient['id']}", recipient["phoneNumber"], recipient["customerId"]),
        ):
            await watched.go(f"/notification{place}")
            assert number not in await watched.page.content()
            await watched.press("Show the number")
            await expect(watched.page.locator("main")).to_contain_text(number)
            newest = (await deeds(tenant))[0]
            assert (newest["action"], newest["resourceId"]) == ("show address", whose)
            assert newest["actor"]["name"] == tenant.email
            assert number not in json.dumps(newest)
            await watched.go(f"/notification{place}/reveal")
            await expect(watched.page).to_have_url(f"{tenant.url}/notification{place}")


async def test_a_viewer_is_offered_no_number_and_no_file(window: Window, tenant: Tenant) -> None:
    email = f"vera-{uuid4().hex[:6]}@example.com"
    await add_person(tenant.api, email, "Vera", "viewer")
    async with window(email=email) as watched:
        await watched.go("/notification/customers/C0000001")
        await expect(watched.page.get_by_role("button", name="Show the number")).to_have_count(0)
        await watched.go(f"/notification/sms/campaigns/{tenant.campaigns['sms']}/recipients")
        await expect(watched.page.get_by_role("link", name="Get all as a file")).to_have_count(0)
        assert await watched.go("/notification/dead-letters") == 403


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "plain"])
async def test_settings_are_saved_or_say_what_is_wrong(window: Window, tenant: Tenant, scripts: bool) -> None:
    name = f"Acme {uuid4().hex[:6]}"
    async with window(scripts=scripts) as watched:
        await watched.go("/notification/settings")
        page = watched.page
        await page.get_by_label("Name of your business").fill(name)
        await page.get_by_label("Requests a minute").fill("none")
        await watched.press("Save")
        await expect(page.get_by_label("Requests a minute")).to_have_attribute("aria-invalid", "true")
        await expect(page.get_by_label("Name of your business")).to_have_value(name)
        await page.get_by_label("Requests a minute").fill("999999999")
        await watched.press("Save")
        await expect(page.locator("#f-requestsPerMinute-error")).to_contain_text("the operator allows at most")
        await page.get_by_label("Requests a minute").fill("")
        await watched.press("Save")
        await expect(page.get_by_role("status")).to_contain_text("Saved")
        await expect(page.get_by_label("Requests a minute")).not_to_have_value("")
    settings = await tenant.api.data("GET", "/settings")
    assert (settings["businessName"], settings["approvalAbove"]) == (name, None)


async def test_an_account_that_is_being_sent_with_is_kept(window: Window, tenant: Tenant) -> None:
    account = {
        "providerName": "Silent",
        "providerType": "twilio",
        "accountSid": f"AC{uuid4().hex}",
        "apiSecret": "secret",
        "phoneNumber": "+15005550006",
        "config": {"baseUrl": "http://127.0.0.1:9"},
    }
    account_id = (await tenant.api.data("POST", "/sms/providers", account))["id"]
    campaign_id = await create_campaign(tenant.api, "sms", account_id)
    await tenant.api.data("POST", f"/sms/campaigns/{campaign_id}/send")

    async def is_under_way() -> bool:
        shown = await tenant.api.data("GET", f"/sms/campaigns/{campaign_id}")
        return shown["waitingReason"] not in (None, "expanding")

    await until(is_under_way)
    async with window() as watched:
        await watched.go(f"/notification/sms/providers/{account_id}/delete")
        await watched.press("Delete for good")
        await expect(watched.page.get_by_role("alert")).to_contain_text(campaign_id)
        watched.complaints.clear()
    await tenant.api.data("POST", f"/sms/campaigns/{campaign_id}/cancel")


async def test_the_audit_log_speaks_in_words(window: Window, tenant: Tenant) -> None:
    template = await tenant.api.data(
        "POST", "/sms/templates", {"templateName": "Spring sale", "content": "Acme: hello. Reply STOP to opt out."}
    )
    await tenant.api.data("PATCH", f"/sms/templates/{template['id']}", {"description": "x"})
    async with window() as watched:
        await watched.go("/notification/audit?resourceType=sms/templates")
        row = watched.page.locator("tbody tr").first
        await expect(row).to_contain_text("changed the SMS template Spring sale")
        await expect(row).to_contain_text(re.compile("^The program “"))
        await expect(row.get_by_text("PATCH /sms/templates/{id}")).to_be_hidden()
        await row.get_by_text("As it is written down").click()
        await expect(row.get_by_text("PATCH /sms/templates/{id}")).to_be_visible()
        await row.get_by_role("link", name="Spring sale").click()
        await expect(watched.page.get_by_label("Name", exact=True)).to_have_value("Spring sale")
        await tenant.api.ask("DELETE", f"/sms/templates/{template['id']}")
        await watched.go("/notification/audit")
        await expect(watched.page.locator("tbody tr").first).to_contain_text("that is no longer there")


async def test_what_was_done_to_customers_includes_files_of_them(window: Window, tenant: Tenant) -> None:
    async with window() as watched:
        await watched.go("/notification/audit?resourceType=customers")
        await expect(watched.page.locator("tbody")).to_contain_text("added or changed customers by a file")


async def test_a_key_is_changed_after_a_page_that_says_what_it_means(window: Window, tenant: Tenant) -> None:
    name = f"Shop {uuid4().hex[:6]}"
    made = await tenant.api.data("POST", "/api-keys", {"name": name, "scopes": ["read"]})
    async with window() as watched:
        main = watched.page.locator("main")
        for link, warning, button, done in (
            (f"New secret for {name}", "shown once", "Make the new secret", "Copy the key now"),
            (f"Revoke {name}", "cannot be undone", "Revoke for good", "The key is revoked"),
        ):
            await watched.go("/notification/api-keys")
            await watched.press(link)
            await expect(main).to_contain_text(warning)
            await watched.press(button)
            await expect(watched.page.get_by_role("status")).to_contain_text(done)
        assert await watched.go(f"/notification/api-keys/{made['id']}/revoke") == 404


async def test_who_chose_a_password_is_told_so(window: Window, tenant: Tenant) -> None:
    body = {"email": f"eve-{uuid4().hex[:6]}@example.com", "name": "Eve", "role": "viewer"}
    invitation = (await tenant.api.data("POST", "/users", body))["invitation"]
    async with window(email=None) as watched:
        await watched.go(urlsplit(invitation["url"]).path)
        await watched.page.get_by_label("New password").fill(PASSWORD)
        await watched.press("Set the password")
        await expect(watched.page.get_by_role("status")).to_contain_text("Your password is saved")


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "plain"])
async def test_a_test_that_is_refused_keeps_its_page_and_what_was_typed(
    window: Window, tenant: Tenant, scripts: bool
) -> None:
    body = {"campaignName": "Tried", "templateId": tenant.templates["sms"], "providerId": tenant.accounts["sms"]}
    draft = await tenant.api.data("POST", "/sms/campaigns", body | {"audienceFilter": {"all": []}})
    at = f"/notification/sms/campaigns/{draft['id']}/review"
    async with window(scripts=scripts) as watched:
        await watched.go(at)
        field = watched.page.get_by_label("Send a test to")
        while not scripts and not await field.count():
            await watched.press("Look again")
        await field.fill("+49 not a number")
        await watched.press("Send the test")
        await expect(watched.page.get_by_role("alert")).to_contain_text("Nothing was sent")
        await expect(watched.page).to_have_url(tenant.url + at)
        await expect(field).to_have_value("+49 not a number")
        await expect(field).to_have_attribute("aria-invalid", "true")
        await watched.go(at.replace("review", "send"))
        await expect(watched.page).to_have_url(tenant.url + at)


async def test_a_country_by_its_name_gets_a_hint(window: Window, tenant: Tenant) -> None:
    draft = await tenant.api.data(
        "POST", "/sms/campaigns", {"campaignName": "Hint", "templateId": tenant.templates["sms"]}
    )
    async with window() as watched:
        await watched.go(f"/notification/sms/campaigns/{draft['id']}/audience")
        await watched.page.get_by_label("What").select_option("country")
        await watched.page.get_by_label("Value").fill("Germany")
        await expect(watched.page.locator("#choosing")).to_contain_text("such as DE for Germany")
        await watched.page.get_by_label("Value").fill("DE")
        await expect(watched.page.locator("#choosing")).not_to_contain_text("such as DE for Germany")


async def test_an_import_that_says_nothing_of_consent_is_told_so(window: Window, tenant: Tenant, tmp_path) -> None:
    path = tmp_path / "people.csv"
    path.write_text(f"customerId,phoneNumber\n{uuid4().hex[:6]},+4915112345670\n")
    async with window() as watched:
        await watched.go("/notification/customers/import")
        await expect(watched.page.locator("main")).to_contain_text("count as having agreed")
        await watched.page.get_by_label("File").set_input_files(path)
        await watched.press("Import")
        await expect(watched.page.locator("main")).to_contain_text("1 left out smsOptedIn or marketingOptedIn")


@pytest.mark.parametrize("scripts", [True, False])
async def test_a_workbook_is_refused_as_an_error(window: Window, tenant: Tenant, tmp_path, scripts: bool) -> None:
    path = tmp_path / "people.xlsx"
    path.write_bytes(b"PK\x03\x04 and what a zip archive holds")
    async with window(scripts=scripts) as watched:
        await watched.go("/notification/customers/import")
        await watched.page.get_by_label("File").set_input_files(path)
        await watched.press("Import")
        await expect(watched.page.get_by_role("alert")).to_contain_text("save it as “CSV UTF-8”")
        await expect(watched.page.locator("[data-progress]")).to_be_hidden()


async def test_a_filter_goes_on_as_json(window: Window, tenant: Tenant) -> None:
    draft = await tenant.api.data(
        "POST", "/sms/campaigns", {"campaignName": "JSON", "templateId": tenant.templates["sms"]}
    )
    async with window() as watched:
        await watched.go(f"/notification/sms/campaigns/{draft['id']}/audience")
        await watched.page.get_by_label("What").select_option("attributes.plan")
        await watched.page.get_by_label("Value").fill("pro")
        await watched.page.get_by_label("People", exact=True).select_option("expert")
        await expect(watched.page.get_by_label("Filter")).to_have_value(
            re.compile('"attributes.plan".*"pro"', re.DOTALL)
        )
        await expect(watched.page.get_by_role("alert")).to_have_count(0)


async def test_the_docs_are_small_and_lead_to_every_operation(window: Window, tenant: Tenant) -> None:
    async with tenant.api.session.get(f"{tenant.url}/openapi.json") as answer:
        document = await answer.json()
    async with window(email=None, scripts=False) as watched:
        assert await watched.go("/docs") == 200
        links = await watched.page.locator("main .items a").evaluate_all(
            "all => all.map((one) => one.getAttribute('href'))"
        )
        names = {one["operationId"] for path in document["paths"].values() for one in path.values()}
        assert {link.partition("#")[2] for link in links} == names
        for tag in document["tags"]:
            assert await watched.go(f"/docs/{tag['name']}") == 200
            assert len((await watched.page.content()).encode()) <= PAGE_BYTES_MAX
            missing = await watched.page.evaluate(
                "[...document.querySelectorAll('main a[href^=\"#\"]')].map((one) => one.getAttribute('href').slice(1))"
                ".filter((id) => !document.getElementById(id))"
            )
            assert missing == []
        assert watched.elsewhere == []
        assert watched.complaints == []


async def test_a_person_is_deactivated_only_after_a_question(window: Window, tenant: Tenant) -> None:
    email = f"dan-{uuid4().hex[:6]}@example.com"
    await add_person(tenant.api, email, "Dan", "viewer")

    async def is_active() -> bool:
        people = await tenant.api.data("GET", "/users")
        return bool(next(one["isActive"] for one in people if one["email"] == email))

    async with window() as watched:
        await watched.go("/notification/users")
        own = watched.page.locator("main li", has_text=email)
        await own.get_by_role("link", name="Deactivate Dan").click()
        await expect(watched.page.locator("main")).to_contain_text(f"{email} is signed out everywhere")
        assert await is_active()
        await watched.press("Deactivate")
        await expect(own).to_contain_text("deactivated")
        assert not await is_active()
