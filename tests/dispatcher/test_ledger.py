"""The ledger on a real PostgreSQL: once, under repetition, concurrency and death."""

from __future__ import annotations

import asyncio

import pytest

from contracts.events import CampaignCancelled, CampaignPaused, CampaignResumed
from services.dispatcher import handlers
from services.dispatcher.store.campaigns import mark_progress
from services.dispatcher.store.claims import release_lot
from services.dispatcher.store.outcomes import (
    Recorded,
    claim_expired,
    mark_outcomes,
    mark_unfinished_unknown,
)
from tests.waiting import until_blocked


async def test_a_lot_that_comes_twice_is_stored_once(scene):
    lot = scene.lot(5)
    await scene.arrive(lot, lot)
    await scene.arrive(lot)
    await scene.launch()
    await scene.resolve(5, 1)
    assert (await scene.terms())["waiting"] == 5


async def test_an_address_that_comes_twice_is_tried_once_and_counted(scene):
    await scene.arrive(scene.lot(5), scene.lot(5, start=3))
    await scene.launch()
    await scene.resolve(10, 2)
    terms = await scene.terms()
    assert (terms["waiting"], terms["skipped"], terms["balanced"]) == (8, {"duplicate": 2}, True)


async def test_lots_wait_for_their_campaign_whichever_comes_first(scene):
    await scene.arrive(scene.lot(3))
    assert await scene.lease() is None
    terms = await scene.terms()
    assert (terms["waitingReason"], terms["waitingText"]) == (
        "not_launched",
        "the launch has not reached the sender yet",
    )
    await scene.launch()
    assert await scene.lease() is not None


async def test_a_paused_campaign_is_not_attempted_and_a_resumed_one_is(scene):
    await scene.arrive(scene.lot(3))
    await scene.launch()
    lot = await scene.lease()
    await scene.tell(CampaignPaused, 2, reason="paused by ada")
    assert (await scene.claim(lot)).claimed == []
    async with scene.database.transaction() as connection:
        await release_lot(connection, lot.id, scene.worker, None, None, False)
    terms = await scene.terms()
    assert terms["waitingReason"] == terms["waitingText"] == "paused by ada"
    assert await scene.lease() is None
    await scene.tell(CampaignResumed, 3)
    assert len((await scene.claim(await scene.lease())).claimed) == 3


async def test_an_older_lifecycle_event_changes_nothing(scene):
    await scene.arrive(scene.lot(1))
    await scene.tell(CampaignPaused, 2, reason="paused")
    await scene.launch(version=1)
    assert await scene.lease() is None
    await scene.tell(CampaignResumed, 3)
    assert await scene.lease() is not None


async def test_cancelling_skips_what_was_not_attempted(scene):
    await scene.arrive(scene.lot(4))
    await scene.launch()
    await scene.resolve(4, 1)
    lot = await scene.lease()
    first = await scene.claim(lot, rows_max=1)
    await scene.tell(CampaignCancelled, 2)
    rest = await scene.claim(lot)
    assert (len(first.claimed), len(rest.claimed), {one.reason for one in rest.skipped}) == (1, 0, {"cancelled"})
    await scene.record(lot, first, Recorded(first.claimed[0].id, 1, "accepted"))
    terms = await scene.terms()
    assert (terms["cancelled"], terms["accepted"]["total"], terms["balanced"]) == (3, 1, True)


@pytest.mark.parametrize("scope", ["all", "marketing"])
async def test_who_opted_out_before_the_attempt_is_skipped(scene, scope):
    lot = scene.lot(3)
    await scene.arrive(lot)
    await scene.launch()
    leased = await scene.lease()
    await scene.opt_out(lot.recipients[1].address, scope)
    micro_lot = await scene.claim(leased)
    assert [one.id for one in micro_lot.skipped] == [lot.recipients[1].recipient_id]
    assert len(micro_lot.claimed) == 2
    assert (await scene.terms())["skipped"] == {"opted_out": 1}


async def test_an_opt_out_waits_for_a_claim_in_progress_and_the_next_claim_sees_it(scene):
    """Whatever commits first decides; there is no gap in which an attempt could slip through."""
    from services.dispatcher.store.claims import claim_recipients

    lot = scene.lot(2)
    await scene.arrive(lot)
    await scene.launch()
    leased = await scene.lease()
    async with scene.database.transaction() as connection:
        await claim_recipients(connection, scene.channel, leased, scene.worker, 30, 1)
        opting = asyncio.create_task(scene.opt_out(lot.recipients[1].address))
        await asyncio.wait([opting], timeout=0.3)
        assert not opting.done()
    await opting
    assert (await scene.claim(leased)).claimed == []


