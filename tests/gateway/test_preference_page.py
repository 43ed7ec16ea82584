"""The customer's own page and the links in messages, on the whole fleet."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import aiohttp
import pytest
import pytest_asyncio

from deploy.local.fleet import Fleet
from shared.links import PREFERENCES, TRACKED, LinkCodes, link_codes
from tests.gateway.conftest import Client
from tests.waiting import until

ONE_CLICK = {"List-Unsubscribe": "One-Click"}
PAGE_BYTES_MAX = 30_000
SHOP = "https://shop.example/sale"
OTHER = "A0"


def phone(number: int) -> str:
    return f"+49151{number:08d}"


@dataclass
class Shop:
    """A tenant whose customers have messages with links."""

    client: Client
    codes: LinkCodes
    campaign_id: str = ""

    async def launch(self, customers: int, rate: float | None = None, **template: Any) -> None:
        """Sends a campaign to so many new customers through the simulator."""
        people = [{"customerId": f"c{n}", "phoneNumber": phone(n), "firstName": "Ada"} for n in range(customers)]
        await self.ask("POST", "/customers", {"customers": people})
        account = {
            "providerName": "Ours",
            "providerType": "twilio",
            "accountSid": "AC1",
            "apiSecret": "secret",
            "phoneNumber": "+15005550006",
            "config": {"baseUrl": self.simulator, **({} if rate is None else {"ratePerSecond": rate})},
        }
        await self.ask("POST", "/sms/providers", account)
        texts = {"templateName": "Sale", "content": f"Hi! {SHOP} No more: {{{{unsubscribeUrl}}}}", **template}
        made = await self.ask("POST", "/sms/templates", texts)
        body = {"campaignName": "Sale", "templateId": made["id"], "audienceFilter": {"all": []}}
        self.campaign_id = (await self.ask("POST", "/sms/campaigns", body))["id"]
        await self.ask("POST", f"/sms/campaigns/{self.campaign_id}/send")

    simulator: str = ""

    async def ask(self, method: str, path: str, body: Any = None) -> Any:
        status, answer = await self.client(method, path, body)
        assert status in (200, 201), answer
        return answer["data"]

    async def recipients(self) -> list[dict[str, Any]]:
        found = await self.ask("GET", f"/sms/campaigns/{self.campaign_id}/recipients")
        return sorted(found, key=lambda one: one["id"])

    async def all_accepted(self, count: int) -> list[dict[str, Any]]:
        async def are() -> bool:
            found = await self.recipients()
            return len(found) == count and all(one["outcome"] == "accepted" for one in found)

        await until(are, 30)
        return await self.recipients()

    def token(self, recipient: dict[str, Any]) -> str:
        return self.codes.make(PREFERENCES, "sms", UUID(recipient["id"]))

    async def preferences(self, customer_id: str) -> dict[str, Any]:
        (found,) = await self.ask("GET", f"/preferences?customerId={customer_id}")
        return found


@pytest_asyncio.fixture(loop_scope="session")
async def shop(fleet: Fleet, make: Any) -> Shop:
    codes = link_codes(fleet.secrets["secrets_key"])
    return Shop(await make(), codes, simulator=fleet.url("provider_simulator"))


@dataclass(frozen=True)
class Page:
    status: int
    headers: Any
    text: str

    @property
    def ticked(self) -> set[str]:
        return set(re.findall(r'type="checkbox" name="(\w+)" checked', self.text))

    @property
    def undo(self) -> dict[str, str]:
        """The fields of the form that takes the change back."""
        form = self.text[self.text.index('value="undo"') - 40 : self.text.index("Undo</button>")]
        return dict(re.findall(r'name="(\w+)" value="([^"]*)"', form))


@pytest_asyncio.fixture(loop_scope="session")
async def visit(fleet: Fleet) -> AsyncIterator[Any]:
    """`await visit(path, form)` as a browser would, without following redirects."""
    async with aiohttp.ClientSession() as http:

        async def visit(path: str, form: dict[str, str] | None = None, method: str | None = None) -> Page:
            method = method or ("GET" if form is None else "POST")
            url = fleet.url("gateway") + path
            async with http.request(method, url, data=form, allow_redirects=False) as answer:
                return Page(answer.status, answer.headers, await answer.text())

        yield visit


async def test_the_page_shows_changes_and_takes_back(fleet, shop, visit):
    await shop.launch(1)
    (recipient,) = await shop.all_accepted(1)
    path = f"/preferences/{shop.token(recipient)}"
    page = await visit(path)
    assert page.status == 200
    assert page.ticked == {"smsOptedIn", "pushOptedIn", "marketingOptedIn", "transactionalOptedIn"}
    assert phone(0) not in page.text
    assert shop.client.user_id in page.text
    assert "unsafe" not in page.headers["Content-Security-Policy"]
    assert (page.headers["Referrer-Policy"], page.headers["Cache-Control"]) == ("no-referrer", "no-store")
    (style,) = re.findall(r'href="([^"]+\.css)"', page.text)
    sheet = await visit(style)
    assert (sheet.status, sheet.headers["Content-Type"]) == (200, "text/css; charset=utf-8")
    assert len(page.text) + len(sheet.text) < PAGE_BYTES_MAX
    assert not re.search(r"<script|style=|https?://", page.text + sheet.text)

    saved = await visit(path, {"save": "page", "smsOptedIn": "on", "transactionalOptedIn": "on"})
    assert saved.ticked == {"smsOptedIn", "transactionalOptedIn"}
    assert "Offers and news: off" in saved.text
    assert (await shop.preferences("c0"))["marketingOptedIn"] is False
    undone = await visit(path, saved.undo)
    assert undone.ticked == page.ticked
    assert "Offers and news: on" in undone.text


async def test_one_click_is_enough_and_a_visit_changes_nothing(fleet, shop, visit):
    await shop.launch(1)
    (recipient,) = await shop.all_accepted(1)
    token = shop.token(recipient)
    for path in (f"/u/{token}", f"/preferences/{token}/unsubscribe", f"/preferences/{token}"):
        assert (await visit(path)).status == 200
        assert (await shop.preferences("c0"))["marketingOptedIn"] is True
    for path in (f"/preferences/{token}/unsubscribe", f"/u/{token}", f"/preferences/{token}"):
        page = await visit(path, ONE_CLICK)
        assert (page.status, "marketingOptedIn" in page.ticked) == (200, False)
        assert "You are unsubscribed" in page.text
        found = await shop.preferences("c0")
        assert (found["marketingOptedIn"], found["smsOptedIn"], found["transactionalOptedIn"]) == (False, True, True)


async def test_links_that_are_not_ours_lead_nowhere(fleet, shop, visit):
    await shop.launch(1)
    (recipient,) = await shop.all_accepted(1)
    token = shop.token(recipient)
    wrong = [token[:place] + OTHER[token[place] == OTHER[0]] + token[place + 1 :] for place in range(len(token))]
    wrong += [link_codes("another").make(PREFERENCES, "sms", UUID(recipient["id"])), token + "A", "%00", "%C3%28", "x"]
    wrong += [
        shop.codes.make(PREFERENCES, "sms", UUID(int=0)),
        shop.codes.make(PREFERENCES, "push", UUID(recipient["id"])),
    ]
    for one in wrong:
        page = await visit(f"/preferences/{one}/unsubscribe", ONE_CLICK)
        assert (one, page.status, page.headers["Content-Type"]) == (one, 404, "text/html; charset=utf-8")
    assert (await shop.preferences("c0"))["marketingOptedIn"] is True


@pytest.mark.parametrize(
    "form", [{}, {"smsOptedIn": "on"}, {"save": "page", "smsTopics": "x" * 200}, {"save": "x" * 20_000}]
)
async def test_what_is_no_form_of_ours_changes_nothing(fleet, shop, visit, form):
    await shop.launch(1)
    (recipient,) = await shop.all_accepted(1)
    page = await visit(f"/preferences/{shop.token(recipient)}", form)
    assert (page.status in (413, 422), "Nothing was changed" in page.text) == (True, True)
    assert (await shop.preferences("c0"))["marketingOptedIn"] is True


async def test_who_unsubscribes_in_the_middle_of_a_campaign_is_not_written_to(fleet, shop, visit):
    await shop.launch(40, rate=4)
    await until(shop.recipients, 30)
    *others, last = await shop.recipients()
    assert last["attempts"] == 0
    assert (await visit(f"/u/{shop.token(last)}", ONE_CLICK)).status == 200

    async def is_over() -> bool:
        return all(one["outcome"] is not None for one in await shop.recipients())

    await until(is_over, 60)
    *others, last = await shop.recipients()
    assert (last["status"], last["outcome"], last["attempts"]) == ("opted_out", "skipped", 0)
    assert {one["outcome"] for one in others} == {"accepted"}


async def test_a_counted_link_leads_on_and_counts_once(fleet, shop, visit):
    await shop.launch(1, trackLinks=True)
    (recipient,) = await shop.all_accepted(1)

    async def number() -> int | None:
        for candidate in range(1, 100):
            code = shop.codes.make(TRACKED, "sms", UUID(recipient["id"]), candidate)
            page = await visit(f"/l/{code}", method="HEAD")
            if page.status == 302:
                assert page.headers["Location"] == SHOP
                return candidate
        return None

    found = await number()
    assert found is not None
    (recipient,) = await shop.recipients()
    assert recipient["clickedAt"] is None
    for _ in range(3):
        page = await visit(f"/l/{shop.codes.make(TRACKED, 'sms', UUID(recipient['id']), found)}")
        assert (page.status, page.headers["Location"]) == (302, SHOP)

    async def clicks() -> int:
        events = await shop.ask("GET", f"/events?campaignId={shop.campaign_id}&eventType=clicked")
        return len(events)

    await until(clicks, 20)
    (recipient,) = await shop.recipients()
    assert recipient["clickedAt"] is not None
    assert await clicks() == 1


async def test_who_guesses_is_slowed_down_and_nobody_else(fleet, shop, visit):
    async def statuses(path: str) -> set[int]:
        """Of so many visits at once that no refill makes up for them."""
        return {page.status for page in await asyncio.gather(*(visit(path) for _ in range(200)))}

    await shop.launch(1)
    (recipient,) = await shop.all_accepted(1)
    assert await statuses("/preferences/x") == {404, 429}
    path = f"/preferences/{shop.token(recipient)}"
    assert (await visit(path)).status == 200
    assert await statuses(path) == {200, 429}
