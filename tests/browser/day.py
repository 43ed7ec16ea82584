"""A marketer's day, step by step: from signing in to why one person was skipped. Each step leaves a page to look at.

The proof lives it large and in many kinds of windows, the tests small.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from playwright.async_api import Browser, expect

from deploy.local.fleet import Fleet
from tests.browser.keyboard import Keyboard
from tests.browser.looking import Look, look_at
from tests.browser.shops import COUNTRIES, LEFT_OUT, PLANS, Shop, open_shop
from tests.browser.windows import Watched, open_window
from tests.waiting import until

LEAD_SECONDS = 60
"""Between asking for a time and that time, for somebody to approve it; a time is a whole minute."""

BUSY_SECONDS = 120.0
"""For what takes moments, on a machine that is busy."""

TEXT = "Acme: hi {{firstName|there}}, early access opens at 8 in {{attributes.city}}. Reply STOP to opt out"
NUMBER = re.compile(r"[\d,]+")


class Kind(NamedTuple):
    """A kind of window."""

    scheme: str
    width: int
    scripts: bool = True

    @property
    def name(self) -> str:
        """As in the names of pictures."""
        return f"{self.scheme}-{self.width}{'' if self.scripts else '-plain'}"


class Step(NamedTuple):
    """A page to look at."""

    name: str
    watched: Watched


Steps = AsyncIterator[Step]


@dataclass(slots=True)
class Day:
    """The shop, its two people's windows, and what has come of the day so far."""

    shop: Shop
    marketer: Watched
    approver: Watched
    seconds: float
    name: str = "Early access"
    path: str = ""
    skipped: str = ""

    @property
    def campaign_id(self) -> str:
        """Of the campaign that the marketer has made."""
        return self.path.rpartition("/")[2]


@dataclass(slots=True)
class Lived:
    """What was seen on a day, what became of everybody, and what was asked of other hosts."""

    looks: list[Look] = field(default_factory=list)
    accounting: dict[str, Any] = field(default_factory=dict)
    elsewhere: list[str] = field(default_factory=list)


async def live_a_day(
    fleet: Fleet,
    browser: Browser,
    folder: Path,
    kind: Kind,
    customers: int,
    seconds: float,
    seed: int,
    turn: asyncio.Lock,
) -> Lived:
    """The whole day of a new shop in one kind of windows; fails where a step does not come to what it should. Of days
    that are lived at once, each waits for its turn to prepare its campaign."""
    lived = Lived()

    async def look(day: Day, chapters: Sequence[Callable[[Day], Steps]]) -> None:
        for chapter in chapters:
            async for step in chapter(day):
                name = f"day-{len(lived.looks) + 1:02}-{step.name}"
                lived.looks.append(await look_at(step.watched, name, kind.name))

    async with AsyncExitStack() as open_until_night:
        async with turn:
            shop = await open_until_night.enter_async_context(
                open_shop(fleet, folder / kind.name, customers, seconds, seed)
            )
            windows = [
                await open_until_night.enter_async_context(open_window(browser, shop.url, None, *kind))
                for _ in range(2)
            ]
            day = Day(shop, *windows, seconds)
            await look(day, (prepare, choose, forecast, agree))
        await look(day, (run, account, by_keyboard) if kind.scripts else (run, account))
        lived.accounting = await shop.api.data("GET", f"{_api(day)}/accounting")
        lived.elsewhere = [one for watched in windows for one in watched.elsewhere]
    return lived


async def number_in(watched: Watched, selector: str) -> int:
    """The first number that stands there."""
    return int(NUMBER.findall(await watched.page.locator(selector).inner_text())[0].replace(",", ""))


async def said(watched: Watched, words: str) -> None:
    """What the page says about the last action."""
    await expect(watched.page.locator("main").get_by_role("status").first).to_contain_text(words)


async def prepare(day: Day) -> Steps:
    """Signs in, writes a text, brings customers in."""
    shop, at = day.shop, day.marketer
    page = at.page
    await at.sign_in(shop.marketer)
    await expect(page.get_by_role("heading", level=1)).to_have_text("Notifications")
    yield Step("morning", at)
    await at.visit("SMS templates")
    await at.press("New template")
    await page.get_by_label("Name", exact=True).fill(day.name)
    await page.get_by_label("Text", exact=True).fill(TEXT)
    await at.press("Save")
    await said(at, "The template is saved")
    yield Step("template", at)
    await at.visit("Customers")
    await at.press("Import a file")
    await page.get_by_label("File").set_input_files(shop.visitors.path)
    yield Step("before-importing", at)
    await page.locator("main").get_by_role("button", name="Import").click()
    await at.until(page.locator("#imported"), f"{shop.visitors.imported:,}", BUSY_SECONDS)
    assert await number_in(at, "#rejected") == shop.visitors.rejected
    yield Step("imported", at)


