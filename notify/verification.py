"""Deriving the accounting identity again, from sources that do not know of each other.

Pure: what the ledger, the event log, the aggregates and the provider's own log say goes in, checks come out.
"""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

MICROS = 1_000_000
ATTEMPT_SECONDS = 60.0
"""A message reaches the provider within so long before or after the last attempt that the ledger knows of."""

NOT_SENT_OUTCOMES = (None, "refused", "skipped")


@dataclass(frozen=True, slots=True)
class Check:
    """One comparison; `left` and `right` are what two sources say.

    `moves`: they say something else from one reading to the next, so that nobody can tell yet.
    """

    name: str
    left: Any
    right: Any
    moves: bool = False

    @property
    def ok(self) -> bool:
        """Whether they agree."""
        return bool(self.left == self.right)


def mark_moving(readings: Sequence[Sequence[Check]]) -> list[Check]:
    """The last of several readings; what differs in it and was otherwise in one before is marked as moving."""
    earlier = [{check.name: check for check in checks} for checks in readings[:-1]]
    return [
        replace(check, moves=not check.ok and any(one.get(check.name) != check for one in earlier))
        for check in readings[-1]
    ]


@dataclass(frozen=True, slots=True)
class Sent:
    """One message in the provider's log. `time` is ISO 8601 in UTC.

    `accepted` says that the person gets it; `refused_later`, that we were told so although the person does not.
    """

    reference: str
    address: str
    accepted: bool
    time: str = ""
    refused_later: bool = False


@dataclass(frozen=True, slots=True)
class Recipient:
    """One row of the ledger."""

    id: str
    address: str
    status: str
    outcome: str | None
    attempts: int
    attempted_at: str | None = None


def recipient_of(reference: str) -> str | None:
    """The recipient id in a reference of ours; its signature is for others to check."""
    try:
        raw = base64.urlsafe_b64decode(reference + "=" * (-len(reference) % 4))
    except ValueError:
        return None
    return str(UUID(bytes=raw[1:17])) if len(raw) >= 17 else None


def compare_books(ledger: Mapping[str, Any], totals: Mapping[str, Any]) -> list[Check]:
    """The ledger's terms against the event log, and the log against the aggregates."""
    accepted, ends = ledger["accepted"], totals["ends"]
    excluded, skipped, refused = (sum(ledger[name].values()) for name in ("excluded", "skipped", "refused"))
    parts = (
        excluded + skipped + refused + accepted["total"] + ledger["unknown"] + ledger["expired"] + ledger["cancelled"]
        + ledger["waiting"] + ledger["inFlight"]
    )  # fmt: skip
    opted_out = ledger["skipped"].get("opted_out", 0)
    said_failed = refused + ledger["expired"] + ledger["cancelled"]
    checks = [
        Check("audience = sum of all terms", ledger["audience"], parts),
        Check("accepted = delivered + bounced + failed later + unconfirmed", accepted["total"],
              sum(accepted[name] for name in ("delivered", "bounced", "failedLater", "unconfirmed"))),
        Check("lots agree with their recipients", ledger["balanced"], True),
        Check("accepted (ledger) = sent (event log)", accepted["total"], totals["events"].get("sent", 0)),
        Check("delivered (ledger) = (event log)", accepted["delivered"], ends.get("delivered", 0)),
        Check("bounced (ledger) = (event log)", accepted["bounced"], ends.get("bounced", 0)),
        Check("failed later (ledger) = (event log)", accepted["failedLater"], ends.get("failed_later", 0)),
        Check("unconfirmed (ledger) = (event log)", accepted["unconfirmed"], ends.get("accepted", 0)),
        Check("refused + expired + cancelled (ledger) = failed (event log)", said_failed, ends.get("failed", 0)),
        Check("opted out at send time (ledger) = (event log)", opted_out, ends.get("opted_out", 0)),
        Check("cost (ledger) = cost (aggregates), millionths by currency", _by_currency(ledger), _by_currency(totals)),
    ]  # fmt: skip
    for event_type in sorted({*totals["events"], *totals["aggregates"]}):
        left, right = totals["events"].get(event_type, 0), totals["aggregates"].get(event_type, 0)
        checks.append(Check(f"{event_type} (event log) = (aggregates)", left, right))
    return checks


def _by_currency(book: Mapping[str, Any]) -> dict[str, int]:
    return {one["currency"]: one["costMicros"] for one in book["cost"] if one["costMicros"]}


