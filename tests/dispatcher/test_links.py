"""Links in messages: made as the message is sent, told before it leaves, counted once."""

from __future__ import annotations

import asyncio
from hashlib import sha256

import msgspec
import pytest

from contracts.channels import SMS
from contracts.events import Recipient
from services.dispatcher.handlers import track
from services.dispatcher.store.links import find_addressee
from shared.ids import new_id, new_ids
from shared.links import PREFERENCES, TRACKED
from tests.dispatcher.desk import LINK_BASE_URL, desk
from tests.provider_simulator.conftest import simulated

__all__ = ["desk", "simulated"]
SHOP = "https://shop.example/sale"


async def told(scene) -> list[tuple[int, str]]:
    events = await scene.published("tracked-links")
    return [(link["number"], link["destination"]) for event in events for link in event["links"]]


def expected(desk, recipient_id, body: str) -> str:
    """The digest of the text that a recipient must have got."""
    codes, channel = desk.sending.codes, desk.scene.channel.name
    preferences = codes.make(PREFERENCES, channel, recipient_id)
    return sha256(body.replace("{{unsubscribeUrl}}", f"{LINK_BASE_URL}/u/{preferences}").encode()).hexdigest()


@pytest.mark.parametrize("scene", ["sms"], indirect=True)
async def test_every_recipient_gets_links_of_their_own(desk):
    lot = desk.scene.lot(3)
    await desk.send(lot, body=f"Sale: {SHOP}. No more: {{{{unsubscribeUrl}}}}", track_links=True)
    ((number, destination),) = await told(desk.scene)
    assert destination == SHOP
    digests = set()
    for recipient in lot.recipients:
        link = f"{LINK_BASE_URL}/l/{desk.sending.codes.make(TRACKED, 'sms', recipient.recipient_id, number)}"
        digests.add(expected(desk, recipient.recipient_id, f"Sale: {link}. No more: {{{{unsubscribeUrl}}}}"))
    assert {line["digest"] for line in await desk.simulated.log()} == digests


@pytest.mark.parametrize("scene", ["sms"], indirect=True)
async def test_a_link_that_nobody_wants_counted_stays_as_it_is(desk):
    lot = desk.scene.lot(1)
    await desk.send(lot, body=f"Sale: {SHOP}")
    (line,) = await desk.simulated.log()
    assert line["digest"] == expected(desk, lot.recipients[0].recipient_id, f"Sale: {SHOP}")
    assert await told(desk.scene) == []


async def test_a_link_keeps_its_number_and_is_told_once(scene):
    first = await track(scene.database, scene.user_id, [SHOP, SHOP + "/1"])
    second = await track(scene.database, scene.user_id, [SHOP + "/1", SHOP])
    assert second == first[::-1]
    assert sorted(await told(scene)) == sorted(zip(first, [SHOP, SHOP + "/1"], strict=True))
    assert await track(scene.database, "another", [SHOP]) != first[:1]


async def test_many_at_once_number_a_link_once(scene):
    links = [f"{SHOP}/{'x' * 3_000}/{number}" for number in range(5)]
    found = await asyncio.gather(*(track(scene.database, scene.user_id, links) for _ in range(6)))
    assert len(set(found)) == 1
    assert sorted(await told(scene)) == sorted(zip(found[0], links, strict=True))


async def test_a_click_counts_once_and_says_that_the_message_was_read(scene):
    await scene.arrive(scene.lot(1))
    await scene.launch()
    lot = await scene.lease()
    (claimed,) = (await scene.claim(lot)).claimed
    for _ in range(3):
        await scene.receive((claimed.id, "clicked"))
    assert sorted(kind for _, kind in await scene.events()) == ["clicked", "delivered", "opened"]
    async with scene.database.pool.connection() as connection:
        table = f"{scene.channel.name}_campaign_recipients"
        columns = ", ".join(f"{name} IS NOT NULL" for name in scene.channel.engagement_columns)
        cursor = await connection.execute(f"SELECT status, {columns} FROM {table} WHERE id = %s", (claimed.id,))
        assert await cursor.fetchall() == [("delivered", True, True)]


async def test_a_link_tells_whom_it_was_sent_to(scene):
    (recipient_id,) = new_ids(1)
    person = Recipient(recipient_id=recipient_id, address="+4915112345678", customer_id="c1")
    await scene.arrive(msgspec.structs.replace(scene.lot(1), recipients=[person]))
    async with scene.database.pool.connection() as connection:
        found = await find_addressee(connection, scene.channel, recipient_id)
        assert (found.user_id, found.customer_id, found.address) == (scene.user_id, "c1", person.address)
        assert found.category == "marketing"
        assert person.address not in repr(found)
        assert await find_addressee(connection, SMS, new_id()) is None
