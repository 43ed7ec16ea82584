"""Why a customer is or is not among a campaign's recipients: each rule of the expansion, asked of one person."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from contracts.channels import Channel
from contracts.events import Content
from services.audience.domain.additions import Addition
from services.audience.domain.consent import ALL
from services.audience.domain.lots import variables_of
from services.audience.store import explaining, preferences, requests
from services.audience.store.explaining import Launch
from services.audience.store.filters import compile_filter, compile_leaves
from services.audience.tables import REACHES
from shared.codec import now
from shared.database import Connection

CONSENT_CHANGES_MAX = 20


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule; `met` says that it lets the customer in. `details` are for programs."""

    rule: str
    met: bool
    message: str
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Explanation:
    """The rules in the order in which an expansion applies them; `decision` is `recipient` or a reason.

    `certain` is False where something that was changed after the launch may have been otherwise then.
    """

    decision: str
    certain: bool
    launched_at: datetime | None
    evaluated_at: datetime
    rules: list[Rule]
    addresses: list[str]
    consent_changes: list[dict[str, Any]]


async def explain_customer(
    connection: Connection, user_id: str, channel: Channel, campaign_id: UUID, customer_id: str, plan: Launch
) -> Explanation | None:
    """Asks every rule, by what is known now and what the campaign was launched with, or else is planned.

    None where there is neither such a customer nor such an addition.
    """
    launch = await explaining.find_launch(connection, user_id, campaign_id)
    asked = launch or plan
    changed_at = await explaining.find_changed_at(connection, user_id, customer_id)
    if changed_at is None:
        return None
    digest = Addition(customer_id=customer_id).digest
    added = await explaining.find_addition(connection, user_id, campaign_id, channel.name, digest)
    found = await preferences.find_addresses(connection, user_id, channel.name, [customer_id])
    addresses = sorted(found.get(customer_id, {}))
    suppressions = await explaining.find_suppressions(connection, user_id, channel.name, addresses)
    changes = await explaining.find_consent_log(connection, user_id, channel.name, customer_id, CONSENT_CHANGES_MAX)
    rules = [
        await _audience_rule(connection, user_id, customer_id, asked.audience_filter, added is not None),
        _address_rule(channel, addresses),
        await _consent_rule(connection, user_id, channel, addresses, asked.category),
        _suppression_rule(addresses, {address for address, reason, _, _ in suppressions if reason == "dead"}),
        await _variables_rule(connection, user_id, customer_id, asked.content, added or {}),
    ]
    later = [changed_at, *(at for *_, at in suppressions), *(at for *_, at in changes)]
    return Explanation(
        decision=next(
            (_REASONS.get(one.rule) or REACHES[channel.name].missing for one in rules if not one.met), RECIPIENT
        ),
        certain=launch is None or all(at <= launch.launched_at for at in later),
        launched_at=None if launch is None else launch.launched_at,
        evaluated_at=now(),
        rules=rules,
        addresses=addresses,
        consent_changes=[
            {"scope": scope, "optedOut": opted_out, "source": source, "at": at}
            for scope, opted_out, source, at in changes
        ],
    )


RECIPIENT = "recipient"
_REASONS = {
    "audience": "not_in_audience",
    "consent": "opted_out",
    "suppression": "suppressed",
    "variables": "missing_variable",
}
"""The reason of exclusion by the rule that was not met; that of a missing address depends on the channel."""


async def _audience_rule(
    connection: Connection, user_id: str, customer_id: str, audience_filter: dict[str, Any] | None, is_added: bool
) -> Rule:
    condition = compile_filter(audience_filter)
    conditions: list[dict[str, Any]] = []
    is_found = False
    if condition is not None and audience_filter is not None:
        leaves = compile_leaves(audience_filter, condition)
        is_found, met = await explaining.find_met(connection, user_id, customer_id, condition, leaves)
        conditions = [
            {"path": leaf.path, "met": one, **{name: leaf.node.get(name) for name in ("field", "op", "value")}}
            for leaf, one in zip(leaves, met, strict=True)
        ]
    if is_added:
        message = "was added to the campaign by hand or by a file"
    elif condition is None:
        message = "was not added, and the campaign has no filter"
    elif is_found:
        message = "is found by the campaign's filter"
    else:
        failed = ", ".join(f"{one['field']} {one['op']}" for one in conditions if not one["met"])
        message = f"was not added, and is not found by the filter ({failed})"
    return Rule("audience", is_added or is_found, message, {"added": is_added, "conditions": conditions})


def _address_rule(channel: Channel, addresses: list[str]) -> Rule:
    message = f"has {len(addresses)} ({channel.address_field})" if addresses else f"has no {channel.address_field}"
    return Rule("address", bool(addresses), message, {"addresses": len(addresses)})


async def _consent_rule(
    connection: Connection, user_id: str, channel: Channel, addresses: list[str], category: str
) -> Rule:
    consents = await preferences.find_consents(connection, user_id, channel.name, addresses)
    refused = {
        address: [scope for scope in (ALL, category) if not all(one.allows(scope) for one in consents.get(address, ()))]
        for address in addresses
    }
    is_allowed = not addresses or any(not scopes for scopes in refused.values())
    scopes = sorted({scope for scopes in refused.values() for scope in scopes})
    message = (
        f"accepts messages of the category {category}"
        if is_allowed
        else f"refuses messages at every address, as the customer or as somebody who shares it ({', '.join(scopes)})"
    )
    return Rule("consent", is_allowed, message, {"category": category, "refusedScopes": scopes})


def _suppression_rule(addresses: list[str], dead: set[str]) -> Rule:
    is_usable = not addresses or bool(set(addresses) - dead)
    message = (
        "has an address that works, as far as is known" if is_usable else "has only addresses that no longer exist"
    )
    return Rule("suppression", is_usable, message, {"dead": len(dead)})


async def _variables_rule(
    connection: Connection, user_id: str, customer_id: str, content: Content, given: dict[str, str]
) -> Rule:
    _, required = variables_of(content)
    people = await requests.find_people(connection, [(user_id, customer_id)])
    known = people.get((user_id, customer_id), {}) | given | {f"attributes.{name}": one for name, one in given.items()}
    missing = sorted(name for name in required if known.get(name) in (None, ""))
    message = (
        f"has no value for {', '.join(missing)}" if missing else "has a value for every placeholder that needs one"
    )
    return Rule("variables", not missing, message, {"missing": missing})
