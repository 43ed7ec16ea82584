"""The comparison: it holds for books that agree, and no term can be wrong without a check that says so."""

from __future__ import annotations

import base64
from copy import deepcopy
from dataclasses import replace
from itertools import chain, repeat
from uuid import UUID, uuid4

import pytest

from notify.checking import READINGS_MAX, UNMOVED_READINGS, Compared, compare_at_rest
from notify.verification import (
    Check,
    Recipient,
    Sent,
    compare_books,
    compare_costs,
    compare_provider,
    compare_recipients,
    recipient_of,
)
from shared.security import references

LEDGER = {
    "audience": 100,
    "excluded": {"opted_out": 5, "no_device": 3},
    "skipped": {"opted_out": 2, "duplicate": 1},
    "refused": {"recipient_permanent": 4},
    "accepted": {"total": 80, "delivered": 70, "bounced": 5, "failedLater": 1, "unconfirmed": 4},
    "unknown": 1,
    "expired": 2,
    "cancelled": 1,
    "waiting": 0,
    "inFlight": 1,
    "balanced": True,
    "cost": [{"costMicros": 500, "currency": "USD"}, {"costMicros": 70, "currency": "EUR"}],
}
TOTALS = {
    "events": {"sent": 80, "delivered": 70, "bounced": 5, "failed": 8, "opted_out": 2},
    "aggregates": {"sent": 80, "delivered": 70, "bounced": 5, "failed": 8, "opted_out": 2},
    "ends": {"delivered": 70, "bounced": 5, "failed_later": 1, "accepted": 4, "failed": 7, "opted_out": 2},
    "cost": [{"costMicros": 70, "currency": "EUR"}, {"costMicros": 500, "currency": "USD"}],
}

PATHS = [
    ("ledger", "audience"),
    *(("ledger", part, name) for part in ("excluded", "skipped", "refused") for name in LEDGER[part]),
    *(("ledger", "accepted", name) for name in LEDGER["accepted"]),
    *(("ledger", name) for name in ("unknown", "expired", "cancelled", "waiting", "inFlight")),
    ("totals", "events", "sent"),
    *(("totals", "aggregates", name) for name in TOTALS["aggregates"]),
    *(("totals", "ends", name) for name in TOTALS["ends"]),
]


def test_books_that_agree_hold():
    assert [check.name for check in compare_books(LEDGER, TOTALS) if not check.ok] == []


@pytest.mark.parametrize("path", PATHS, ids=".".join)
@pytest.mark.parametrize("by", [-1, 1])
def test_one_wrong_number_is_found(path, by):
    books = deepcopy({"ledger": LEDGER, "totals": TOTALS})
    *way, last = path
    at = books
    for name in way:
        at = at[name]
    at[last] += by
    assert any(not check.ok for check in compare_books(books["ledger"], books["totals"]))


def test_lots_that_disagree_with_their_recipients_are_found():
    assert any(not check.ok for check in compare_books(LEDGER | {"balanced": False}, TOTALS))


@pytest.mark.parametrize(
    ("cost", "by_currency", "holds"),
    [
        (12.5, {"USD": 12.5}, [True, True]),
        (12.4, {"USD": 12.5}, [True, False]),
        (12.5, {"USD": 12.4}, [False, True]),
        (12.5, {"EUR": 12.5}, [False, True]),
        (12.5, {}, [False, True]),
    ],
)
def test_a_dashboard_that_differs_from_the_ledger_is_found(cost, by_currency, holds):
    dashboard = {"smsSendCost": cost, "smsSendCostByCurrency": by_currency}
    assert [check.ok for check in compare_costs({"sms": {"USD": 12_500_000}, "push": {}}, dashboard)] == holds


@pytest.mark.parametrize(
    ("rights", "expected"),
    [
        ([1], (1, True, False)),
        ([2, 3, 1], (3, True, False)),
        ([2], (UNMOVED_READINGS, False, False)),
        ([2, 3, 3], (4, False, False)),
        (range(2, 99), (READINGS_MAX, False, True)),
    ],
)
async def test_what_differs_is_read_again_until_it_holds_or_does_not_move(rights, expected):
    coming, read = chain(rights, repeat([*rights][-1])), 0

    async def compare() -> Compared:
        nonlocal read
        read += 1
        return Compared([Check("cost", 1, next(coming)), Check("sent", 5, 5)])

    found = await compare_at_rest(compare, again_seconds=0.0)
    assert (read, found.balanced, found.moves) == expected


async def test_what_moves_does_not_hide_a_difference():
    rights = iter(range(READINGS_MAX))

    async def compare() -> Compared:
        return Compared([Check("cost", -1, next(rights)), Check("sent", 5, 6)])

    found = await compare_at_rest(compare, again_seconds=0.0)
    assert ([check.moves for check in found.checks], found.moves) == ([True, False], False)


