"""Deriving the accounting identity again, from sources that do not know of each other.

Pure: what the ledger, the event log, the aggregates and the provider's own log say goes in, checks come out.
"""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

NOT_SENT_OUTCOMES = (None, "refused", "skipped")


@dataclass(frozen=True, slots=True)
class Check:
    """One comparison; `left` and `right` are what two sources say."""

    name: str
    left: Any
    right: Any

    @property
    def ok(self) -> bool:
        """Whether they agree."""
        return bool(self.left == self.right)


@dataclass(frozen=True, slots=True)
class Sent:
    """One request in the provider's log. `accepted` says that the person gets the message."""

    reference: str
    address: str
    accepted: bool


@dataclass(frozen=True, slots=True)
class Recipient:
    """One row of the ledger."""

    id: str
    address: str
    status: str
    outcome: str | None
    attempts: int


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
        Check("cost (ledger) = cost (aggregates), millionths",
              sum(one["costMicros"] for one in ledger["cost"]), totals["costMicros"]),
    ]  # fmt: skip
    for event_type in sorted({*totals["events"], *totals["aggregates"]}):
        left, right = totals["events"].get(event_type, 0), totals["aggregates"].get(event_type, 0)
        checks.append(Check(f"{event_type} (event log) = (aggregates)", left, right))
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
    """The ledger's rows against the provider's log of requests.

    `opted_out` are addresses that must not have been sent to at all. A double send is every message beyond the
    first that the provider accepted for the same recipient, or for the same address in this campaign.
    """
    rows = {one.id: one for one in recipients}
    by_recipient: Counter[str] = Counter()
    by_address: Counter[str] = Counter()
    opted_out_sends = 0
    for one in sent:
        recipient_id = recipient_of(one.reference)
        if one.accepted and recipient_id is not None and recipient_id in rows:
            by_recipient[recipient_id] += 1
            by_address[one.address] += 1
            opted_out_sends += one.address in opted_out
    doubles = max(_beyond_first(by_recipient), _beyond_first(by_address))
    accepted = {key for key, row in rows.items() if row.outcome == "accepted"}
    unknown = {key for key, row in rows.items() if row.outcome == "unknown"}
    never = {key for key, row in rows.items() if row.outcome in NOT_SENT_OUTCOMES and row.status != "sending"}
    at_provider = set(by_recipient)
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


def _beyond_first(counts: Mapping[str, int]) -> int:
    return sum(count - 1 for count in counts.values())