@pytest.mark.parametrize(
    ("said", "attempted"),
    [
        ([{"all": True}, {"all": False}], True),
        ([{"*": True}], False),
        ([{"transactional": True, "news": True}], True),
        ([{"marketing": False}, {"*": True}], False),
        ([{"*": True}, {"marketing": False}], True),
        ([{"*": True, "marketing": False}], True),
        ([{"*": False, "marketing": True}], False),
        ([{"marketing": True}, {"*": False}], True),
        ([{"all": True}, {"*": False, "marketing": False}], False),
    ],
)
async def test_the_newest_word_about_a_category_or_the_unlisted_ones_counts(scene, said, attempted):
    lot = scene.lot(1)
    await scene.arrive(lot)
    await scene.launch()
    for scopes in said:
        await scene.change(lot.recipients[0].address, scopes)
    assert len((await scene.claim(await scene.lease())).claimed) == attempted


async def test_concurrent_claims_never_share_a_recipient(scene):
    await scene.arrive(*(scene.lot(50, start=50 * n) for n in range(4)))
    await scene.launch()

    async def work() -> list:
        taken = []
        while lot := await scene.lease():
            while claimed := (await scene.claim(lot, rows_max=20)).claimed:
                taken.extend(one.id for one in claimed)
        return taken

    found = [one for taken in await asyncio.gather(*(work() for _ in range(4))) for one in taken]
    assert len(found) == len(set(found)) == 200


async def test_each_outcome_is_recorded_once_and_said_once(scene):
    await scene.arrive(scene.lot(4))
    await scene.launch()
    await scene.resolve(4, 1)
    lot = await scene.lease()
    micro_lot = await scene.claim(lot)
    ids = [one.id for one in micro_lot.claimed]
    outcomes = [
        Recorded(ids[0], 1, "accepted", provider_message_id="m", segments=1, cost_micros=7, currency="USD"),
        Recorded(ids[1], 1, "refused", "content", "21617"),
        Recorded(ids[2], 1, "unknown", code="timeout"),
        Recorded(ids[3], 1, "deferred"),
    ]
    assert {row.outcome for row in (await scene.record(lot, micro_lot, *outcomes)).values()} == {
        "accepted",
        "refused",
        "unknown",
        "deferred",
    }
    assert await scene.record(lot, micro_lot, *outcomes) == {}
    terms = await scene.terms()
    assert (terms["accepted"]["total"], terms["refused"], terms["unknown"], terms["waiting"]) == (
        1,
        {"content": 1},
        1,
        1,
    )
    assert terms["balanced"]
    assert len((await scene.claim(lot)).claimed) == 1


async def test_a_price_that_a_receipt_states_replaces_the_estimate(scene):
    """Before the sender records, after it, and for an unknown; the ledger and what is said about it agree."""
    await scene.arrive(scene.lot(3))
    await scene.launch()
    await scene.resolve(3, 1)
    lot = await scene.lease()
    micro_lot = await scene.claim(lot)
    early, late, unknown = (one.id for one in micro_lot.claimed)
    await scene.receive((early, "delivered"), cost=(70, "EUR"))
    estimate = {"segments": 1, "cost_micros": 7, "currency": "USD"}
    taken = await scene.record(
        lot,
        micro_lot,
        Recorded(early, 1, "accepted", provider_message_id="a", **estimate),
        Recorded(late, 1, "accepted", provider_message_id="b", **estimate),
        Recorded(unknown, 1, "unknown", code="timeout", **estimate),
    )
    assert taken[early][1:] == (70, "EUR")
    await scene.receive((late, "accepted"), (unknown, "delivered"), cost=(80, "EUR"))
    await scene.receive((late, "delivered"), cost=(80, "EUR"))
    terms = await scene.terms()
    assert terms["cost"] == [{"costMicros": 230, "currency": "EUR"}]
    said = await scene.published("notification-events")
    (sent,) = [e for record in said for e in record["events"] if e["eventType"] == "sent"]
    assert (sent["recipientId"], sent["costMicros"], sent["currency"]) == (str(unknown), 80, "EUR")
    (repriced,) = [price for record in said for price in record.get("repricings", ())]
    assert (repriced["recipientId"], repriced["beforeCostMicros"], repriced["costMicros"]) == (str(late), 7, 80)


