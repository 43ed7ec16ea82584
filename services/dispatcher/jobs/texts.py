"""Content ready to be rendered, the same whether a message is sent or its provider is asked about it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

import msgspec

from contracts.channels import Channel
from contracts.events import Content
from contracts.links import tracked
from services.dispatcher.accounts import Usable
from services.dispatcher.domain import URGENT_LANE
from services.dispatcher.handlers import track
from services.dispatcher.jobs.parts import Sending
from services.dispatcher.rendering import Links, Rendering, rendering


async def prepare_texts(
    sending: Sending,
    channel: Channel,
    usable: Usable,
    user_id: str,
    campaign_id: UUID,
    lane: str,
    snapshot: dict[str, Any],
) -> Rendering:
    """The content's texts; links whose clicks count have their numbers when this returns."""
    content, links = msgspec.convert(snapshot, Content), Links(sending.codes, sending.settings.link_base_url)
    if content.track_links:
        content, destinations = tracked(content)
        links = replace(links, numbers=await track(sending.database, user_id, destinations))
    return rendering(
        channel,
        content,
        links,
        usable.provider_type,
        str(usable.id),
        sending.settings.public_base_url,
        sending.references,
        campaign_id,
        lane == URGENT_LANE,
    )
