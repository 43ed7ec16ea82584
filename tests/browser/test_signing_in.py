"""The sign-in page with an identity provider beside it, in a gateway of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import uuid4

import aiohttp
import pytest
import pytest_asyncio
from cryptography.fernet import Fernet
from playwright.async_api import Browser, expect
from pydantic import SecretStr

from contracts.http.access import UserWrite
from deploy.local.state import free_port
from services.gateway.app import build
from services.gateway.handlers.oidc import NO_ACCOUNT, NOT_BELIEVED
from services.gateway.handlers.people import create_person
from services.gateway.settings import GatewaySettings
from shared.database import open_database
from shared.ids import new_id
from shared.runtime import serving
from tests.browser.windows import open_window
from tests.gateway.conftest import settings_of
from tests.gateway.identity import CLIENT_ID, CLIENT_SECRET, Identity, identity_provider

pytestmark = pytest.mark.asyncio(loop_scope="session")
BUTTON = "Sign in with your company account"


@dataclass
class Company:
    """A gateway, and the provider that signs its people in."""

    url: str
    settings: GatewaySettings
    identity: Identity


@pytest_asyncio.fixture(loop_scope="session")
async def company(servers, topics, database_of) -> AsyncIterator[Company]:
    port = free_port()
    async with identity_provider() as identity:
        identity.email = f"{uuid4().hex}@example.com"
        settings = settings_of(
            database_of("gateway"),
            secrets_key=SecretStr(Fernet.generate_key().decode()),
            public_url=f"http://127.0.0.1:{port}",
            oidc_issuer=identity.url,
            oidc_client_id=CLIENT_ID,
            oidc_client_secret=SecretStr(CLIENT_SECRET),
        ).model_copy(update={"http_port": port, "kafka_bootstrap_servers": servers.kafka})
        async with build(settings) as service, serving(service, settings, asyncio.Event()):
            yield Company(f"http://127.0.0.1:{port}", settings, identity)


async def test_who_has_an_account_comes_in_and_goes_where_they_wanted(browser: Browser, company: Company) -> None:
    async with open_database(company.settings.database_url, 2, "test") as database:
        body = UserWrite(email=company.identity.email, name="Ada", role="viewer")
        await create_person(database, new_id(), uuid4().hex, body, 1)
    async with open_window(browser, company.url, None) as watched:
        await watched.go("/notification/account")
        await watched.press(BUTTON)
        await expect(watched.page).to_have_url(f"{company.url}/notification/account")
        await expect(watched.page.get_by_role("heading", level=1)).to_have_text("Ada")


@pytest.mark.parametrize(("nonce", "said"), [(None, NO_ACCOUNT), ("another", NOT_BELIEVED)])
async def test_what_went_wrong_is_said_where_one_can_try_again(
    browser: Browser, company: Company, nonce: str | None, said: str
) -> None:
    company.identity.spoil = lambda claims: claims | ({"nonce": nonce} if nonce else {})
    async with open_window(browser, company.url, None, scripts=False) as watched:
        await watched.go("/notification/sign-in")
        await watched.press(BUTTON)
        await expect(watched.page.get_by_role("alert")).to_have_text(f"{said[:1].upper()}{said[1:]}.")
        await expect(watched.page.get_by_role("link", name=BUTTON)).to_be_visible()


async def test_a_provider_that_is_away_gets_a_page_with_a_way_back(browser: Browser, company: Company) -> None:
    company.identity.url = "http://another.example"
    async with open_window(browser, company.url, None) as watched:
        await watched.go("/notification/sign-in")
        await watched.press(BUTTON)
        await expect(watched.page.get_by_role("alert")).to_have_text(
            "The identity provider describes itself as another one."
        )
        await expect(watched.page.get_by_label("Password")).to_be_visible()


async def test_wrong_passwords_and_old_forms_are_told_apart(browser: Browser, company: Company) -> None:
    async with open_window(browser, company.url, None) as watched:
        await watched.sign_in("nobody@example.com", "not the password")
        await expect(watched.page.get_by_role("alert")).to_contain_text("E-mail address or password is wrong")
        await expect(watched.page.get_by_label("E-mail address")).to_have_value("nobody@example.com")
        await watched.page.context.clear_cookies()
        await watched.page.get_by_label("Password").fill("not the password")
        await watched.page.get_by_role("button", name="Sign in").click()
        await expect(watched.page.get_by_role("alert")).to_contain_text("your browser keeps no cookies")


async def test_the_first_address_leads_to_the_pages(browser: Browser, company: Company) -> None:
    async with aiohttp.ClientSession() as http, http.get(company.url, allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == (307, "/notification")
    async with open_window(browser, company.url, None) as watched:
        assert await watched.go("/") == 200
        await expect(watched.page).to_have_title("Sign in · Omni-Sales")