async def test_an_outcome_of_an_earlier_attempt_is_ignored(scene):
    await scene.arrive(scene.lot(1))
    await scene.launch()
    lot = await scene.lease()
    first = await scene.claim(lot)
    await scene.record(lot, first, Recorded(first.claimed[0].id, 1, "deferred"))
    second = await scene.claim(lot)
    assert second.claimed[0].attempts == 2
    assert await scene.record(lot, first, Recorded(first.claimed[0].id, 1, "accepted")) == {}


async def _die(scene) -> None:
    """Lets the scene's lease run out and frees the lot as the reaper does."""
    async with scene.database.transaction() as connection:
        await connection.execute("UPDATE lots SET lease_until = now() - interval '1 minute' WHERE state = 'leased'")
    async with scene.database.transaction() as connection:
        lot = await claim_expired(connection, 2.0)
        assert lot is not None
        await mark_unfinished_unknown(connection, scene.channel, lot.id)


async def test_a_crash_turns_attempts_into_unknown_never_into_a_retry(scene):
    await scene.arrive(scene.lot(5))
    await scene.launch()
    await scene.resolve(5, 1)
    lot = await scene.lease()
    await scene.claim(lot, rows_max=2)
    await _die(scene)
    terms = await scene.terms()
    assert (terms["unknown"], terms["waiting"], terms["inFlight"], terms["balanced"]) == (2, 3, 0, True)
    assert len((await scene.claim(await scene.lease())).claimed) == 3


async def test_a_late_answer_settles_unknown(scene):
    await scene.arrive(scene.lot(1))
    await scene.launch()
    await scene.resolve(1, 1)
    lot = await scene.lease()
    micro_lot = await scene.claim(lot)
    await _die(scene)
    await scene.record(lot, micro_lot, Recorded(micro_lot.claimed[0].id, 1, "accepted"))
    terms = await scene.terms()
    assert (terms["unknown"], terms["accepted"]["total"], terms["balanced"]) == (0, 1, True)


async def test_a_receipt_settles_unknown_and_says_sent(scene):
    await scene.arrive(scene.lot(1))
    await scene.launch()
    await scene.resolve(1, 1)
    lot = await scene.lease()
    micro_lot = await scene.claim(lot)
    one = micro_lot.claimed[0].id
    await scene.record(lot, micro_lot, Recorded(one, 1, "unknown", code="timeout"))
    await scene.receive((one, "delivered"))
    terms = await scene.terms()
    assert (terms["unknown"], terms["accepted"]["delivered"], terms["balanced"]) == (0, 1, True)
    assert await scene.events() == [(str(one), "sent"), (str(one), "delivered")]


async def test_a_receipt_may_meet_the_sender_who_is_just_recording_unknown(scene):
    lot = scene.lot(1)
    await scene.arrive(lot)
    await scene.launch()
    await scene.resolve(1, 1)
    leased = await scene.lease()
    micro_lot = await scene.claim(leased)
    (one,) = micro_lot.claimed
    async with scene.database.transaction() as connection:
        await mark_outcomes(
            connection, scene.channel, leased.id, micro_lot.attempt_id, [Recorded(one.id, 1, "unknown", None, "lost")]
        )
        receiving = asyncio.create_task(scene.receive((one.id, "delivered")))
        await until_blocked(scene.database)
    await receiving
    terms = await scene.terms()
    assert (terms["accepted"]["delivered"], terms["unknown"], terms["balanced"]) == (1, 0, True)


async def test_an_answer_may_meet_the_reaper_who_is_just_giving_up(scene):
    lot = scene.lot(1)
    await scene.arrive(lot)
    await scene.launch()
    await scene.resolve(1, 1)
    leased = await scene.lease()
    micro_lot = await scene.claim(leased)
    async with scene.database.transaction() as connection:
        await mark_unfinished_unknown(connection, scene.channel, leased.id)
        answering = asyncio.create_task(
            scene.record(leased, micro_lot, Recorded(micro_lot.claimed[0].id, 1, "accepted"))
        )
        await until_blocked(scene.database)
    assert [row.outcome for row in (await answering).values()] == ["accepted"]
    terms = await scene.terms()
    assert (terms["accepted"]["total"], terms["unknown"], terms["balanced"]) == (1, 0, True)


