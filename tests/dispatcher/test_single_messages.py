"""What becomes of single messages that cannot be sent: each ends as one recipient with a reason, and an event."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from contracts.events import Content, LotResolved
from services.dispatcher.domain import URGENT_LANE
from services.dispatcher.jobs import sending
from shared.codec import now
from shared.ids import new_id
from tests.dispatcher.conftest import Scene
from tests.dispatcher.desk import Desk, desk
from tests.provider_simulator.conftest import simulated

__all__ = ["desk", "simulated"]
TEXT = Content(body="Your code")


def single(scene: Scene, **fields: Any) -> LotResolved:
    """A message by the scene's account to one person."""
    return msgspec.structs.replace(scene.lot(1), **{"lane": URGENT_LANE, "provider_id": scene.provider_id, **fields})


async def ended(scene: Scene) -> tuple[str, str | None, str | None]:
    """(status, outcome, reason) of the only recipient."""
    async with scene.database.pool.connection() as connection:
        cursor = await connection.execute(
            f"SELECT status, outcome, failure_reason FROM {scene.channel.name}_campaign_recipients"
        )
        (row,) = await cursor.fetchall()
        return row


@pytest.mark.parametrize(
    ("fields", "expected", "event"),
    [
        ({"skip_reason": "missing_variable"}, ("failed", "skipped", "missing_variable"), "failed"),
        ({"skip_reason": "no_phone"}, ("failed", "skipped", "no_phone"), "failed"),
        ({"skip_reason": "opted_out"}, ("opted_out", "skipped", "opted_out"), "opted_out"),
        ({"content": TEXT, "provider_id": new_id()}, ("failed", "skipped", "provider_missing"), "failed"),
        ({"content": TEXT, "expires_at": now() - timedelta(seconds=1)}, ("failed", "skipped", "expired"), "failed"),
        ({"content": Content(body="{{code}}")}, ("failed", "refused", "missing_variable"), "failed"),
        ({"content": Content(body=" {{code|}} ")}, ("failed", "refused", "empty_text"), "failed"),
    ],
)
async def test_each_ends_with_its_reason(desk: Desk, scene: Scene, fields: Mapping[str, Any], expected, event):
    lot = single(scene, **fields)
    await scene.arrive(lot)
    await desk.work(1, "done", lane=URGENT_LANE)
    assert await ended(scene) == expected
    assert await scene.events() == [(str(lot.recipients[0].recipient_id), event)]
    terms = await scene.terms()
    assert (terms["audience"], terms["balanced"], terms["waitingReason"]) == (1, True, None)


async def test_what_expires_ends_although_its_account_cannot_be_used(desk: Desk, scene: Scene):
    await scene.arrive(single(scene, content=TEXT, provider_id=new_id(), expires_at=now() - timedelta(seconds=1)))
    await desk.work(1, "done", lane=URGENT_LANE)
    assert await ended(scene) == ("failed", "skipped", "expired")


async def test_a_template_is_waited_for_and_then_given_up(desk: Desk, scene: Scene, monkeypatch):
    await scene.arrive(single(scene, template_id=new_id()))
    await desk.work(1, "waiting", lane=URGENT_LANE)
    assert await ended(scene) == ("queued", None, None)
    monkeypatch.setattr(sending, "UNUSABLE_SECONDS", 0.0)
    monkeypatch.setattr(sending, "NEWS_SECONDS", 0.0)
    async with scene.database.transaction() as connection:
        await connection.execute("UPDATE lots SET due_at = now()")
    await desk.work(1, "done", lane=URGENT_LANE)
    assert await ended(scene) == ("failed", "skipped", "template_unknown")
