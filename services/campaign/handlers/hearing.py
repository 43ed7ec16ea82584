"""What the fleet reports about campaigns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from contracts.channels import CHANNELS, Channel
from contracts.events import AudienceResolved, CampaignHalted, CampaignProgressed, ProviderChanged
from services.campaign import store
from services.campaign.domain.states import Action, NotPossible, Status
from services.campaign.handlers.lifecycle import act
from services.campaign.tables import CAMPAIGNS
from shared.database import Database, SqlConnection
from shared.errors import Rejected

Row = Mapping[Any, Any]


async def on_audience_resolved(database: Database, events: Sequence[AudienceResolved]) -> None:
    """Shows how many people the filter found."""
    for event in events:
        if event.channel not in CHANNELS:
            raise Rejected(f"unknown channel {event.channel!r}")
        async with database.begin() as connection:
            await store.mark_audience(connection, event.channel, event.campaign_id, event.audience)


async def on_campaign_progressed(database: Database, events: Sequence[CampaignProgressed | CampaignHalted]) -> None:
    """Shows the newest progress; a campaign in which nobody waits any more is sent, a halted one is paused."""
    for event in events:
        channel = CHANNELS.get(event.channel)
        if channel is None:
            raise Rejected(f"unknown channel {event.channel!r}")
        async with database.begin() as connection:
            row = await store.find_campaign_anywhere(connection, channel.name, event.campaign_id)
            if isinstance(event, CampaignHalted):
                await _pause_halted(connection, channel, row, event)
                continue
            if row is None or row["progress_version"] >= event.version:
                continue
            await store.mark_progress(connection, event)
            if event.final:
                try:
                    await act(connection, channel, row, Action.FINISH)
                except NotPossible:
                    continue


async def _pause_halted(connection: SqlConnection, channel: Channel, row: Row | None, event: CampaignHalted) -> None:
    """Pauses once; whoever has resumed the campaign since has looked at the reason."""
    if row is None or row["halted_at"] is not None:
        return
    row = await store.update_row(connection, CAMPAIGNS[channel.name], row["id"], {"halted_at": event.occurred_at})
    if Status(row["status"]) is Status.SENDING:
        await act(connection, channel, row, Action.PAUSE, event.reason)


async def on_providers_changed(database: Database, changes: Sequence[ProviderChanged]) -> None:
    """Keeps which accounts can be sent with."""
    async with database.begin() as connection:
        await store.mark_providers(connection, changes)
