"""Links that are followed: where they lead, who counts, and what is durable by then."""

from __future__ import annotations

from functools import partial

import psycopg
import pytest

from contracts.events import LinksTracked, TrackedLink
from services.delivery_receipt import handlers
from shared.codec import now
from shared.errors import Rejected
from shared.ids import new_id
from shared.links import TRACKED, link_codes
from tests.delivery_receipt.conftest import post, writing
from tests.waiting import until

DESTINATION = "https://shop.example/sale?x=1&y=%20#top"
visit = partial(post, method="GET")


async def hear(scene, number=7, destination=DESTINATION):
    link = TrackedLink(number=number, destination=destination)
    event = LinksTracked(event_id=new_id(), occurred_at=now(), user_id=scene.user_id, links=[link])
    await handlers.on_links_tracked(scene.database, [event])


@pytest.mark.parametrize("prefix", ["/l/", "/api/notification/l/"])
@pytest.mark.parametrize("channel", ["sms", "push"])
async def test_a_visit_is_a_click_that_is_durable_before_the_way_is_shown(scene, channel, prefix):
    await hear(scene)
    recipient_id = new_id()
    answer = await visit(scene.app, prefix + scene.codes.make(TRACKED, channel, recipient_id, 7))
    assert (answer.status, answer.headers[b"location"].decode()) == (302, DESTINATION)
    (event,) = await scene.published("receipts")
    assert (event["channel"], event["provider"]) == (channel, "link")
    assert await scene.receipts() == [(str(recipient_id), "clicked")]
    assert await scene.rows("SELECT provider, headers, body FROM callbacks") == [("link", b"", b"")]


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("HEAD", {}),
        ("GET", {"Sec-Purpose": "prefetch;prerender"}),
        ("GET", {"Purpose": "prefetch"}),
        ("GET", {"X-Moz": "prefetch"}),
        ("GET", {"User-Agent": "Mozilla/5.0 (compatible; Googlebot/2.1)"}),
        ("GET", {"User-Agent": "facebookexternalhit/1.1 Facebot Twitterbot/1.0"}),
        ("GET", {"User-Agent": "WhatsApp/2.23"}),
    ],
)
async def test_whoever_says_that_nobody_looks_does_not_count(scene, method, headers):
    await hear(scene)
    path = "/l/" + scene.codes.make(TRACKED, "sms", new_id(), 7)
    answer = await post(scene.app, path, headers=headers, method=method)
    assert (answer.status, answer.headers[b"location"].decode()) == (302, DESTINATION)
    assert await scene.published("receipts") == []


@pytest.mark.parametrize("agent", ["curl/8.5", "Mozilla/5.0 (Linux; Android 14; CUBOT X30) Chrome/120.0 Mobile"])
async def test_others_do(scene, agent):
    await hear(scene)
    path = "/l/" + scene.codes.make(TRACKED, "sms", new_id(), 7)
    assert (await visit(scene.app, path, headers={"User-Agent": agent})).status == 302
    assert len(await scene.receipts()) == 1


async def test_a_code_that_is_not_ours_leads_nowhere(scene):
    await hear(scene)
    code = scene.codes.make(TRACKED, "sms", new_id(), 7)
    foreign = link_codes("another").make(TRACKED, "sms", new_id(), 7)
    for wrong in ("", code[:-1], code + "x", foreign, "https://evil.example", code.swapcase(), "\0"):
        answer = await visit(scene.app, f"/l/{wrong}")
        assert (answer.status, answer.headers[b"content-type"]) == (404, b"text/html; charset=utf-8")
    assert await scene.published("receipts") == []


async def test_links_are_followed_not_posted_to(scene):
    answer = await post(scene.app, "/l/" + scene.codes.make(TRACKED, "sms", new_id(), 7))
    assert (answer.status, answer.headers[b"allow"]) == (405, b"GET, HEAD")


async def test_a_link_that_we_have_not_heard_of_yet_shall_be_tried_again(scene):
    path = "/l/" + scene.codes.make(TRACKED, "sms", new_id(), 7)
    assert (await visit(scene.app, path)).status == 503
    await hear(scene)
    assert (await visit(scene.app, path)).status == 302


async def test_a_link_never_changes_where_it_leads(scene):
    await hear(scene)
    await hear(scene, destination="https://evil.example/")
    answer = await visit(scene.app, "/l/" + scene.codes.make(TRACKED, "sms", new_id(), 7))
    assert answer.headers[b"location"].decode() == DESTINATION


@pytest.mark.parametrize(
    "destination", ["javascript:alert(1)", "https://a.example/\r\nSet-Cookie: a=b", "//evil.example", "https://ü.de"]
)
async def test_only_addresses_that_browsers_open_are_kept(scene, destination):
    with pytest.raises(Rejected):
        await hear(scene, destination=destination)
    assert await scene.rows("SELECT FROM tracked_links") == []


async def test_no_way_is_shown_before_the_click_is_kept(idle_scene):
    await hear(idle_scene)

    async def refuse(_callbacks):
        raise psycopg.OperationalError("no database")

    async with writing(idle_scene, refuse, answer_seconds=0.5):
        answer = await visit(idle_scene.app, "/l/" + idle_scene.codes.make(TRACKED, "sms", new_id(), 7))
        assert answer.status == 503
        await until(lambda: len(idle_scene.intake) == 0)
    assert await idle_scene.published("receipts") == []
