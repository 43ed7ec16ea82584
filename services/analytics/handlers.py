"""What the analytics service does when it hears something."""

from __future__ import annotations

from collections.abc import Sequence

from contracts.channels import CHANNELS
from contracts.events import CampaignChanged, NotificationsRecorded, ProviderChanged, TemplateChanged
from contracts.events.delivery import EVENT_TYPES
from services.analytics import metrics
from services.analytics.store.dashboard import mark_campaigns, mark_things
from services.analytics.store.events import insert_records
from shared.database import Database
from shared.errors import Rejected


async def on_notifications_recorded(database: Database, records: Sequence[NotificationsRecorded]) -> None:
    """Writes each event once and counts it in the same transaction."""
    for record in records:
        if record.channel not in CHANNELS:
            raise Rejected(f"unknown channel {record.channel!r}")
        if unknown := {event.event_type for event in record.events}.difference(EVENT_TYPES):
            raise Rejected(f"unknown event types {sorted(unknown)}")
    async with database.transaction() as connection:
        fresh = await insert_records(connection, records)
    for channel, event_type, count in fresh:
        metrics.EVENTS.labels(channel, event_type).inc(count)


async def on_campaigns_changed(database: Database, changes: Sequence[CampaignChanged]) -> None:
    """Keeps the newest state of each campaign."""
    async with database.transaction() as connection:
        await mark_campaigns(connection, changes)


async def on_templates_changed(database: Database, changes: Sequence[TemplateChanged]) -> None:
    """Keeps how many templates there are."""
    async with database.transaction() as connection:
        await mark_things(connection, "template", [(change.template_id, change) for change in changes])


async def on_providers_changed(database: Database, changes: Sequence[ProviderChanged]) -> None:
    """Keeps how many provider accounts there are."""
    async with database.transaction() as connection:
        await mark_things(connection, "provider", [(change.provider_id, change) for change in changes])
