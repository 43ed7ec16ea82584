"""What holds for every page, and for what they are made of."""

from __future__ import annotations

import pytest

from tests.browser.conftest import Window
from tests.browser.looking import look_at_all, places_of
from tests.browser.tenants import Tenant

NARROWEST = 320


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", NARROWEST)])
async def test_pages_are_whole(window: Window, tenant: Tenant, scheme: str, width: int) -> None:
    places = await places_of(tenant)
    async with window(scheme=scheme, width=width) as watched:
        looks = [look async for look in look_at_all(watched, places, f"{scheme}-{width}")]
        assert watched.elsewhere == []
    assert [look for look in looks if not look.holds] == []


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
