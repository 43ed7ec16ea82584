"""Sends that wait for a second person: their states, and who may decide.

pending -> approved -> performed | failed     (approved: the decision is stored, the campaign's service is asked)
pending -> rejected
pending, approved -> void                     (the campaign is not any more what it was)
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from contracts.http.plans import CampaignPlan
from services.gateway.domain.access import Caller

ACTIONS = ("send", "schedule")
SENDABLE = ("draft", "scheduled")
"""States of a campaign from which it can be sent."""

LAUNCHED = ("sending", "paused", "sent")


class State(StrEnum):
    """The table has a CHECK with the same words."""

    PENDING = "pending"
    APPROVED = "approved"
    PERFORMED = "performed"
    FAILED = "failed"
    REJECTED = "rejected"
    VOID = "void"


@dataclass(frozen=True, slots=True)
class Size:
    """How many people a campaign reaches at most: those whom the filter finds, and those who were added."""

    found: int
    added: int
    growing: bool
    """Whether a file of people is still coming in."""

    @property
    def total(self) -> int:
        """Whoever is both counts twice."""
        return self.found + self.added


@dataclass(frozen=True, slots=True)
class Approval:
    """One send that waits, or waited, for a second person."""

    id: UUID
    user_id: str
    channel: str
    campaign_id: UUID
    action: str
    body: bytes = field(repr=False)
    digest: str
    """Of the campaign's plan."""

    added: int
    size: int
    state: State
    requested_at: datetime
    requester_kind: str
    requester_id: str | None
    requester_name: str | None = field(repr=False)
    requesters: list[UUID]
    """The persons who can have asked: one, or all who have seen the secret of the key."""

    decided_at: datetime | None
    decider_id: UUID | None
    decider_name: str | None = field(repr=False)
    ended_at: datetime | None
    reason: str | None

    def covers(self, plan: CampaignPlan, size: Size) -> bool:
        """Whether this is still what was asked for. A filter may find more people than it did; nobody else is added."""
        return plan.status in SENDABLE and plan.digest == self.digest and size.added == self.added


def why_not_decide(approval: Approval, caller: Caller) -> str | None:
    """Why the caller may not decide, None when they may."""
    if caller.person is None:
        return "a person has to decide, not a key"
    if caller.person.id in approval.requesters:
        return "somebody else than who asked has to decide"
    return None


def is_done(plan: CampaignPlan, scheduled_send_time: datetime | None) -> bool:
    """Whether the campaign shows that an earlier try of ours has sent it, or scheduled it for that time."""
    is_scheduled = plan.status == "scheduled" and plan.scheduled_send_time == scheduled_send_time
    return plan.status in LAUNCHED or (scheduled_send_time is not None and is_scheduled)
