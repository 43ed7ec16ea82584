"""Wrong credentials must not wipe an audience: who may judge addresses, and what halts a campaign."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.events import AddressVerdict, CampaignResumed
from services.dispatcher.guard import ANSWERS_MIN, DEAD_SHARE_MAX, HALT_FROM, HALTED, Guard
from services.dispatcher.store.claims import Claimed
from shared.codec import now
from tests.dispatcher.conftest import Scene
from tests.dispatcher.desk import Desk, desk
from tests.provider_simulator.conftest import simulated

__all__ = ["desk", "simulated"]
ACCOUNT, CAMPAIGN = (UUID(int=1), 1), UUID(int=1)
both = pytest.mark.parametrize("scene", ["sms", "push"], indirect=True)


def verdicts(count):
    return [AddressVerdict(address=f"a{n}", verdict="dead", at=now()) for n in range(count)]


def test_an_account_is_believed_only_after_some_answers():
    guard = Guard()
    assert guard.believe(ACCOUNT, 1, verdicts(1)) == []
    assert guard.believe(ACCOUNT, ANSWERS_MIN - 2, []) == []
    assert len(guard.believe(ACCOUNT, 1, [])) == 1, "the verdict that had to wait holds now"
    assert guard.believe(ACCOUNT, 1, []) == []


def test_an_account_that_calls_most_addresses_dead_is_not_believed():
    guard = Guard()
    for _ in range(200):
        assert guard.believe(ACCOUNT, 1, verdicts(1)) == []
    assert guard.believe((UUID(int=2), 1), 100, verdicts(5)) != [], "accounts are judged apart"


def test_a_good_past_vouches_for_few_addresses_when_credentials_go_wrong():
    guard = Guard()
    guard.believe(ACCOUNT, 10_000, [])
    assert sum(len(guard.believe(ACCOUNT, 1, verdicts(1))) for _ in range(1000)) < 50


def test_changed_credentials_have_no_past():
    guard = Guard()
    guard.believe(ACCOUNT, 10_000, [])
    changed = (ACCOUNT[0], 2)
    assert sum(len(guard.believe(changed, 1, verdicts(1))) for _ in range(1000)) == 0


def test_an_account_is_believed_again_when_its_addresses_live():
    guard = Guard()
    guard.believe(ACCOUNT, 500, verdicts(500))
    for _ in range(20):
        guard.believe(ACCOUNT, 500, [])
    assert len(guard.believe(ACCOUNT, 10, verdicts(1))) == 1


@given(st.lists(st.tuples(st.integers(1, 50), st.floats(0, 1)), max_size=60))
def test_nobody_is_suppressed_while_the_share_is_too_high(batches):
    guard, answered, dead = Guard(), 0, 0
    for size, share in batches:
        ill = round(size * share)
        answered, dead = answered + size, dead + ill
        found = guard.believe(ACCOUNT, size, verdicts(ill))
        if answered < 100 and dead > answered * DEAD_SHARE_MAX:
            assert found == []


def test_a_campaign_is_judged_by_its_first_answers():
    guard = Guard()
    assert not guard.must_halt(CAMPAIGN, HALT_FROM - 1, HALT_FROM - 1)
    assert guard.must_halt(CAMPAIGN, 1, 1)
    assert guard.must_halt(CAMPAIGN, 10, 10), "what is still under way does not go on"
    assert not guard.must_halt(UUID(int=2), HALT_FROM, 2)
    assert not guard.must_halt(UUID(int=2), 1000, 1000), "it was clear"


@both
async def test_a_campaign_of_dead_addresses_is_halted_and_nobody_is_suppressed(desk: Desk, scene: Scene):
    await desk.simulated.set_faults(rates={"dead_address": 0.9})
    await desk.send(scene.lot(60))
    terms = await scene.terms()
    assert terms["refused"] == {}
    assert terms["waiting"] + terms["accepted"]["total"] == 60
    assert terms["waitingReason"] == HALTED
    assert await scene.published("address-verdicts") == []
    (halted,) = [one for one in await scene.published("campaign-progress") if one["type"] == "CampaignHalted"]
    assert (halted["campaignId"], halted["reason"]) == (str(scene.campaign_id), HALTED)


@both
async def test_whoever_resumes_it_has_looked_at_it(desk: Desk, scene: Scene):
    await desk.simulated.set_faults(rates={"dead_address": 0.9})
    await desk.send(scene.lot(60))
    await scene.tell(CampaignResumed, 2)
    await desk.work(1, "done")
    terms = await scene.terms()
    assert terms["refused"]["recipient_permanent"] > 40
    assert await scene.published("address-verdicts") == [], "the account is not believed for all that"


@both
async def test_an_opt_out_that_only_a_receipt_tells_is_kept(scene: Scene):
    await scene.arrive(scene.lot(2))
    await scene.launch()
    await scene.resolve(2, 1)
    lot = await scene.lease()
    assert lot is not None
    first, second = (await scene.claim(lot)).claimed
    for _ in range(2):
        await scene.receive((first.id, "opted_out"), error_class="recipient_opted_out")
    await scene.receive((second.id, "bounced"), error_class="recipient_temporary")
    (record,) = await scene.published("address-verdicts")
    assert (record["userId"], record["channel"]) == (scene.user_id, scene.channel.name)
    assert [(one["address"], one["verdict"]) for one in record["verdicts"]] == [(first.address, "opted_out")]


async def claimed(scene: Scene, count: int) -> list[Claimed]:
    await scene.arrive(scene.lot(count))
    await scene.launch()
    await scene.resolve(count, 1)
    lot = await scene.lease()
    assert lot is not None
    return list((await scene.claim(lot)).claimed)


@both
async def test_an_address_that_only_a_receipt_calls_dead_is_suppressed(scene: Scene):
    first, *others = await claimed(scene, 30)
    await scene.receive(*((one.id, "delivered") for one in others))
    for _ in range(2):
        await scene.receive((first.id, "bounced"), error_class="recipient_permanent")
    (record,) = await scene.published("address-verdicts")
    assert [(one["address"], one["verdict"]) for one in record["verdicts"]] == [(first.address, "dead")]


@both
async def test_receipts_that_call_every_address_dead_are_not_believed(scene: Scene):
    people = await claimed(scene, 60)
    for one in people:
        await scene.receive((one.id, "bounced"), error_class="recipient_permanent")
    assert await scene.published("address-verdicts") == []
