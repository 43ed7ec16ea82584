"""Recipients of a campaign: the list with its search, and one person's story."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Response

from contracts.channels import Channel
from services.gateway.routes.pages.api import path_of
from services.gateway.routes.pages.desks import AtDesk
from services.gateway.routes.pages.words import CHANNEL_WORDS, EVENTS, OUTCOMES, RECIPIENT_STATUSES, reason_words

LIST_LIMIT = 50
EVENTS_MAX = 100


def recipient_pages(channel: Channel) -> APIRouter:
    """The pages under `/{channel}/campaigns/{id}/recipients`."""
    router = APIRouter(prefix=f"/notification/{channel.name}/campaigns/{{campaign_id}}/recipients")
    words = CHANNEL_WORDS[channel.name]

    @router.get("")
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

    @router.get("/{recipient_id}")
    async def explain(desk: AtDesk, campaign_id: UUID, recipient_id: UUID) -> Response:
        at = path_of(channel.name, "campaigns", campaign_id)
        campaign = (await desk.get(at)).data
        data = (await desk.get(f"{at}/recipients{path_of(recipient_id, 'explain')}")).data
        events = (await desk.get("/events", campaignId=campaign_id, recipientId=recipient_id, limit=EVENTS_MAX)).data
        return desk.show(
            "campaigns/recipient.html",
            words=words,
            campaign=campaign,
            recipient=data["recipient"],
            address=data["recipient"][channel.address_field],
            story=story_of(data, events),
        )

    return router


def story_of(explained: dict[str, Any], events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Every attempt and every report about it, in the order in which they happened."""
    recipient = explained["recipient"]
    told = [
        {"at": attempt["startedAt"], "kind": "waiting", "words": f"Attempt {number} was handed to the provider"}
        for number, attempt in enumerate(explained["attempts"], 1)
    ]
    for event in events:
        words, kind = EVENTS.get(event["eventType"], (event["eventType"].replace("_", " ").capitalize(), "accepted"))
        metadata = event["metadata"] or {}
        if event["eventType"] in ("failed", "bounced") and metadata.get("error_class"):
            words = f"{words}: {reason_words(metadata['error_class'])}"
        told.append({"at": event["eventTimestamp"], "kind": kind, "words": words, "metadata": metadata})
    told.sort(key=lambda one: str(one["at"]))
    if recipient["outcome"] == "skipped":
        told.append({"at": None, "kind": "skipped", "words": f"Skipped: {reason_words(recipient['failureReason'])}"})
    if recipient["outcome"] == "unknown":
        words = "It cannot be known whether the message arrived. It is not sent again, so that nobody gets it twice"
        told.append({"at": None, "kind": "unknown", "words": words})
    if not told:
        told.append({"at": None, "kind": "waiting", "words": "Waiting for their turn"})
    return told
