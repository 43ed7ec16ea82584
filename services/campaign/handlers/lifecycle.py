"""Commands on campaigns, and what they tell the fleet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from contracts import topics
from contracts.channels import CHANNELS, Channel
from contracts.events import (
    CampaignCancelled,
    CampaignChanged,
    CampaignLaunched,
    CampaignPaused,
    CampaignResumed,
    Content,
    TemplateChanged,
)
from contracts.http.plans import Finding
from services.campaign import metrics, store
from services.campaign.domain.states import Action, Status, move
from services.campaign.domain.templates import content_of
from services.campaign.handlers.planning import find_needs, plan_from
from services.campaign.tables import CAMPAIGNS
from shared.codec import now
from shared.database import Database, SqlConnection, raw
from shared.ids import new_id
from shared.outbox import Outgoing, put

Row = Mapping[Any, Any]

AT_ONCE_MAX = 100
"""Scheduled campaigns started in one round."""


class NotReady(ValueError):
    """What the campaign needs is missing; each blocker says what to change."""

    def __init__(self, blockers: Sequence[Finding]) -> None:
        super().__init__("; ".join(f"{one.field} {one.message}" for one in blockers))
        self.blockers = blockers


class PlanChanged(ValueError):
    """What would be sent is not what was agreed to; the text says so to people."""

    def __init__(self) -> None:
        super().__init__("what it would send was changed after it was agreed to")


def template_changed(channel: Channel, row: Row, deleted: bool = False) -> Outgoing:
    """The template's present state for those who keep a copy."""
    event = TemplateChanged(
        event_id=new_id(),
        occurred_at=now(),
        template_id=row["id"],
        user_id=row["user_id"],
        channel=channel.name,
        version=row["version"] + deleted,
        template_name=row["template_name"],
        content=content_of(channel, row),
        deleted=deleted,
    )
    return Outgoing(topics.TEMPLATE_CHANGES, str(row["id"]), event)


def campaign_changed(channel: Channel, row: Row, deleted: bool = False) -> Outgoing:
    """The campaign's present state for those who keep a copy."""
    event = CampaignChanged(
        event_id=new_id(),
        occurred_at=now(),
        campaign_id=row["id"],
        user_id=row["user_id"],
        channel=channel.name,
        version=row["version"] + deleted,
        campaign_name=row["campaign_name"],
        status=row["status"],
        created_at=row["created_at"],
        scheduled_send_time=row["scheduled_send_time"],
        sent_at=row["sent_at"],
        deleted=deleted,
    )
    return Outgoing(topics.CAMPAIGN_CHANGES, str(row["id"]), event)


async def act(
    connection: SqlConnection,
    channel: Channel,
    row: Row,
    action: Action,
    reason: str | None = None,
    scheduled_send_time: datetime | None = None,
    agreed: str | None = None,
) -> Row:
    """Does one thing to a locked campaign and says so; raises `NotPossible`, `NotReady` or `PlanChanged`, and then
    changes nothing. `agreed` is the digest of the only plan that may be sent, now or at the time it is scheduled for.
    """
    status = move(Status(row["status"]), action)
    values: dict[str, Any] = {"status": status.value, "status_reason": reason}
    launch: tuple[UUID, Content] | None = None
    if action is Action.SEND:
        launch = await _ready(connection, channel, row, agreed or row["agreed_plan"])
        values |= {"launched_at": now(), "provider_id": launch[0]}
    elif action is Action.SCHEDULE:
        await _ready(connection, channel, row, agreed)
        values |= {"scheduled_send_time": scheduled_send_time, "agreed_plan": agreed}
    elif action is Action.FINISH:
        values["sent_at"] = now()
    changed = await store.update_row(connection, CAMPAIGNS[channel.name], row["id"], values)
    records = [campaign_changed(channel, changed)]
    if lifecycle := _lifecycle(channel, row, changed, action, launch):
        records.append(lifecycle)
    await put(await raw(connection), records)
    metrics.TRANSITIONS.labels(channel.name, status.value).inc()
    return changed


async def _ready(connection: SqlConnection, channel: Channel, row: Row, agreed: str | None) -> tuple[UUID, Content]:
    """Account and content of a campaign that is to be sent."""
    needs = await find_needs(connection, channel, row)
    if needs.provider_id is None or needs.content is None:
        raise NotReady(needs.blockers)
    if agreed is not None and plan_from(row, needs).digest != agreed:
        raise PlanChanged
    return needs.provider_id, needs.content


def _lifecycle(
    channel: Channel, old: Row, row: Row, action: Action, launch: tuple[UUID, Content] | None
) -> Outgoing | None:
    fields: dict[str, Any] = {
        "event_id": new_id(),
        "occurred_at": now(),
        "campaign_id": row["id"],
        "user_id": row["user_id"],
        "channel": channel.name,
        "version": row["version"],
    }
    event: CampaignLaunched | CampaignPaused | CampaignResumed | CampaignCancelled
    if launch is not None:
        event = CampaignLaunched(
            **fields,
            provider_id=launch[0],
            content=launch[1],
            category=row["category"],
            unknown_policy=row["unknown_policy"],
            audience_filter=row["audience_filter"],
        )
    elif action is Action.PAUSE:
        event = CampaignPaused(**fields, reason=row["status_reason"] or "paused")
    elif action is Action.RESUME:
        event = CampaignResumed(**fields)
    elif action is Action.CANCEL and old["launched_at"] is not None:
        event = CampaignCancelled(**fields)
    else:
        return None
    return Outgoing(topics.CAMPAIGN_LIFECYCLE, str(row["id"]), event)


async def send_due(database: Database) -> int:
    """Starts scheduled campaigns whose time has come; one that cannot start fails with the reason."""
    started = 0
    for channel in CHANNELS.values():
        while started < AT_ONCE_MAX:
            async with database.begin() as connection:
                row = await store.claim_due(connection, channel.name, now())
                if row is None:
                    break
                try:
                    await act(connection, channel, row, Action.SEND)
                except (NotReady, PlanChanged) as error:
                    await act(connection, channel, row, Action.FAIL, reason=str(error))
                started += 1
    return started
