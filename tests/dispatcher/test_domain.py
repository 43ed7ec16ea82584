"""Joining receipts and counting: decisions without a database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.channels import CHANNELS, PUSH, SMS
from contracts.events import Receipt
from contracts.events.receipts import RECEIPT_KINDS
from services.dispatcher.accounting import account_for
from services.dispatcher.domain import Tariffs, deferral_seconds, join_receipts
from services.dispatcher.store.campaigns import Ledger
from shared.ids import new_id

RECIPIENT = new_id()
START = datetime(2026, 1, 1, tzinfo=UTC)

receipts = st.lists(
    st.builds(
        lambda kind, seconds: Receipt(recipient_id=RECIPIENT, kind=kind, at=START + timedelta(seconds=seconds)),
        st.sampled_from(RECEIPT_KINDS),
        st.integers(0, 1000),
    ),
    min_size=1,
    max_size=12,
)


@given(receipts, st.randoms(use_true_random=False), st.sampled_from(sorted(CHANNELS)))
def test_the_order_of_receipts_means_nothing(batch, random, name):
    shuffled = batch[:]
    random.shuffle(shuffled)
    one, other = join_receipts(CHANNELS[name], batch), join_receipts(CHANNELS[name], shuffled)
    assert one == other


@given(receipts)
def test_a_receipt_that_comes_twice_counts_once(batch):
    assert join_receipts(SMS, batch) == join_receipts(SMS, batch + batch)


@given(receipts)
def test_delivered_is_never_taken_back(batch):
    (joined,) = join_receipts(PUSH, batch)
    proved = any(receipt.kind in ("delivered", "opened", "clicked") for receipt in batch)
    assert (joined.status == "delivered") == proved


def test_a_click_is_an_opening_too():
    (joined,) = join_receipts(PUSH, [Receipt(recipient_id=RECIPIENT, kind="clicked", at=START)])
    assert joined.engaged_at == [START, START]
    assert joined.delivered_at == START


def test_a_deferral_waits_at_least_as_long_as_the_provider_asks():
    assert deferral_seconds(0, 30.0) >= 30.0
    assert deferral_seconds(40, None) <= 300.0


def test_the_longest_prefix_sets_the_price():
    tariffs = Tariffs({("sms", "twilio"): {"+": (9, "USD"), "+49": (5, "EUR")}})
    assert tariffs.estimate("sms", "twilio", "+49171", 3) == (15, "EUR")
    assert tariffs.estimate("sms", "twilio", "+33171", 1) == (9, "USD")
    assert tariffs.estimate("push", "firebase", "token", 1) is None


def _ledger(**changes) -> Ledger:
    values = {
        "state": "sending",
        "reason": None,
        "due_at": None,
        "audience": 14,
        "expanded": 12,
        "excluded": {"opted_out": 2},
        "duplicates": 1,
        "arrived": 12,
        "classes": [
            ("delivered", "accepted", None, 4),
            ("sending", "accepted", None, 1),
            ("bounced", "accepted", None, 1),
            ("failed", "refused", "content", 2),
            ("sending", "unknown", None, 1),
            ("failed", "skipped", "cancelled", 1),
            ("opted_out", "skipped", "opted_out", 1),
        ],
        "cost_micros": {"USD": 5},
        "by_lots": {
            "waiting": 0,
            "inFlight": 0,
            "accepted": 6,
            "refused": 2,
            "unknown": 1,
            "skipped": 2,
            "duplicates": 1,
        },
        "at": START,
        "per_second": 0.0,
    }
    return Ledger(**(values | changes))


def test_the_identity_holds_term_by_term():
    terms = account_for(_ledger())
    assert terms["balanced"]
    assert terms["accepted"] == {"total": 6, "delivered": 4, "bounced": 1, "failedLater": 0, "unconfirmed": 1}
    assert terms["skipped"] == {"opted_out": 1, "duplicate": 1}
    assert (terms["cancelled"], terms["unknown"], terms["refused"]) == (1, 1, {"content": 2})


@pytest.mark.parametrize(
    ("changes", "rate", "eta"),
    [
        ({"per_second": 2.5}, 2.5, START + timedelta(seconds=4)),
        ({"per_second": 2.5, "due_at": START + timedelta(hours=2)}, 2.5, START + timedelta(seconds=4)),
        ({"due_at": START + timedelta(hours=2)}, None, START + timedelta(hours=2)),
        ({"per_second": 2.5, "state": "paused"}, None, None),
        ({"per_second": 2.5, "classes": []}, None, None),
    ],
    ids=["moving", "limited", "waiting", "paused", "done"],
)
def test_who_moves_has_a_rate_and_an_end(changes, rate, eta):
    waiting = [("queued", None, None, 10)]
    terms = account_for(_ledger(**({"classes": waiting, "expanded": None} | changes)))
    assert (terms["ratePerSecond"], terms["eta"]) == (rate, eta)


def test_a_missing_recipient_unbalances():
    classes = _ledger().classes
    assert not account_for(_ledger(classes=classes[1:]))["balanced"]
    assert not account_for(_ledger(audience=15))["balanced"]
    assert not account_for(_ledger(audience=None))["balanced"]
    lots = _ledger().by_lots | {"unknown": 0}
    assert not account_for(_ledger(by_lots=lots))["balanced"]
