"""Why somebody is in or out, and what became of their message."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from contracts.http.described.words import Shown, Time


class Rule(Shown):
    """One rule; `met` says that it lets the customer in."""

    rule: str
    met: bool
    message: str
    details: dict[str, Any]


class RecipientStory(Shown):
    """One recipient with every attempt, and everything that was heard since."""

    recipient: dict[str, Any]
    waiting_reason: Annotated[str | None, Field(description="Why a queued message does not go, for programs.")]
    waiting_text: Annotated[str | None, Field(description="The same in words.")]
    attempts: list[dict[str, Any]]
    events: list[dict[str, Any]]


class Explanation(RecipientStory):
    """A recipient's story, and the rules that let them in."""

    rules: list[Rule] | None
    audience: dict[str, Any] | None


class CustomerExplanation(Shown):
    """Why a customer is in or out, rule by rule; `certain` is false where something was changed since the launch."""

    customer_id: str
    decision: Annotated[str, Field(description="`recipient`, or the reason of the exclusion.")]
    certain: bool
    launched_at: Time | None
    evaluated_at: Time
    rules: list[Rule]
    consent_changes: list[dict[str, Any]]
    recipients: list[RecipientStory]
