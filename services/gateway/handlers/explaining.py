"""Why somebody is in or out of a campaign, and what became of the message."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, quote, urlencode

import msgspec

from contracts.http.endpoints import BASE
from contracts.http.plans import CampaignPlan
from services.gateway.handlers.asking import Asked, Unwanted, answer_with
from services.gateway.store.answers import Answer
from shared.http import Problem

EVENTS_MAX = 100
"""Of one recipient, in an explanation."""

RECIPIENT = "recipient"


async def explain(asked: Asked) -> Answer:
    """Why a customer is in or out, and what became of the messages to their addresses."""
    customer_id = _one_of_query(asked.query, "customerId")
    plan = await asked.plan()
    rules = await _rules(asked, plan, customer_id)
    found = []
    for address in rules.pop("addresses"):
        found += await _recipients_at(asked, address)
    own = [one for one in found if one["customerId"] == customer_id]
    if own:
        rules["decision"] = RECIPIENT
    elif found and rules["decision"] == RECIPIENT:
        rules["decision"] = "duplicate"
        rules["rules"].append(
            {
                "rule": "duplicate",
                "met": False,
                "message": "the address was reached already, as somebody else's",
                "details": {"recipientIds": [one["id"] for one in found]},
            }
        )
    stories = [await _story(asked, one["id"]) for one in own]
    return answer_with({"customerId": customer_id, **rules, "recipients": stories})


async def explain_recipient(asked: Asked) -> Answer:
    """One recipient, of a campaign or of a single message: the rules that let them in, each attempt, each thing that
    was heard since."""
    story = await _story(asked, quote(asked.names["recipientId"], safe=""))
    customer_id = story["recipient"]["customerId"]
    rules: dict[str, Any] | None = None
    if customer_id is not None:
        try:
            rules = await _rules(asked, await asked.plan(), customer_id)
            del rules["addresses"]
        except Unwanted as problem:
            if problem.answer.status != 404:
                raise
    return answer_with({**story, "rules": None if rules is None else rules["rules"], "audience": rules})


async def _rules(asked: Asked, plan: CampaignPlan, customer_id: str) -> dict[str, Any]:
    target = f"{asked.internal('explain')}?{urlencode({'customerId': customer_id})}"
    found: dict[str, Any] = await asked.want("audience", "POST", target, msgspec.json.encode(plan))
    return found


async def _recipients_at(asked: Asked, address: str) -> list[dict[str, Any]]:
    target = f"{BASE}/{asked.channel.name}/campaigns/{asked.campaign_id}/recipients"
    query = urlencode({asked.channel.address_field: address})
    found: list[dict[str, Any]] = await asked.want("dispatcher", "GET", f"{target}?{query}")
    return found


async def _story(asked: Asked, recipient_id: str) -> dict[str, Any]:
    """The ledger's word and the event log's about one recipient."""
    target = f"{BASE}/{asked.channel.name}/campaigns/{asked.campaign_id}/recipients/{recipient_id}/explain"
    story: dict[str, Any] = await asked.want("dispatcher", "GET", target)
    query = urlencode({"campaignId": asked.campaign_id, "recipientId": recipient_id, "limit": EVENTS_MAX})
    story["events"] = await asked.want("analytics", "GET", f"{BASE}/events?{query}")
    return story


def _one_of_query(query: str, name: str) -> str:
    found = parse_qs(query).get(name, [])
    if len(found) != 1:
        raise Problem(422, "Invalid input", errors=[{"field": name, "message": "is required, once"}])
    return found[0]
