"""What the pages call things: the API's words in plain ones, each with what it means for the reader."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

from contracts.waiting import describe_waiting


@dataclass(frozen=True, slots=True)
class ChannelWords:
    """How a channel is called at the start of a sentence and within one, and what its addresses are; `address_name`
    is what stands for one."""

    name: str
    title: str
    within: str
    address: str
    address_hint: str
    address_name: str
    message: str


CHANNEL_WORDS: Mapping[str, ChannelWords] = MappingProxyType(
    {
        "sms": ChannelWords(
            "sms", "SMS", "SMS", "phone number", "whole, with its country code", "number", "text message"
        ),
        "push": ChannelWords("push", "Push", "push", "device", "the whole token", "token", "push notification"),
    }
)


class Badge(NamedTuple):
    """A word, and the class that gives it its color."""

    word: str
    look: str


STATUSES: Mapping[str, Badge] = MappingProxyType(
    {
        "draft": Badge("Draft", "draft"),
        "scheduled": Badge("Scheduled", "scheduled"),
        "sending": Badge("Sending", "sending"),
        "paused": Badge("Paused", "paused"),
        "sent": Badge("Sent", "sent"),
        "failed": Badge("Failed", "failed"),
        "cancelled": Badge("Cancelled", "draft"),
    }
)

RECIPIENT_STATUSES: Mapping[str, Badge] = MappingProxyType(
    {
        "queued": Badge("Waiting", "waits"),
        "sending": Badge("Under way", "sending"),
        "delivered": Badge("Delivered", "good"),
        "failed": Badge("Failed", "bad"),
        "bounced": Badge("Bounced", "bad"),
        "opted_out": Badge("Opted out", "warn"),
    }
)

OUTCOMES: Mapping[str, Badge] = MappingProxyType(
    {
        "accepted": Badge("Accepted", "sending"),
        "refused": Badge("Refused", "bad"),
        "unknown": Badge("Unknown", "unsure"),
        "skipped": Badge("Skipped", "warn"),
    }
)

UNTRIED: Mapping[str, Badge] = MappingProxyType(
    {"cancelled": Badge("Cancelled", "draft"), "expired": Badge("Expired", "draft")}
)
"""Why somebody was never tried, where that is a term of the accounting of its own; no failure of delivery. Ledger and
event log call such a recipient failed."""

REASONS: Mapping[str, str] = MappingProxyType(
    {
        "opted_out": "opted out",
        "no_opt_in": "no opt-in",
        "not_opted_in": "no opt-in",
        "invalid_address": "no usable number or device",
        "no_address": "no number or device",
        "no_device": "no device",
        "no_phone": "no phone number",
        "not_in_audience": "neither found by the filter nor added",
        "duplicate": "same address twice",
        "suppressed": "address known to be dead",
        "cancelled": "cancelled before their turn",
        "expired": "too late to be useful",
        "missing_variable": "a value for the text is missing",
        "empty_text": "nothing is left of the text",
        "template_unknown": "the template is gone",
        "provider_missing": "the account is gone",
        "recipient_permanent": "address is dead",
        "recipient_opted_out": "the provider says they opted out",
        "recipient_temporary": "not reachable at the time",
        "throttled": "provider asked for a slower pace",
        "transient": "provider was not well",
        "content": "this message was refused",
        "config": "the account was refused",
        "unknown": "no reason given",
    }
)

EVENTS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "sent": ("The provider accepted it", "accepted"),
        "delivered": ("Delivered", "delivered"),
        "opened": ("Opened", "delivered"),
        "clicked": ("Link followed", "delivered"),
        "failed": ("Failed", "refused"),
        "bounced": ("Bounced: the network could not deliver it", "refused"),
        "opted_out": ("Opted out", "skipped"),
    }
)

FAILURES = ("failed", "bounced")
"""Events that have a reason."""

CURVES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {"sent": ("accepted", "waiting"), "delivered": ("delivered", "delivered"), "opened": ("opened", "accent")}
)
"""What a campaign's curve shows, with the name of its color."""

NAVIGATION: tuple[tuple[str, str, str], ...] = (
    ("/notification", "Dashboard", "read"),
    ("/notification/sms/campaigns", "SMS campaigns", "read"),
    ("/notification/push/campaigns", "Push campaigns", "read"),
    ("/notification/sms/templates", "SMS templates", "read"),
    ("/notification/push/templates", "Push templates", "read"),
    ("/notification/customers", "Customers", "read"),
    ("/notification/providers", "Providers", "read"),
    ("/notification/approvals", "Approvals", "read"),
    ("/notification/users", "People", "admin"),
    ("/notification/api-keys", "API keys", "admin"),
    ("/notification/settings", "Settings", "admin"),
    ("/notification/audit", "Audit log", "admin"),
    ("/notification/dead-letters", "Dead letters", "admin"),
)
"""Address, name, and the scope that one needs."""