def test_the_sum_of_several_currencies_depends_on_rates():
    dashboard = {"smsSendCost": 99.0, "smsSendCostByCurrency": {"EUR": 1.0, "USD": 2.0}}
    ledger = {"sms": {"USD": 2_000_000, "EUR": 1_000_000}, "push": {}}
    assert [check.ok for check in compare_costs(ledger, dashboard)] == [True]


def _rows(*outcomes: tuple[str, str | None]) -> list[Recipient]:
    return [
        Recipient(str(uuid4()), f"+49{n}", status, outcome, 1) for n, (status, outcome) in enumerate(outcomes, 10_000)
    ]


def _entry(row: Recipient, accepted: bool = True) -> Sent:
    return Sent(references("k" * 32).sign("sms", UUID(row.id)), row.address, accepted)


def test_a_reference_names_its_recipient():
    recipient_id = uuid4()
    assert recipient_of(references("k" * 32).sign("push", recipient_id)) == str(recipient_id)
    assert [recipient_of(text) for text in ("", "%%%", base64.urlsafe_b64encode(b"short").decode())] == [None] * 3


def _at(row: Recipient, time: str) -> Recipient:
    return replace(row, attempted_at=time)


def test_the_address_tells_recipients_of_a_batch_apart():
    rows = _rows(("delivered", "accepted"), ("delivered", "accepted"), ("sending", "unknown"))
    leader = _entry(rows[0]).reference
    sent = [Sent(leader, row.address, True) for row in rows]
    assert all(check.ok for check in compare_provider(rows, sent).checks)
    assert compare_provider(rows, [*sent, sent[1]]).double_sends == 1
    assert any(not check.ok for check in compare_provider(rows, sent[:1]).checks)


def test_without_a_reference_address_and_time_tell():
    rows = [_at(row, "2026-11-01T10:00:00Z") for row in _rows(("delivered", "accepted"), ("delivered", "accepted"))]
    now, before = "2026-11-01T10:00:01.500Z", "2026-11-01T08:00:00.000Z"
    sent = [Sent("", row.address, True, now) for row in rows]
    others = [Sent("", rows[0].address, True, before), Sent("", "+4999", True, now)]
    assert all(check.ok for check in compare_provider(rows, [*sent, *others]).checks)
    assert compare_provider(rows, [*sent, sent[0]]).double_sends == 1
    assert any(not check.ok for check in compare_provider(rows, others).checks)


def test_rows_are_counted_one_by_one():
    rows = _rows(("delivered", "accepted"), ("sending", "accepted"), ("failed", "refused"), ("sending", "unknown"))
    ledger = {"accepted": {"total": 2, "delivered": 1}, "refused": {"content": 1}, "unknown": 1}
    assert all(check.ok for check in compare_recipients(ledger, rows))
    for missing in range(4):
        assert not all(check.ok for check in compare_recipients(ledger, rows[:missing] + rows[missing + 1 :]))


def test_the_provider_agrees():
    rows = _rows(("delivered", "accepted"), ("failed", "refused"), ("sending", "unknown"), ("opted_out", "skipped"))
    sent = [_entry(rows[0]), _entry(rows[1], accepted=False), _entry(rows[2])]
    view = compare_provider(rows, sent, frozenset({rows[3].address}))
    assert all(check.ok for check in view.checks)
    assert (view.double_sends, view.opted_out_sends) == (0, 0)


def test_what_the_provider_refused_and_took_later_is_no_double_send():
    rows = _rows(("delivered", "accepted"))
    assert compare_provider(rows, [_entry(rows[0], accepted=False), _entry(rows[0])]).double_sends == 0


def test_other_campaigns_do_not_count():
    rows, others = _rows(("delivered", "accepted")), _rows(("delivered", "accepted"))
    view = compare_provider(rows, [_entry(rows[0]), _entry(others[0]), _entry(others[0])])
    assert view.double_sends == 0
    assert all(check.ok for check in view.checks)


@pytest.mark.parametrize(
    ("status", "outcome", "times"),
    [
        ("delivered", "accepted", 0),
        ("delivered", "accepted", 2),
        ("sending", "unknown", 2),
        ("failed", "refused", 1),
        ("opted_out", "skipped", 1),
        ("queued", None, 1),
        ("sending", None, 1),
    ],
)
def test_what_the_provider_saw_otherwise_is_found(status, outcome, times):
    rows = _rows((status, outcome))
    view = compare_provider(rows, [_entry(rows[0])] * times)
    assert any(not check.ok for check in view.checks)
    assert view.double_sends == max(times - 1, 0)


def test_two_recipients_with_one_address_are_a_double_send():
    first, second = _rows(("delivered", "accepted"), ("delivered", "accepted"))
    second = Recipient(second.id, first.address, second.status, second.outcome, 1)
    assert compare_provider([first, second], [_entry(first), _entry(second)]).double_sends == 1


def test_a_message_to_someone_who_opted_out_is_found():
    rows = _rows(("delivered", "accepted"))
    view = compare_provider(rows, [_entry(rows[0])], frozenset({rows[0].address}))
    assert view.opted_out_sends == 1
    assert any(not check.ok for check in view.checks)
