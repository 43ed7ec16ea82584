"""What holds for every page: it is whole, small, quiet, accessible, and right on a phone and in the dark."""

from __future__ import annotations

import pytest
from axe_playwright_python.async_playwright import Axe

from tests.browser.conftest import SCREENSHOTS, Tenant, Window

PAGE_BYTES_MAX = 100_000
NARROWEST = 320
OVERHANG = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
SERIOUS = ("serious", "critical")

PAGES = {
    "dashboard": "/notification",
    "sms-campaigns": "/notification/sms/campaigns",
    "push-campaigns": "/notification/push/campaigns",
    "campaign": "/notification/sms/campaigns/{sms}",
    "push-campaign": "/notification/push/campaigns/{push}",
    "recipients": "/notification/sms/campaigns/{sms}/recipients",
    "recipient": "/notification/sms/campaigns/{sms}/recipients/{recipient}",
    "why": "/notification/sms/campaigns/{sms}/explain?customer=C0000001",
    "before-copying": "/notification/sms/campaigns/{sms}/clone",
    "new-campaign": "/notification/sms/campaigns/new",
    "draft": "/notification/sms/campaigns/{draft}",
    "audience": "/notification/sms/campaigns/{draft}/audience",
    "review": "/notification/sms/campaigns/{draft}/review",
    "sms-templates": "/notification/sms/templates",
    "sms-template": "/notification/sms/templates/{sms_template}",
    "push-template": "/notification/push/templates/{push_template}",
    "before-deleting": "/notification/push/templates/{push_template}/delete",
    "providers": "/notification/providers",
    "provider": "/notification/sms/providers/{account}",
    "new-provider": "/notification/push/providers/new?vendor=apns",
    "customers": "/notification/customers",
    "customer": "/notification/customers/C0000001",
    "before-erasing": "/notification/customers/C0000001/erase",
    "import": "/notification/customers/import",
    "account": "/notification/account",
    "approvals": "/notification/approvals?state=",
    "users": "/notification/users",
    "api-keys": "/notification/api-keys",
    "settings": "/notification/settings",
    "audit": "/notification/audit",
    "missing": "/notification/nowhere",
}
"""By the name of the screenshot; what stands in braces is looked up."""


@pytest.fixture(scope="session")
def places() -> dict[str, str]:
    """What the addresses name, kept for the run."""
    return {}


async def address_of(name: str, tenant: Tenant, places: dict[str, str]) -> str:
    if not places:
        recipients = await tenant.api.data("GET", f"/sms/campaigns/{tenant.campaigns['sms']}/recipients?limit=1")
        draft = await tenant.api.data(
            "POST",
            "/sms/campaigns",
            {
                "campaignName": "Back in stock: trail shoes",
                "templateId": tenant.templates["sms"],
                "providerId": tenant.accounts["sms"],
                "audienceFilter": {"all": [{"field": "country", "op": "eq", "value": "DE"}]},
            },
        )
        places |= tenant.campaigns
        places |= {f"{channel}_template": template for channel, template in tenant.templates.items()}
        places |= {"recipient": recipients[0]["id"], "draft": draft["id"], "account": tenant.accounts["sms"]}
    return PAGES[name].format(**places)


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", NARROWEST)])
async def test_pages_are_whole(window: Window, tenant: Tenant, places: dict[str, str], scheme: str, width: int) -> None:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    faults = []
    async with window(scheme=scheme, width=width) as watched:
        for name in PAGES:
            watched.complaints.clear()
            path = await address_of(name, tenant, places)
            status = await watched.go(path)
            expected = 404 if name == "missing" else 200
            size = len((await watched.page.content()).encode())
            wide = await watched.page.evaluate(
                "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            )
            found = (await Axe().run(watched.page)).response["violations"]
            serious = [f"{one['id']} at {one['nodes'][0]['target']}" for one in found if one["impact"] in SERIOUS]
            complaints = [one for one in watched.complaints if "status of 404" not in one]
            await watched.page.screenshot(path=SCREENSHOTS / f"{name}-{scheme}-{width}.png", full_page=True)
            if status != expected or size > PAGE_BYTES_MAX or wide > 0 or serious or complaints:
                faults.append((name, status, size, wide, serious, complaints))
        assert watched.elsewhere == []
    assert faults == []


async def test_the_pages_say_who_may_load_what(tenant: Tenant) -> None:
    async with tenant.api.session.get(f"{tenant.url}/notification/sign-in") as answer:
        policy = answer.headers["Content-Security-Policy"]
        text = await answer.text()
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "style=" not in text
    assert "onclick=" not in text


async def test_files_are_kept_for_a_year_under_their_digest(tenant: Tenant) -> None:
    async with tenant.api.session.get(f"{tenant.url}/notification/sign-in") as answer:
        text = await answer.text()
    path = text.partition('rel="stylesheet" href="')[2].partition('"')[0]
    digest = path.split("/")[3]
    for changed, kept in ((path, "public, max-age=31536000, immutable"), (path.replace(digest, "0" * 16), "no-store")):
        async with tenant.api.session.get(tenant.url + changed) as answer:
            assert (answer.status, answer.headers["Cache-Control"]) == (200, kept)
    async with tenant.api.session.get(f"{tenant.url}/notification/static/{digest}/../app.py") as answer:
        assert answer.status == 404