def compare_costs(ledger: Mapping[str, Mapping[str, int]], dashboard: Mapping[str, Any]) -> list[Check]:
    """The sums over all messages of a tenant (millionths by channel and currency) against the dashboard's."""
    by_currency = {currency: micros / MICROS for currency, micros in sorted(ledger["sms"].items())}
    checks = [Check("cost by currency (ledger) = (dashboard)", by_currency, dashboard["smsSendCostByCurrency"])]
    if len(by_currency) <= 1:
        checks.append(Check("cost (ledger) = (dashboard)", sum(by_currency.values()), dashboard["smsSendCost"]))
    return checks


def compare_recipients(ledger: Mapping[str, Any], recipients: Iterable[Recipient]) -> list[Check]:
    """The terms of the accounting against its rows, counted one by one."""
    outcomes: Counter[str | None] = Counter()
    statuses: Counter[str] = Counter()
    for one in recipients:
        outcomes[one.outcome] += 1
        if one.outcome == "accepted":
            statuses[one.status] += 1
    return [
        Check("accepted = rows with that outcome", ledger["accepted"]["total"], outcomes["accepted"]),
        Check("delivered = accepted rows with that status", ledger["accepted"]["delivered"], statuses["delivered"]),
        Check("refused = rows with that outcome", sum(ledger["refused"].values()), outcomes["refused"]),
        Check("unknown = rows with that outcome", ledger["unknown"], outcomes["unknown"]),
    ]


@dataclass(frozen=True, slots=True)
class ProviderView:
    """What the provider's own log says about one campaign."""

    checks: list[Check]
    double_sends: int
    opted_out_sends: int


def compare_provider(
    recipients: Iterable[Recipient], sent: Iterable[Sent], opted_out: frozenset[str] = frozenset()
) -> ProviderView:
    """The ledger's rows against the provider's log of messages.

    `opted_out` are addresses that must not have been sent to at all. A double send is every message beyond the
    first that the provider accepted for the same recipient, or for the same address in this campaign.

    A reference names a recipient of this campaign, or a batch with it. A provider that was given none can only be
    judged by address and time, so another campaign by such a provider at the same time would be mistaken for this one.
    """
    rows = {one.id: one for one in recipients}
    meant = _Meant(rows)
    by_recipient: Counter[str] = Counter()
    by_address: Counter[str] = Counter()
    at_provider: set[str] = set()
    opted_out_sends = 0
    for one in sent:
        recipient_id = meant.recipient(one)
        if recipient_id is not None and (one.accepted or one.refused_later):
            at_provider.add(recipient_id)
        if one.accepted and recipient_id is not None:
            by_recipient[recipient_id] += 1
            by_address[one.address] += 1
            opted_out_sends += one.address in opted_out
    doubles = max(_beyond_first(by_recipient), _beyond_first(by_address))
    accepted = {key for key, row in rows.items() if row.outcome == "accepted"}
    unknown = {key for key, row in rows.items() if row.outcome == "unknown"}
    never = {key for key, row in rows.items() if row.outcome in NOT_SENT_OUTCOMES and row.status != "sending"}
    checks = [
        Check("double sends in the provider's log", doubles, 0),
        Check("sends to people who had opted out", opted_out_sends, 0),
        Check("accepted here but not at the provider", len(accepted - at_provider), 0),
        Check("at the provider, but refused, skipped or waiting here", len(at_provider & never), 0),
        Check(
            "at the provider, and neither accepted nor unknown here", len(at_provider - accepted - unknown - never), 0
        ),
    ]
    return ProviderView(checks, doubles, opted_out_sends)


class _Meant:
    """Which recipient of a campaign a message in the provider's log was for."""

    def __init__(self, rows: Mapping[str, Recipient]) -> None:
        self._rows = rows
        self._by_address = {row.address: key for key, row in rows.items()}
        times = [_seconds(row.attempted_at) for row in rows.values() if row.attempted_at]
        self._from = min(times, default=0.0) - ATTEMPT_SECONDS
        self._until = max(times, default=0.0) + ATTEMPT_SECONDS

    def recipient(self, sent: Sent) -> str | None:
        """The recipient's id, None for a message of another campaign."""
        if not sent.reference:
            if sent.address not in self._by_address or not self._from <= _seconds(sent.time) <= self._until:
                return None
            return self._by_address[sent.address]
        named = recipient_of(sent.reference)
        if named is None or named not in self._rows:
            return None
        return named if self._rows[named].address == sent.address else self._by_address.get(sent.address)


def _seconds(time: str) -> float:
    return datetime.fromisoformat(time).timestamp()


def _beyond_first(counts: Mapping[str, int]) -> int:
    return sum(count - 1 for count in counts.values())