async def test_a_receipt_may_come_before_the_answer(scene):
    await scene.arrive(scene.lot(2))
    await scene.launch()
    await scene.resolve(2, 1)
    lot = await scene.lease()
    micro_lot = await scene.claim(lot)
    early, lost = (one.id for one in micro_lot.claimed)
    await scene.receive((early, "delivered"), (lost, "delivered"))
    await scene.record(lot, micro_lot, Recorded(early, 1, "accepted", provider_message_id="m"))
    await _die(scene)
    terms = await scene.terms()
    assert (terms["accepted"]["delivered"], terms["unknown"], terms["balanced"]) == (2, 0, True)


async def test_receipts_join_in_any_order_and_number(scene):
    await scene.arrive(scene.lot(3))
    await scene.launch()
    await scene.resolve(3, 1)
    lot = await scene.lease()
    micro_lot = await scene.claim(lot)
    ids = [one.id for one in micro_lot.claimed]
    await scene.record(lot, micro_lot, *(Recorded(one, 1, "accepted") for one in ids))
    await scene.receive((ids[0], "delivered"), (ids[1], "bounced"))
    for _ in range(2):
        await scene.receive((ids[0], "failed"), (ids[0], "accepted"), (ids[1], "delivered"), (ids[2], "opened"))
    assert (await scene.terms())["accepted"]["delivered"] == 3
    events = await scene.events()
    assert len(events) == len(set(events))
    assert {kind for one, kind in events if one == str(ids[1])} == {"bounced", "delivered"}


async def test_a_receipt_for_a_deferred_recipient_stops_the_retry(scene):
    await scene.arrive(scene.lot(1))
    await scene.launch()
    await scene.resolve(1, 1)
    lot = await scene.lease()
    micro_lot = await scene.claim(lot)
    one = micro_lot.claimed[0].id
    await scene.record(lot, micro_lot, Recorded(one, 1, "deferred"))
    await scene.receive((one, "delivered"))
    assert (await scene.claim(lot)).claimed == []
    assert (await scene.terms())["balanced"]


async def test_progress_is_final_when_nothing_waits_and_all_lots_have_come(scene):
    await scene.arrive(scene.lot(1))
    await scene.launch()
    lot = await scene.lease()
    micro_lot = await scene.claim(lot)
    await scene.record(lot, micro_lot, Recorded(micro_lot.claimed[0].id, 1, "accepted"))
    async with scene.database.transaction() as connection:
        await release_lot(connection, lot.id, scene.worker, None, None, False)
        assert [one.final for one in await mark_progress(connection)] == [False]
    await scene.resolve(1, 1)
    async with scene.database.transaction() as connection:
        (progress,) = await mark_progress(connection)
        assert (progress.final, progress.terms["accepted"]) == (True, 1)
        assert await mark_progress(connection) == []


async def test_receipts_for_strangers_do_no_harm(scene):
    from shared.ids import new_id

    await scene.receive((new_id(), "delivered"))
    assert await handlers.on_receipts_recorded(scene.database, scene.guard, []) is None


async def test_an_address_names_a_recipient_of_the_same_lot(scene):
    """A provider that knows only the batch: any recipient of it, and the address that is meant."""
    await scene.arrive(scene.lot(3), scene.lot(3, start=3))
    await scene.launch()
    await scene.resolve(6, 2)
    sent = []
    while (lot := await scene.lease()) is not None:
        micro_lot = await scene.claim(lot)
        await scene.record(lot, micro_lot, *(Recorded(one.id, 1, "accepted") for one in micro_lot.claimed))
        sent.append(micro_lot.claimed)
    (leader, second, third), (stranger, *_) = sent
    await scene.receive((leader.id, "delivered"), (leader.id, "bounced"), addresses=(second.address, third.address))
    await scene.receive((leader.id, "delivered"), addresses=(stranger.address,))
    await scene.receive((leader.id, "delivered"), addresses=("nobody",))
    events = {(recipient_id, kind) for recipient_id, kind in await scene.events() if kind != "sent"}
    assert events == {(str(second.id), "delivered"), (str(third.id), "bounced")}
