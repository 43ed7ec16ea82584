"""What the campaign service says."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from contracts.events.event import Event, Record


class Content(Record, frozen=True, kw_only=True):
    """What is sent, as templates; `title`, `image_url`, `action_url` and `data` are for channels that know them.

    With `track_links` the links of body and action URL are sent as links of ours, whose clicks are counted.
    """

    body: str
    title: str | None = None
    image_url: str | None = None
    action_url: str | None = None
    data: dict[str, str] | None = None
    track_links: bool = False


class CampaignLaunched(Event, frozen=True, kw_only=True):
    """A campaign starts. The content is a snapshot: later edits of the template do not reach it.

    `audience_filter` is the filter language of the API; None or {} means the added recipients only.
    `unknown_policy` is hold, resend_if_proven_absent or resend. `version` orders the lifecycle events of one
    campaign: a reader ignores what is not newer than what it has.
    """

    campaign_id: UUID
    user_id: str
    channel: str
    version: int
    provider_id: UUID
    content: Content
    category: str
    unknown_policy: str
    audience_filter: dict[str, Any] | None = None


class CampaignPaused(Event, frozen=True, kw_only=True):
    """No further attempt of this campaign may be committed; `reason` is shown to people."""

    campaign_id: UUID
    user_id: str
    channel: str
    version: int
    reason: str


class CampaignResumed(Event, frozen=True, kw_only=True):
    """Attempts may be made again."""

    campaign_id: UUID
    user_id: str
    channel: str
    version: int


class CampaignCancelled(Event, frozen=True, kw_only=True):
    """What is not yet attempted never will be; the recipients concerned are skipped as cancelled."""

    campaign_id: UUID
    user_id: str
    channel: str
    version: int


class CampaignChanged(Event, frozen=True, kw_only=True):
    """The current state of a campaign for read models; key is the campaign, the newest record wins.

    `deleted` says that it is gone.
    """

    campaign_id: UUID
    user_id: str
    channel: str
    version: int
    campaign_name: str
    status: str
    created_at: datetime
    scheduled_send_time: datetime | None = None
    sent_at: datetime | None = None
    deleted: bool = False


class TemplateChanged(Event, frozen=True, kw_only=True):
    """The current state of a template; key is the template, the newest record wins. `deleted` says that it is gone."""

    template_id: UUID
    user_id: str
    channel: str
    version: int
    template_name: str
    content: Content
    deleted: bool = False
