"""Every page, looked at: is it whole, small, quiet, accessible, and does it fit?"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from axe_playwright_python.async_playwright import Axe

from tests.browser.tenants import Tenant
from tests.browser.windows import SCREENSHOTS, Watched

PAGE_BYTES_MAX = 100_000
SERIOUS = ("serious", "critical")
OVERHANG = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
FIRST_PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0"
MISSING = "missing"

PAGES = {
    "dashboard": "/notification",
    "sms-campaigns": "/notification/sms/campaigns",
    "push-campaigns": "/notification/push/campaigns",
    "campaign": "/notification/sms/campaigns/{sms}",
    "push-campaign": "/notification/push/campaigns/{push}",
    "recipients": "/notification/sms/campaigns/{sms}/recipients",
    "recipient": "/notification/sms/campaigns/{sms}/recipients/{recipient}",
    "events": "/notification/sms/campaigns/{sms}/events?type=delivered",
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
    "before-deactivating": "/notification/users/{person}/deactivate",
    "api-keys": "/notification/api-keys",
    "before-revoking": "/notification/api-keys/{key}/revoke",
    "settings": "/notification/settings",
    "audit": "/notification/audit",
    "dead-letters": "/notification/dead-letters",
    "dead-letter": "/notification/dead-letters/{letter}",
    "before-putting-back": "/notification/dead-letters/{letter}/redrive",
    "docs": "/docs",
    "docs-of-campaigns": "/docs/campaigns",
    "missing": "/notification/nowhere",
}
"""By the name of the screenshot; what stands in braces is looked up."""


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen of a page."""

    name: str
    status: int
    page_bytes: int
    overhang_px: int
    first_paint_ms: int
    violations: list[str]
    complaints: list[str]

    @property
    def holds(self) -> bool:
        """Whether there is nothing to complain about."""
        is_there = self.status == (404 if self.name == MISSING else 200)
        is_small = self.page_bytes <= PAGE_BYTES_MAX and self.overhang_px <= 0
        return is_there and is_small and not self.violations and not self.complaints


async def places_of(tenant: Tenant) -> dict[str, str]:
    """What the addresses name."""
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
    templates = {f"{channel}_template": template for channel, template in tenant.templates.items()}
    key = await tenant.api.data("POST", "/api-keys", {"name": "Shop", "scopes": ["read"]})
    single = {
        "key": key["id"],
        "person": (await tenant.api.data("GET", "/users"))[0]["id"],
        "recipient": recipients[0]["id"],
        "draft": draft["id"],
        "account": tenant.accounts["sms"],
        "letter": tenant.letter,
    }
    return tenant.campaigns | templates | single


async def look_at_all(watched: Watched, places: dict[str, str], kind: str) -> AsyncIterator[Look]:
    """Each page in turn."""
    for name, address in PAGES.items():
        await watched.go(address.format(**places))
        yield await look_at(watched, name, kind)


async def look_at(watched: Watched, name: str, kind: str) -> Look:
    """The page in the window, and what it has complained about since the last look; a picture of it stays in
    `.local/screenshots`. The accessibility checker is a script: without scripts it does not look."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page = watched.page
    size = len((await page.content()).encode())
    overhang, paint = await page.evaluate(OVERHANG), await page.evaluate(FIRST_PAINT)
    found = (await Axe().run(page)).response["violations"] if watched.scripts else []
    violations = [f"{one['id']} at {one['nodes'][0]['target']}" for one in found if one["impact"] in SERIOUS]
    complaints = [one for one in watched.complaints if name != MISSING or "404" not in one]
    watched.complaints.clear()
    await page.screenshot(path=SCREENSHOTS / f"{name}-{kind}.png", full_page=True)
    return Look(name, watched.status, size, overhang, round(paint), violations, complaints)
