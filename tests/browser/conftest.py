"""A real Chromium on the running fleet."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from deploy.local.fleet import Fleet
from tests.browser.tenants import Tenant, open_tenant
from tests.browser.windows import Watched, chromium, open_window

CUSTOMERS = 400
SEED = 11


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def tenant(fleet: Fleet, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Tenant]:
    async with open_tenant(fleet, tmp_path_factory.mktemp("people"), CUSTOMERS, SEED) as opened:
        yield opened


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as started:
        yield started


Window = Callable[..., AbstractAsyncContextManager[Watched]]


@pytest.fixture
def window(browser: Browser, tenant: Tenant) -> Window:
    """`async with window(scheme="dark", width=400, scripts=False) as watched:` somebody is signed in there."""

    def open_one(email: str | None = tenant.email, **wishes: Any) -> AbstractAsyncContextManager[Watched]:
        return open_window(browser, tenant.url, email, **wishes)

    return open_one
