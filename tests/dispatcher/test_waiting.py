"""Why a campaign waits, and until when: the same in its progress and in its accounting."""

from __future__ import annotations

from datetime import datetime, timedelta

from services.dispatcher.domain import PROVIDER_MISSING
from services.dispatcher.jobs.progress import _outgoing
from services.dispatcher.pacing import RATE_LIMITED
from services.dispatcher.store.campaigns import mark_progress
from services.dispatcher.store.claims import release_lot
from shared.codec import now
from tests.dispatcher.conftest import Scene


async def wait(scene: Scene, due_at: datetime, reason: str) -> None:
    """A sender looks at the lot, and gives it back."""
    lot = await scene.lease()
    assert lot is not None
    async with scene.database.transaction() as connection:
        await release_lot(connection, lot.id, scene.worker, due_at, reason, True)


async def told(scene: Scene) -> list[tuple[str | None, datetime | None]]:
    """(reason, time) of each record that is published now."""
    async with scene.database.transaction() as connection:
        events = [_outgoing(one, 0.0).event for one in await mark_progress(connection)]
    return [(event.waiting_reason, event.eta) for event in events]


async def test_another_reason_is_told_as_the_accounting_says_it(scene: Scene):
    await scene.arrive(scene.lot(1))
    await scene.launch()
    await scene.resolve(1, 1)
    at = now()
    await wait(scene, at, RATE_LIMITED)
    assert await told(scene) == [(RATE_LIMITED, None)]
    assert await told(scene) == []
    for reason, until in ((RATE_LIMITED, at + timedelta(minutes=1)), (PROVIDER_MISSING, None)):
        async with scene.database.transaction() as connection:
            await connection.execute("UPDATE lots SET due_at = now()")
        await wait(scene, at + timedelta(minutes=1), reason)
        assert await told(scene) == [(reason, until)]
        terms = await scene.terms()
        assert (terms["waitingReason"], terms["eta"]) == (reason, until)
