"""The accounting identity of a campaign, term by term, from one view of the ledger."""

from __future__ import annotations

from collections import Counter
from typing import Any

from contracts.waiting import describe_waiting
from services.dispatcher.domain import estimate_eta
from services.dispatcher.store.campaigns import Ledger

_OWN_TERM = ("expired", "cancelled")
"""Reasons of a skip that are terms of their own."""


def account_for(ledger: Ledger) -> dict[str, Any]:
    """The terms as the API shows them.

    `audience = excluded + skipped + refused + accepted + unknown + expired + cancelled + waiting + inFlight`, counts
    of recipients. `balanced` says that this holds, that every recipient of the expansion has arrived, and that the
    sums that each lot keeps of its recipients agree with the recipients themselves. `eta` is when all will have been
    tried, at `ratePerSecond`; where nobody is tried at present, when it goes on.
    """
    skipped: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    own: Counter[str] = Counter(dict.fromkeys(_OWN_TERM, 0))
    accepted: Counter[str] = Counter()
    waiting = in_flight = unknown = 0
    for status, outcome, reason, count in ledger.classes:
        if outcome == "skipped" and reason in _OWN_TERM:
            own[reason] += count
        elif outcome == "skipped":
            skipped[reason or "unknown"] += count
        elif outcome == "refused":
            refused[reason or "unknown"] += count
        elif outcome == "unknown":
            unknown += count
        elif status == "queued":
            waiting += count
        elif status == "sending" and outcome is None:
            in_flight += count
        else:
            accepted[status] += count
    sums_agree = ledger.by_lots == {
        "waiting": waiting,
        "inFlight": in_flight + sum(c for s, o, _, c in ledger.classes if o is None and s not in ("queued", "sending")),
        "accepted": sum(c for _, o, _, c in ledger.classes if o == "accepted"),
        "refused": refused.total(),
        "unknown": unknown,
        "skipped": skipped.total() + own.total(),
        "duplicates": ledger.duplicates,
    }
    if ledger.duplicates:
        skipped["duplicate"] += ledger.duplicates
    if ledger.expanded is not None:
        waiting += ledger.expanded - ledger.arrived
    parts = (
        sum(ledger.excluded.values()) + skipped.total() + refused.total() + accepted.total() + unknown
        + own.total() + waiting + in_flight
    )  # fmt: skip
    reason = ledger.reason if waiting else None
    if ledger.audience is None:
        reason = ledger.reason or "expanding"
    is_moving = waiting > 0 and ledger.state == "sending" and ledger.per_second > 0
    return {
        "audience": ledger.audience,
        "excluded": ledger.excluded,
        "skipped": dict(skipped),
        "refused": dict(refused),
        "accepted": {
            "total": accepted.total(),
            "delivered": accepted["delivered"],
            "bounced": accepted["bounced"],
            "failedLater": accepted["failed"],
            "unconfirmed": accepted["sending"],
        },
        "unknown": unknown,
        "expired": own["expired"],
        "cancelled": own["cancelled"],
        "waiting": waiting,
        "inFlight": in_flight,
        "balanced": ledger.audience == parts and waiting >= 0 and sums_agree,
        "waitingReason": reason,
        "waitingText": describe_waiting(reason),
        "ratePerSecond": round(ledger.per_second, 1) if is_moving else None,
        "eta": estimate_eta(reason, ledger.at, waiting, ledger.per_second if is_moving else 0.0, ledger.due_at),
        "cost": [
            {"costMicros": micros, "currency": currency} for currency, micros in sorted(ledger.cost_micros.items())
        ],
    }