APPROVAL_STATES: Mapping[str, Badge] = MappingProxyType(
    {
        "pending": Badge("Waiting", "waits"),
        "approved": Badge("Approved", "good"),
        "performed": Badge("Approved", "good"),
        "rejected": Badge("Rejected", "bad"),
        "void": Badge("No longer valid", "draft"),
        "failed": Badge("Failed", "bad"),
    }
)

DECISIONS: Mapping[str, str] = MappingProxyType(
    {"approve": "Approved. The campaign goes out as it was asked for.", "reject": "Rejected. Nothing is sent."}
)

ROLE_WORDS: Mapping[str, str] = MappingProxyType(
    {
        "viewer": "Viewer: looks",
        "marketer": "Marketer: writes and sends",
        "approver": "Approver: also approves what others send",
        "admin": "Admin: everything, also accounts and people",
    }
)

SCOPE_WORDS: Mapping[str, str] = MappingProxyType(
    {
        "read": "Look at everything",
        "write": "Change templates, campaigns and customers",
        "send": "Let messages go out",
        "admin": "Provider accounts, people and keys",
    }
)

TOPIC_WORDS: Mapping[str, str] = MappingProxyType(
    {
        "send-requests": "Request to send a message",
        "inbound-messages": "What a customer wrote back",
        "preference-changes": "Change of what a customer agreed to",
        "address-verdicts": "News that an address is dead or opted out",
        "tracked-links": "Where a link leads",
        "message-references": "A provider’s number of a message",
    }
)
"""What a tenant's records on Kafka are about, by topic."""

UNKNOWN_COUNTRIES = (None, "", "ZZ")
"""What stands where a country is not known; ISO 3166 keeps ZZ free for that."""

_BY_THE_APP = "this vendor confirms nothing; only your own app can"
CONFIRMATIONS: Mapping[str, str] = MappingProxyType(
    {
        "firebase": _BY_THE_APP,
        "apns": _BY_THE_APP,
        "aws_sns": "this vendor confirms by its logs alone, where they are set up",
    }
)
"""How it becomes known that a message was delivered, of vendors who do not say so by themselves."""

PRICED_AT_ONCE = frozenset({"nexmo"})
"""Vendors who may state a price when they accept a message; of all others, the price of an event is our estimate."""

SAMPLES: Mapping[str, str] = MappingProxyType(
    {
        "next": "The next one",
        "longest": "The longest",
        "shortest": "The shortest",
        "missing": "With missing data",
        "otherAlphabet": "In another alphabet",
    }
)
"""People whose text is worth a look."""

POLICIES: Mapping[str, str] = MappingProxyType(
    {
        "hold": "Never try again: nobody gets a message twice",
        "resend_if_proven_absent": "Try again only where the provider proves that it never had the message",
        "resend": "Try again: some people may get it twice",
    }
)


def reason_words(code: str | None) -> str:
    """A reason in plain words; one that we do not know, without its underscores."""
    return REASONS.get(code or "unknown") or (code or "unknown").replace("_", " ")


def recipient_badges(recipient: Mapping[str, Any]) -> list[Badge]:
    """Where a recipient stands, and what came of the attempt, if that is known."""
    if recipient["outcome"] == "skipped" and recipient["failureReason"] in UNTRIED:
        return [Badge("Not tried", "draft"), UNTRIED[recipient["failureReason"]]]
    stands = badge_of(RECIPIENT_STATUSES, recipient["status"])
    return [stands, badge_of(OUTCOMES, recipient["outcome"])] if recipient["outcome"] else [stands]


def event_words(event: Mapping[str, Any]) -> tuple[str, str]:
    """An entry of the event log in words, and the name of its color."""
    kind, reason = event["eventType"], (event["metadata"] or {}).get("error_class")
    words, look = EVENTS.get(kind, (kind.replace("_", " ").capitalize(), "accepted"))
    if reason in UNTRIED:
        return f"Not tried: {reason_words(reason)}", "skipped"
    return (f"{words}: {reason_words(reason)}" if reason and kind in FAILURES else words), look


def badge_of(table: Mapping[str, Badge], code: str) -> Badge:
    """The badge of a code; a code that is new to us is shown as it is."""
    return table.get(code) or Badge(code.replace("_", " ").capitalize(), "draft")


def waiting_words(reason: str | None) -> str | None:
    """Why a campaign does not move, as a sentence."""
    words = describe_waiting(reason)
    return words and f"{words[0].upper()}{words[1:].replace('_', ' ')}."
