"""Recipients of a campaign: the list with its search, and one person's story."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Response

from contracts.channels import Channel
from contracts.http.endpoints import REVEAL
from services.gateway.routes.pages.api import path_of
from services.gateway.routes.pages.desks import AtDesk, Desk
from services.gateway.routes.pages.filters import node_words
from services.gateway.routes.pages.words import (
    CHANNEL_WORDS,
    EVENTS,
    OUTCOMES,
    RECIPIENT_STATUSES,
    UNTRIED,
    ChannelWords,
    event_words,
    reason_words,
)

LIST_LIMIT = 50
STEPS = tuple(EVENTS)
"""What happens to a message, in this order."""

CONSENT = "consent"
"""The rule that is asked again when the turn of a recipient comes."""

WILL_BE_SKIPPED = "Will be skipped when their turn comes"

EVERYTHING = "all"
"""The scope of an opt-out that ends every kind of message."""


def recipient_pages(channel: Channel) -> APIRouter:
    """The pages of one campaign that are about single people."""
    router = APIRouter(prefix=f"/notification/{channel.name}/campaigns/{{campaign_id}}")
    words = CHANNEL_WORDS[channel.name]

    @router.get("/recipients")
    async def list_recipients(
        desk: AtDesk, campaign_id: UUID, status: str = "", outcome: str = "", address: str = "", cursor: str = ""
    ) -> Response:
        at = path_of(channel.name, "campaigns", campaign_id)
        campaign = (await desk.get(at)).data
        filters = {"status": status, "outcome": outcome, channel.address_field: address.strip()}
        found = await desk.get(f"{at}/recipients", **filters, cursor=cursor, limit=LIST_LIMIT)
        return desk.show(
            "campaigns/recipients.html",
            words=words,
            campaign=campaign,
            recipients=found.data,
            address_field=channel.address_field,
            query={"status": status, "outcome": outcome, "address": address},
            cursor=cursor,
            next_cursor=found.body["nextCursor"],
            statuses=RECIPIENT_STATUSES,
            outcomes=OUTCOMES,
        )

    @router.get("/recipients/{recipient_id}")
    async def explain(desk: AtDesk, campaign_id: UUID, recipient_id: UUID) -> Response:
        return await story_page(desk, campaign_id, recipient_id)

    @router.get("/recipients/{recipient_id}/reveal")
    async def hide(desk: AtDesk, campaign_id: UUID, recipient_id: UUID) -> Response:
        """The address of the page with the whole address, when it is loaded again."""
        at = path_of(channel.name, "campaigns", campaign_id, "recipients", recipient_id)
        return desk.go(f"/notification{at}")

    @router.post("/recipients/{recipient_id}/reveal")
    async def reveal(desk: AtDesk, campaign_id: UUID, recipient_id: UUID) -> Response:
        at = path_of(channel.name, "campaigns", campaign_id, "recipients", recipient_id, REVEAL)
        shown = (await desk.do("POST", at)).data
        return await story_page(desk, campaign_id, recipient_id, shown[channel.address_field])

    async def story_page(desk: Desk, campaign_id: UUID, recipient_id: UUID, revealed: str | None = None) -> Response:
        at = path_of(channel.name, "campaigns", campaign_id)
        campaign = (await desk.get(at)).data
        data = (await desk.get(f"{at}/recipients{path_of(recipient_id, 'explain')}")).data
        return desk.show(
            "campaigns/recipient.html",
            words=words,
            campaign=campaign,
            recipient=data["recipient"],
            address=data["recipient"][channel.address_field],
            revealed=revealed,
            rules=[rule_of(rule, words, [data["recipient"]]) for rule in data["rules"] or []],
            story=story_of(data),
            estimate=estimate_of(data),
        )

    @router.get("/explain")
    async def explain_customer(desk: AtDesk, campaign_id: UUID, customer: str) -> Response:
        at = path_of(channel.name, "campaigns", campaign_id)
        campaign = (await desk.get(at)).data
        customer_id = customer.strip()
        found = await desk.unless_missing(f"{at}/explain", customerId=customer_id) if customer_id else None
        return desk.show(
            "campaigns/customer.html",
            words=words,
            campaign=campaign,
            customer_id=customer_id,
            found=found,
            rules=_rules(found, words) if found else [],
            address_field=channel.address_field,
            scope_words=scope_words,
        )

    return router


def rule_of(
    rule: Mapping[str, Any], words: ChannelWords, recipients: Sequence[Mapping[str, Any]] = ()
) -> dict[str, Any]:
    """A rule in words, and the filter's conditions one by one; `verdict` says what it means for the recipients that the
    ledger has, or that it stopped somebody before."""
    details, met = rule["details"], rule["met"]
    said = rule["message"]
    if rule["rule"] == "audience" and details["conditions"] and not met:
        said = "was not added, and the filter does not find them"
    if rule["rule"] == "address":
        count = details["addresses"]
        said = f"has {count or 'no'} {words.address}{'' if count == 1 else 's'}"
    if rule["rule"] == CONSENT and not met:
        scopes = " and ".join(scope_words(scope, words) for scope in details["refusedScopes"])
        said = f"opted out of {scopes} at every {words.address}, or somebody who shares it did"
    verdict = "Passed" if met else "Does not hold now" if recipients else "Stopped here"
    if rule["rule"] == CONSENT and not met and any(one["status"] == "queued" for one in recipients):
        verdict, said = WILL_BE_SKIPPED, f"{said}. {WILL_BE_SKIPPED}"
    conditions = [{"met": one["met"], "words": node_words(one)} for one in details.get("conditions", ())]
    return {"met": met, "verdict": verdict, "words": f"{said[0].upper()}{said[1:]}", "conditions": conditions}


def _rules(found: Mapping[str, Any], words: ChannelWords) -> list[dict[str, Any]]:
    recipients = [one["recipient"] for one in found["recipients"]]
    return [rule_of(rule, words, recipients) for rule in found["rules"]]


def scope_words(scope: str, words: ChannelWords) -> str:
    """What somebody agreed to or opted out of: a choice holds for its channel alone."""
    return f"every {words.message}" if scope == EVERYTHING else f"{words.message}s of the category {scope}"


def story_of(explained: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every attempt and every report about it, in the order in which they happened."""
    recipient = explained["recipient"]
    told = [
        {
            "at": attempt["startedAt"],
            "kind": "waiting",
            "words": f"Attempt {number} was handed to the provider",
            "step": 0,
        }
        for number, attempt in enumerate(explained["attempts"], 1)
    ]
    for event in explained["events"]:
        words, kind = event_words(event)
        metadata = event["metadata"] or {}
        step = STEPS.index(event["eventType"]) if event["eventType"] in STEPS else len(STEPS)
        told.append(
            {"at": event["eventTimestamp"], "kind": kind, "words": words, "metadata": metadata, "step": step + 1}
        )
    told.sort(key=_when)
    is_told = recipient["failureReason"] in UNTRIED and explained["events"]
    if recipient["outcome"] == "skipped" and not is_told:
        told.append({"at": None, "kind": "skipped", "words": f"Skipped: {reason_words(recipient['failureReason'])}"})
    if recipient["outcome"] == "unknown":
        words = "It cannot be known whether the message arrived. It is not sent again, so that nobody gets it twice"
        told.append({"at": None, "kind": "unknown", "words": words})
    if not told:
        will_be_skipped = any(one["rule"] == CONSENT and not one["met"] for one in explained["rules"] or [])
        kind, words = ("skipped", WILL_BE_SKIPPED) if will_be_skipped else ("waiting", "Waiting for their turn")
        told.append({"at": None, "kind": kind, "words": words})
    return told


def estimate_of(explained: Mapping[str, Any]) -> tuple[int, str] | None:
    """(millionths, currency) that the message was counted with before the provider told another price."""
    price = explained["recipient"]["costMicros"], explained["recipient"]["currency"]
    accepted = [one["metadata"] or {} for one in explained["events"] if one["eventType"] == "sent"]
    counted = [(one["cost_micros"], one["currency"]) for one in accepted if {"cost_micros", "currency"} <= one.keys()]
    return counted[0] if counted and counted[0] != price else None


def _when(one: Mapping[str, Any]) -> tuple[datetime, int]:
    """By the second, because that is what vendors tell; within one in the order in which it can only have been."""
    return datetime.fromisoformat(one["at"]).replace(microsecond=0), one["step"]
