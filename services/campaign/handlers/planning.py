"""What a campaign would do if it were sent now, what keeps it from that, and what a person should look at before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec

from contracts.channels import Channel
from contracts.events import Content
from contracts.http.plans import CampaignPlan, Finding
from services.campaign import store
from services.campaign.domain.images import image_of
from services.campaign.domain.templates import NO_UNSUBSCRIBE, check_template, content_of
from services.campaign.tables import TEMPLATES
from shared.database import SqlConnection

Row = Mapping[Any, Any]

TRANSACTIONAL = "transactional"
"""The category of what nobody can unsubscribe from by a link in each message."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What a campaign needs to be sent, as far as it is there, and what to do about the rest."""

    template: Row | None
    content: Content | None
    provider_id: UUID | None
    blockers: list[Finding]


async def find_needs(connection: SqlConnection, channel: Channel, row: Row) -> Needs:
    """The same for sending and for showing."""
    blockers: list[Finding] = []
    content = None
    template = await store.find_row(connection, TEMPLATES[channel.name], row["user_id"], row["template_id"])
    if template is None:
        blockers.append(Finding(code="no_template", field="templateId", message="names no template of this channel"))
    else:
        content = content_of(channel, template)
        if row["track_links"] is not None:
            content = msgspec.structs.replace(content, track_links=row["track_links"])
    provider_id = await store.find_usable_provider(connection, row["user_id"], channel.name, row["provider_id"])
    if provider_id is None:
        blockers.append(await _why_no_provider(connection, channel, row))
    return Needs(template, content, provider_id, blockers)


async def plan_of(connection: SqlConnection, channel: Channel, row: Row, link_base_url: str) -> CampaignPlan:
    """The plan of a campaign in whatever state."""
    needs, warnings = await find_needs(connection, channel, row), list[Finding]()
    if needs.template is not None and needs.content is not None:
        values = {**needs.template, "track_links": needs.content.track_links}
        warnings = check_template(channel, values, link_base_url, image_of(needs.template)).warnings
    warnings = [one for one in warnings if one.code != NO_UNSUBSCRIBE or row["category"] != TRANSACTIONAL]
    return plan_from(row, needs, warnings)


def plan_from(row: Row, needs: Needs, warnings: Sequence[Finding] = ()) -> CampaignPlan:
    """The plan, with the warnings that somebody has looked for."""
    return CampaignPlan(
        campaign_id=row["id"],
        status=row["status"],
        scheduled_send_time=row["scheduled_send_time"],
        category=row["category"],
        unknown_policy=row["unknown_policy"],
        content=needs.content,
        provider_id=needs.provider_id,
        audience_filter=row["audience_filter"],
        blockers=needs.blockers,
        warnings=list(warnings),
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