async def choose(day: Day) -> Steps:
    """Makes a campaign, and chooses who gets it while their number is shown."""
    shop, at = day.shop, day.marketer
    page = at.page
    await at.visit("SMS campaigns")
    await at.press("New SMS campaign")
    await page.get_by_label("Name", exact=True).fill(day.name)
    await page.get_by_label("Template").select_option(label=day.name)
    yield Step("campaign", at)
    await at.press("Save and choose who gets it")
    for line, (name, values) in enumerate((("country", COUNTRIES), ("attributes.plan", PLANS))):
        if line:
            await at.press("Add a condition")
        await page.get_by_label("What").nth(line).select_option(name)
        await page.get_by_label("How").nth(line).select_option("in")
        await page.get_by_label("Value").nth(line).fill(", ".join(values))
        if not at.scripts:
            await at.press("Count again")
    count = (await shop.api.data("POST", "/audience/preview", {"audienceFilter": shop.audience_filter}))["count"]
    await expect(page.locator("#found")).to_have_text(f"{count:,}")
    yield Step("audience", at)
    await at.press("Save and check")
    day.path = page.url.removeprefix(shop.url).removesuffix("/review")


async def forecast(day: Day) -> Steps:
    """Sees what will happen, tries the text on one customer, and asks for a time, while somebody is there who may
    approve it."""
    shop, at = day.shop, day.marketer
    page = at.page
    await at.until(page.locator("#recipients"), NUMBER, BUSY_SECONDS)
    found = await shop.api.data("POST", f"{_api(day)}/forecast")
    recipients = await number_in(at, "#recipients")
    assert recipients == found["recipients"] == found["audience"] - sum(found["exclusions"].values())
    main = page.locator("main")
    missing = f"{found['missingVariables']['attributes.city']:,} have none"
    for words in (missing, f"through {shop.account}", "Somebody else approves it first"):
        await expect(main).to_contain_text(words)
    yield Step("forecast", at)
    await at.press("With missing data")
    await expect(page.locator(".bubble")).to_contain_text("{{attributes.city}}")
    await at.press("In another alphabet")
    await expect(page.locator(".bubble")).to_contain_text("Şişli")
    yield Step("another-alphabet", at)
    await page.get_by_label("Send a test to").fill(found["outliers"]["next"]["customerId"])
    await at.press("Send the test")
    await said(at, "The test goes to 1 of 1")
    await day.approver.sign_in(shop.approver)
    typed = page.get_by_label("Type the number of people")
    if await typed.is_visible():
        await typed.fill(f"{recipients:,}")
    moment = page.get_by_label("Day and time in")
    zone = (await page.locator("label", has_text="Day and time in").inner_text()).rpartition(" ")[2]
    goes_out = datetime.now(ZoneInfo(zone)) + timedelta(seconds=LEAD_SECONDS, minutes=1)
    await moment.fill(goes_out.strftime("%Y-%m-%dT%H:%M"))
    await at.press("Schedule")
    await said(at, "Somebody else has to approve")


async def agree(day: Day) -> Steps:
    """A second person looks, and lets it go."""
    at = day.approver
    await at.visit("Approvals")
    wanted = at.page.locator("main li", has_text=day.name)
    await expect(wanted).to_contain_text("asked for by")
    await wanted.get_by_role("button", name="Approve").click()
    await said(at, "Approved")
    await at.page.locator("main").get_by_role("link", name="All").click()
    yield Step("approved", at)
    await at.go(day.path)
    await at.until(at.page.locator("main .badge").first, re.compile("Scheduled|Sending"))
    yield Step("scheduled", at)


