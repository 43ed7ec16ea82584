"""Browser windows that remember what they asked for and complained about."""

from __future__ import annotations

import contextlib
import re
import shutil
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import (
    Browser,
    ConsoleMessage,
    Locator,
    Page,
    Request,
    Response,
    async_playwright,
    expect,
)

from deploy.local.state import ROOT

PASSWORD = "correct horse battery staple"
ZONE = "Europe/Berlin"
WAIT_MS = 30_000
RELOAD_MS = 1_000
"""After so long somebody without scripts loads a page again."""

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


@contextlib.asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """The Chromium of this machine, without a screen."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    assert found, "Chromium is missing: apt install chromium (make tests does it as root on Debian)"
    expect.set_options(timeout=WAIT_MS)
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=found, args=list(FLAGS))
        yield started
        await started.close()


@dataclass(slots=True)
class Watched:
    """A browser window, with everything that it asked for and complained about; `status` is the last page's."""

    page: Page
    url: str
    scripts: bool = True
    status: int = 0
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

    async def visit(self, name: str) -> None:
        """A place by its name in the menu, which a narrow window opens first."""
        summary = self.page.locator(".menu > summary")
        if await summary.is_visible():
            await summary.click()
        await self.page.locator(".side nav a:visible").get_by_text(name, exact=True).click()

    async def until(self, wanted: Locator, words: str | re.Pattern[str], seconds: float = WAIT_MS / 1_000) -> None:
        """The words stand there in time; where no script keeps the page current, it is loaded again meanwhile."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                wait_ms = 1_000 * seconds if self.scripts else RELOAD_MS
                await expect(wanted).to_contain_text(words, timeout=wait_ms)
            except AssertionError:
                if self.scripts or time.monotonic() > deadline:
                    raise
                await self.page.reload()
            else:
                return

    async def press(self, name: str) -> None:
        """A button or link by its words."""
        await (
            self.page.locator("main")
            .get_by_role("button", name=name)
            .or_(self.page.locator("main").get_by_role("link", name=name))
            .first.click()
        )


@contextlib.asynccontextmanager
async def open_window(
    browser: Browser, url: str, email: str | None, scheme: Any = "light", width: int = 1280, scripts: bool = True
) -> AsyncIterator[Watched]:
    """A window of its own, in which somebody is signed in."""
    context = await browser.new_context(
        color_scheme=scheme,
        viewport={"width": width, "height": 860},
        java_script_enabled=scripts,
        timezone_id=ZONE,
        reduced_motion="reduce",
    )
    context.set_default_timeout(WAIT_MS)
    watched = Watched(await context.new_page(), url, scripts)

    def asked(request: Request) -> None:
        watched.requests.append(request.url)

    def answered(response: Response) -> None:
        if response.request.is_navigation_request():
            watched.status = response.status

    def said(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            watched.complaints.append(message.text)

    watched.page.on("request", asked)
    watched.page.on("response", answered)
    watched.page.on("console", said)
    watched.page.on("pageerror", lambda error: watched.complaints.append(str(error)))
    if email is not None:
        await watched.sign_in(email)
        await watched.page.wait_for_url("**/notification")
    yield watched
    await context.close()
