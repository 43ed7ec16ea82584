"""The specification's resources as the API shows them: its columns in camelCase, and ours."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from contracts.http.campaigns import Category, UnknownPolicy
from contracts.http.described.words import (
    Attributes,
    CampaignStatus,
    CampaignType,
    Count,
    DeviceType,
    Finding,
    Id,
    NotificationEventType,
    NotificationStatus,
    Outcome,
    PushProviderType,
    Shown,
    SMSProviderType,
    Time,
)

Secret = Annotated[str | None, Field(description="Masked: secrets go in and never come out.")]


class _Provider(Shown):
    id: Id
    user_id: str
    provider_name: str
    api_key: Secret = None
    api_secret: Secret = None
    sender_id: str | None = None
    is_active: bool
    config: Annotated[Attributes, Field(description="What the provider needs besides; secrets in it are masked.")]
    created_at: Time


class SMSProvider(_Provider):
    """An account with an SMS provider. Fields that were not set are left out."""

    provider_type: SMSProviderType
    account_sid: str | None = None
    phone_number: str | None = None


class PushProvider(_Provider):
    """An account with a push provider. Fields that were not set are left out."""

    provider_type: PushProviderType
    server_key: Secret = None


class _Template(Shown):
    id: Id
    user_id: str
    template_name: str
    variables: Annotated[list[str], Field(description="Placeholders that the texts use.")]
    description: str | None
    version: int
    created_at: Time
    updated_at: Time
    warnings: Annotated[list[Finding], Field(description="What could be better; nothing in it forbids sending.")]


class SMSTemplate(_Template):
    """A text message with placeholders."""

    content: str
    character_count: Count
    segments: Annotated[int, Field(ge=1, description="Parts that are charged, with a sample customer's values.")]
    encoding: str


class PushTemplate(_Template):
    """A push notification with placeholders."""

    title: str
    body: str
    image_url: str | None
    action_url: str | None


class CampaignProgress(Shown):
    """The newest sums of the ledger."""

    terms: dict[str, Any]
    final: Annotated[bool, Field(description="Nobody waits and nothing is in flight.")]
    waiting_reason: str | None
    eta: Time | None


class _Campaign(Shown):
    id: Id
    user_id: str
    campaign_name: str
    template_id: Id
    provider_id: Id | None
    description: str | None
    status: CampaignStatus
    status_reason: str | None
    scheduled_send_time: Time | None
    launched_at: Time | None
    sent_at: Time | None
    audience_filter: Attributes | None
    audience: Annotated[int | None, Field(description="How many people the filter found, once it is known.")]
    progress: CampaignProgress | None
    category: Category
    unknown_policy: UnknownPolicy
    version: int
    created_at: Time
    updated_at: Time
    blockers: Annotated[list[Finding] | None, Field(description="What keeps it from being sent; not in lists.")] = None
    warnings: Annotated[list[Finding] | None, Field(description="What could be better; not in lists.")] = None


class SMSCampaign(_Campaign):
    """Whom to send which SMS, through which account, when."""


class PushCampaign(_Campaign):
    """Whom to send which push notification, through which account, when."""


class _Recipient(Shown):
    id: Id
    campaign_id: Id
    user_id: str | None = None
    customer_id: str | None
    recipient_name: str | None
    status: NotificationStatus
    outcome: Annotated[Outcome | None, Field(description="What became of the attempt; null before.")]
    attempts: Count | None = None
    attempted_at: Time | None = None
    accepted_at: Time | None = None
    delivered_at: Annotated[Time | None, Field(description="Only what somebody has confirmed.")] = None
    failure_reason: str | None = None
    error_class: str | None = None
    provider_message_id: str | None = None
    segments: int | None = None
    cost_micros: Annotated[int | None, Field(description="Millionths of `currency`.")] = None
    currency: str | None = None
    personalization_data: Attributes | None


class SMSCampaignRecipient(_Recipient):
    """One person at one phone number in one campaign. Before the launch: those who were added, as far as is known."""

    phone_number: str | None
    read_at: Time | None = None


class PushCampaignRecipient(_Recipient):
    """One device in one campaign. Before the launch: those who were added, as far as is known."""

    device_token: str | None
    device_type: DeviceType | None = None
    opened_at: Time | None = None
    clicked_at: Time | None = None


class NotificationPreferences(Shown):
    """What a customer agreed to. Categories that are null mean all of them."""

    id: Id
    user_id: str
    customer_id: str
    phone_number: str | None
    device_token: str | None
    sms_opted_in: bool
    push_opted_in: bool
    marketing_opted_in: bool
    transactional_opted_in: bool
    sms_categories: list[str] | None
    push_categories: list[str] | None
    updated_at: Time


class NotificationEvent(Shown):
    """One line of the event log."""

    id: Id
    campaign_id: Id
    recipient_id: Id
    campaign_type: CampaignType
    user_id: str
    event_type: NotificationEventType
    event_timestamp: Time
    metadata: Attributes | None


PROVIDERS: dict[str, type[Shown]] = {"sms": SMSProvider, "push": PushProvider}
TEMPLATES: dict[str, type[Shown]] = {"sms": SMSTemplate, "push": PushTemplate}
CAMPAIGNS: dict[str, type[Shown]] = {"sms": SMSCampaign, "push": PushCampaign}
RECIPIENTS: dict[str, type[Shown]] = {"sms": SMSCampaignRecipient, "push": PushCampaignRecipient}