async def run(day: Day) -> Steps:
    """Watches it go, stops it, takes out somebody who rings just then, and lets it go on."""
    at, page = day.marketer, day.marketer.page
    badge = page.locator("main .badge").first
    await at.go(day.path)
    await at.until(badge, "Sending", BUSY_SECONDS)
    await at.until(page.locator("#pace"), "a second", BUSY_SECONDS)
    await expect(page.locator("#end time")).to_be_visible()
    await at.until(page.locator(".curve"), re.compile(r"\d"), BUSY_SECONDS)
    yield Step("sending", at)
    await at.press("Pause…")
    await expect(page.locator("main .card")).to_contain_text("cannot be taken back")
    yield Step("before-pausing", at)
    await at.press("Pause now")
    await at.until(badge, "Paused")
    yield Step("paused", at)
    await at.press("Recipients")
    await page.get_by_label("Status").select_option(label="Waiting")
    await at.press("Show")
    yield Step("who-waits", at)
    await page.locator("tbody a").first.click()
    await page.locator("dt:text('Customer') + dd a").click()
    day.skipped = page.url.rpartition("/")[2]
    await page.get_by_label("Marketing").uncheck()
    await at.press("Save")
    await said(at, "Saved")
    yield Step("left-meanwhile", at)
    await at.go(day.path)
    await at.press("Resume…")
    await expect(page.locator("main .card")).to_contain_text("Whoever opted out meanwhile is left out")
    yield Step("before-resuming", at)
    await at.press("Resume now")
    await at.until(badge, "Sending")
    loads = at.requests.count(page.url)
    await at.until(badge, "Sent", day.seconds + BUSY_SECONDS)
    assert not at.scripts or at.requests.count(page.url) == loads, "a page that is live is not loaded again"


async def account(day: Day) -> Steps:
    """Reads the books, and sees why one was skipped and another left out."""
    shop, at = day.shop, day.marketer
    page = at.page

    async def numbers_agree() -> bool:
        """The parts on the page add up to its audience, and are those of the API."""
        texts = await page.locator("[aria-labelledby=everyone] .legend b").all_inner_texts()
        *parts, audience = [int(text.replace(",", "")) for text in texts]
        found = await shop.api.data("GET", f"{_api(day)}/accounting")
        if not at.scripts:
            await page.reload()
        is_same = (parts[0], audience) == (found["accepted"]["delivered"], found["audience"])
        return is_same and sum(parts) == audience and found["balanced"]

    await until(numbers_agree, BUSY_SECONDS)
    for words in ("the numbers add up", "opted out", "a value for the text is missing"):
        await expect(page.locator("main")).to_contain_text(words)
    yield Step("accounted", at)
    await at.press("Events")
    await page.get_by_label("What").select_option(label="Delivered")
    await at.press("Show")
    await expect(page.locator("tbody tr").first).to_contain_text("Delivered")
    yield Step("events", at)
    for customer, words, name in (
        (LEFT_OUT["customerId"], "Left out: opted out", "why-left-out"),
        (day.skipped, f"In “{day.name}”", "why-in"),
    ):
        await at.go(f"{day.path}/recipients")
        await page.get_by_label("Customer number").fill(customer)
        await at.press("Explain why")
        await expect(page.locator("main .head")).to_contain_text(words)
        yield Step(name, at)
    await page.locator("section", has=page.get_by_role("heading", name="Messages")).get_by_role("link").first.click()
    await expect(page.locator(".story")).to_contain_text("Skipped: opted out")
    yield Step("why-skipped", at)
    await at.visit("Dashboard")
    await expect(page.locator("main")).to_contain_text(day.name)
    yield Step("evening", at)


async def by_keyboard(day: Day) -> Steps:
    """The steps that make a campaign once more, without a mouse."""
    at, keys = day.marketer, Keyboard(day.marketer.page)
    await at.go("/notification/sms/campaigns/new")
    await keys.fill("Name", "Without a mouse")
    await keys.fill("Template", day.name)
    await keys.press("Save and choose who gets it")
    await keys.fill("What", "Country")
    await keys.fill("Value", COUNTRIES[0])
    await expect(at.page.locator("#found")).to_have_text(NUMBER)
    yield Step("keyboard-audience", at)
    await keys.press("Save and check")
    await at.until(at.page.locator("#recipients"), NUMBER, BUSY_SECONDS)
    recipients = await number_in(at, "#recipients")
    if await (typed := at.page.get_by_label("Type the number of people")).is_visible():
        await keys.reach(typed)
        await at.page.keyboard.type(str(recipients))
    await keys.press("Send now to")
    await said(at, "Somebody else has to approve")
    yield Step("keyboard-sent", at)


def _api(day: Day) -> str:
    return f"/sms/campaigns/{day.campaign_id}"
