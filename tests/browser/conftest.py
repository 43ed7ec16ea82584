"""A real Chromium on the running fleet, and a tenant with something to look at."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, Request, async_playwright

from deploy.local.fleet import Fleet
from deploy.local.state import ROOT
from deploy.rehearsal import (
    create_accounts,
    create_campaign,
    create_tenant,
    import_customers,
    send_and_rest,
    write_customers,
)
from notify.client import Api, open_api

CUSTOMERS = 400
SEED = 11
PASSWORD = "correct horse battery staple"
ZONE = "Europe/Berlin"
WAIT_MS = 15_000
SCREENSHOTS = ROOT / ".local" / "screenshots"
NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@dataclass(frozen=True, slots=True)
class Tenant:
    """A tenant with accounts, customers and one finished campaign of each channel."""

    api: Api = field(repr=False)
    url: str
    user_id: str
    email: str
    accounts: dict[str, str]
    campaigns: dict[str, str]
    templates: dict[str, str]
    people: Path


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def tenant(fleet: Fleet, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Tenant]:
    url, user_id = fleet.url("gateway"), f"shop-{uuid4().hex[:8]}"
    people = write_customers(tmp_path_factory.mktemp("people") / "people.csv", CUSTOMERS, SEED)
    async with open_api(url, "") as anonymous:
        api = await create_tenant(fleet, lambda token: Api(anonymous.session, url, token), user_id)
        email = f"ada@{user_id}.example"
        await add_person(api, email, "Ada Lovelace", "admin")
        accounts = await create_accounts(api, fleet.url("provider_simulator"))
        await import_customers(api, people)
        campaigns = {name: await create_campaign(api, name, accounts[name]) for name in accounts}
        for name, campaign_id in campaigns.items():
            await send_and_rest(api, name, campaign_id)
        templates = {name: (await api.data("GET", f"/{name}/templates"))[0]["id"] for name in accounts}
        yield Tenant(api, url, user_id, email, accounts, campaigns, templates, people.path)


async def add_person(api: Api, email: str, name: str, role: str) -> None:
    await api.data("POST", "/users", {"email": email, "name": name, "role": role, "password": PASSWORD})


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    found = next(filter(None, map(shutil.which, NAMES)), None)
    assert found, "Chromium is missing: apt install chromium (make tests does it as root on Debian)"
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=found, args=list(FLAGS))
        yield started
        await started.close()


@dataclass(slots=True)
class Watched:
    """A browser window, with everything that it asked for and complained about."""

    page: Page
    url: str
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    @property
    def elsewhere(self) -> list[str]:
        """Requests that left for another host."""
        own = urlsplit(self.url).netloc
        return [one for one in self.requests if urlsplit(one).netloc not in (own, "")]

    async def go(self, path: str) -> int:
        """Opens a page; its status."""
        answer = await self.page.goto(self.url + path)
        assert answer is not None
        return answer.status

    async def sign_in(self, email: str, password: str = PASSWORD) -> None:
        """Through the form."""
        await self.go("/notification/sign-in")
        await self.page.get_by_label("E-mail address").fill(email)
        await self.page.get_by_label("Password").fill(password)
        await self.page.get_by_role("button", name="Sign in").click()

    async def press(self, name: str) -> None:
        """A button or link by its words."""
        await (
            self.page.locator("main")
            .get_by_role("button", name=name)
            .or_(self.page.locator("main").get_by_role("link", name=name))
            .first.click()
        )


Window = Callable[..., AbstractAsyncContextManager[Watched]]


@pytest.fixture
def window(browser: Browser, tenant: Tenant) -> Window:
    """`async with window(scheme="dark", width=400, scripts=False) as watched:` somebody is signed in there."""

    @contextlib.asynccontextmanager
    async def open_window(
        scheme: Any = "light", width: int = 1280, scripts: bool = True, email: str | None = tenant.email
    ) -> AsyncIterator[Watched]:
        context: BrowserContext = await browser.new_context(
            color_scheme=scheme,
            viewport={"width": width, "height": 860},
            java_script_enabled=scripts,
            timezone_id=ZONE,
            reduced_motion="reduce",
        )
        context.set_default_timeout(WAIT_MS)
        watched = Watched(await context.new_page(), tenant.url)

        def asked(request: Request) -> None:
            watched.requests.append(request.url)

        def said(message: ConsoleMessage) -> None:
            if message.type in ("error", "warning"):
                watched.complaints.append(message.text)

        watched.page.on("request", asked)
        watched.page.on("console", said)
        watched.page.on("pageerror", lambda error: watched.complaints.append(str(error)))
        if email is not None:
            await watched.sign_in(email)
            await watched.page.wait_for_url("**/notification")
        yield watched
        await context.close()

    return open_window
