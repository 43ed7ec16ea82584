"""A page without a mouse: the next stop by Tab, words by typing, buttons by Enter."""

from __future__ import annotations

from dataclasses import dataclass

from playwright.async_api import Locator, Page, expect

STOPS_MAX = 120
HAS_FOCUS = "element => element === document.activeElement"
FOCUS_IS_SEEN = "getComputedStyle(document.activeElement).outlineStyle !== 'none'"


@dataclass(frozen=True, slots=True)
class Keyboard:
    """What somebody can do who has nothing else."""

    page: Page

    async def reach(self, wanted: Locator) -> None:
        """Tab until it has the focus, which every stop on the way has to show."""
        await expect(wanted).to_have_count(1)
        for _ in range(STOPS_MAX):
            if await wanted.evaluate(HAS_FOCUS):
                return
            await self.page.keyboard.press("Tab")
            assert await self.page.evaluate(FOCUS_IS_SEEN), f"nobody sees the focus on the way to {wanted}"
        raise AssertionError(f"{wanted} is not reached within {STOPS_MAX} stops")

    async def fill(self, label: str, words: str) -> None:
        """A field, or an entry of a list by its first letters."""
        await self.reach(self.page.locator("main").get_by_label(label, exact=True))
        await self.page.keyboard.type(words)

    async def press(self, name: str) -> None:
        """A button, by its first words."""
        await self.reach(self.page.locator("main").get_by_role("button", name=name))
        await self.page.keyboard.press("Enter")
