"""What is asked about attempts of unknown outcome, and what may be believed of the answers."""

from __future__ import annotations

import pytest

from tests.dispatcher.conftest import Scene
from tests.dispatcher.desk import Desk, desk
from tests.provider_simulator.conftest import simulated

LOST = {"accept_then_close": 1.0, "lost_receipt": 1.0}
NEVER_TAKEN = {"server_error": 1.0}

__all__ = ["desk", "simulated"]
only_sms = pytest.mark.parametrize("scene", ["sms"], indirect=True)


@only_sms
async def test_what_the_provider_has_is_accepted(desk):
    await desk.simulated.set_faults(rates=LOST)
    await desk.send(desk.scene.lot(3))
    assert (await desk.scene.terms())["unknown"] == 3
    assert (await desk.resolve()).accepted == 3
    await desk.scene.resolve(3, 1)
    terms = await desk.scene.terms()
    assert (terms["unknown"], terms["accepted"]["total"], terms["balanced"]) == (0, 3, True)
    assert len(await desk.scene.events()) == 3


@only_sms
async def test_what_the_provider_does_not_have_stays_unknown_where_the_campaign_holds(desk):
    await desk.simulated.set_faults(rates=NEVER_TAKEN)
    await desk.send(desk.scene.lot(2))
    found = await desk.resolve()
    assert (found.asked, found.accepted, found.requeued) == (2, 0, 0)
    assert (await desk.scene.terms())["unknown"] == 2


@only_sms
async def test_a_message_of_another_attempt_proves_nothing(desk):
    """The same text to the same address, twice: the one that arrived must not stand for the one that did not."""
    await desk.simulated.set_faults(rates=NEVER_TAKEN)
    lost = desk.scene.lot(1)
    await desk.send(lost)
    other = Scene(desk.scene.database, desk.scene.channel, desk.scene.user_id, provider_id=desk.scene.provider_id)
    await desk.simulated.set_faults(rates={})
    await Desk(other, desk.simulated, desk.sending).send(other.lot(1))
    assert (await other.terms())["accepted"]["total"] == 1
    found = await desk.resolve()
    assert (found.asked, found.accepted) == (1, 0)
    assert (await desk.scene.terms())["unknown"] == 1


@only_sms
async def test_two_unknown_attempts_at_one_address_are_left_alone(desk):
    """One of them may have arrived; nobody can tell which."""
    await desk.simulated.set_faults(rates=LOST)
    await desk.send(desk.scene.lot(1))
    await desk.simulated.set_faults(rates=NEVER_TAKEN, seed=2)
    other = Scene(desk.scene.database, desk.scene.channel, desk.scene.user_id, provider_id=desk.scene.provider_id)
    await Desk(other, desk.simulated, desk.sending).send(other.lot(1))
    found = await desk.resolve()
    assert (found.asked, found.accepted) == (2, 0)


@only_sms
async def test_rounds_go_on_where_the_last_one_ended(desk):
    await desk.simulated.set_faults(rates=NEVER_TAKEN)
    lot = desk.scene.lot(5)
    await desk.send(lot)
    ids = [one.recipient_id for one in lot.recipients]
    first = await desk.resolve(rows_max=3)
    assert (first.asked, first.last) == (3, ids[2])
    second = await desk.resolve(rows_max=3, after=first.last)
    assert second.asked == 2
    assert (await desk.resolve(rows_max=3, after=second.last)).asked == 3


@pytest.mark.parametrize("scene", ["push"], indirect=True)
async def test_a_provider_that_cannot_be_asked_is_not_asked(desk):
    await desk.simulated.set_faults(rates=LOST)
    await desk.send(desk.scene.lot(2))
    sent = len(await desk.simulated.log())
    found = await desk.resolve()
    assert (found.asked, found.accepted) == (2, 0)
    assert len(await desk.simulated.log()) == sent
    assert (await desk.scene.terms())["unknown"] == 2
