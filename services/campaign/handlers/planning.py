"""What a campaign would do if it were sent now, what keeps it from that, and what a person should look at before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from contracts.channels import Channel
from contracts.events import Content
from contracts.http.plans import CampaignPlan, Finding
from services.campaign import store
from services.campaign.domain.images import image_of
from services.campaign.domain.templates import NO_UNSUBSCRIBE, body_field, check_template
from services.campaign.tables import TEMPLATES
from shared.database import SqlConnection

Row = Mapping[Any, Any]

TRANSACTIONAL = "transactional"
"""The category of what nobody can unsubscribe from by a link in each message."""


def content_of(channel: Channel, template: Row) -> Content:
    """A template as it is sent."""
    if channel.title_max is None:
        return Content(body=template[body_field(channel)])
    return Content(
        body=template["body"],
        title=template["title"],
        image_url=template["image_url"],
        action_url=template["action_url"],
    )


async def plan_of(connection: SqlConnection, channel: Channel, row: Row) -> CampaignPlan:
    """The plan of a campaign in whatever state."""
    blockers: list[Finding] = []
    template = await store.find_row(connection, TEMPLATES[channel.name], row["user_id"], row["template_id"])
    if template is None:
        blockers.append(Finding(code="no_template", field="templateId", message="names no template of this channel"))
    provider_id = await store.find_usable_provider(connection, row["user_id"], channel.name, row["provider_id"])
    if provider_id is None:
        blockers.append(await _why_no_provider(connection, channel, row))
    warnings = check_template(channel, template, image_of(template)).warnings if template is not None else []
    return CampaignPlan(
        campaign_id=row["id"],
        status=row["status"],
        category=row["category"],
        content=None if template is None else content_of(channel, template),
        provider_id=provider_id,
        audience_filter=row["audience_filter"],
        blockers=blockers,
        warnings=[one for one in warnings if one.code != NO_UNSUBSCRIBE or row["category"] != TRANSACTIONAL],
    )


async def _why_no_provider(connection: SqlConnection, channel: Channel, row: Row) -> Finding:
    named: UUID | None = row["provider_id"]
    if named is None:
        message = "no account of this channel is active: add one, or activate one"
        return Finding(code="no_provider", field="providerId", message=message)
    if await store.has_provider(connection, row["user_id"], channel.name, named):
        message = "names an account that is switched off: activate it, or choose another"
        return Finding(code="provider_inactive", field="providerId", message=message)
    return Finding(code="no_provider", field="providerId", message="names no account of this channel")
