"""The states of a campaign, and what moves it from one to another."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Status(StrEnum):
    """The specification's states, and `cancelled`. The table has a CHECK with the same words."""

    DRAFT = "draft"
    SCHEDULED = "scheduled"
    SENDING = "sending"
    PAUSED = "paused"
    SENT = "sent"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Action(StrEnum):
    """What can happen to a campaign: people's commands, and what the fleet finds."""

    SCHEDULE = "schedule"
    SEND = "send"
    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"
    FINISH = "finish"
    FAIL = "fail"


_TRANSITIONS: Mapping[Action, Mapping[Status, Status]] = {
    Action.SCHEDULE: {Status.DRAFT: Status.SCHEDULED, Status.SCHEDULED: Status.SCHEDULED},
    Action.SEND: {Status.DRAFT: Status.SENDING, Status.SCHEDULED: Status.SENDING},
    Action.PAUSE: {Status.SENDING: Status.PAUSED},
    Action.RESUME: {Status.PAUSED: Status.SENDING},
    Action.CANCEL: {
        Status.DRAFT: Status.CANCELLED,
        Status.SCHEDULED: Status.CANCELLED,
        Status.SENDING: Status.CANCELLED,
        Status.PAUSED: Status.CANCELLED,
    },
    Action.FINISH: {Status.SENDING: Status.SENT, Status.PAUSED: Status.SENT},
    Action.FAIL: {Status.SCHEDULED: Status.FAILED, Status.SENDING: Status.FAILED},
}

EDITABLE = frozenset({Status.DRAFT, Status.SCHEDULED})
DELETABLE = frozenset({Status.DRAFT, Status.SCHEDULED, Status.CANCELLED, Status.FAILED})


class NotPossible(ValueError):
    """The campaign's state does not allow it; the text says which states do."""


def move(status: Status, action: Action) -> Status:
    """The state after the action; raises `NotPossible`."""
    found = _TRANSITIONS[action].get(status)
    if found is None:
        allowed = ", ".join(_TRANSITIONS[action])
        raise NotPossible(f"a campaign that is {status} cannot {action}: it must be {allowed}")
    return found
