"""The specification's words, under the names that it gives to their types."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel
from typing_extensions import TypeAliasType

SMSProviderType = TypeAliasType("SMSProviderType", Literal["twilio", "aws_sns", "nexmo", "sinch"])
PushProviderType = TypeAliasType("PushProviderType", Literal["firebase", "onesignal", "aws_sns", "apns"])
NotificationStatus = TypeAliasType(
    "NotificationStatus", Literal["queued", "sending", "delivered", "failed", "bounced", "opted_out"]
)
NotificationEventType = TypeAliasType(
    "NotificationEventType", Literal["sent", "delivered", "opened", "clicked", "failed", "bounced", "opted_out"]
)
DeviceType = TypeAliasType("DeviceType", Literal["ios", "android", "web", "unknown"])
CampaignType = TypeAliasType("CampaignType", Literal["sms", "push"])
CampaignStatus = TypeAliasType(
    "CampaignStatus", Literal["draft", "scheduled", "sending", "sent", "paused", "failed", "cancelled"]
)
DrainReason = TypeAliasType(
    "DrainReason", Literal["forecast_running", "no_provider", "provider_unusable", "speed_unknown"]
)
Outcome = TypeAliasType("Outcome", Literal["accepted", "refused", "unknown", "skipped"])

EXAMPLE_ID = "01920c5e-7b2a-7c3d-8e4f-5a6b7c8d9e0f"
EXAMPLE_TIME = "2026-01-31T09:00:00Z"

Id = Annotated[str, Field(json_schema_extra={"format": "uuid", "examples": [EXAMPLE_ID]})]
"""Opaque: how it is made up may change."""

Time = Annotated[datetime, Field(json_schema_extra={"examples": [EXAMPLE_TIME]})]
Count = Annotated[int, Field(ge=0)]
Percent = Annotated[float, Field(ge=0, description="Per cent, with one decimal.")]
Attributes = dict[str, Any]
ByReason = dict[str, Count]


class Shown(BaseModel):
    """Something that we answer. Fields may be added; a field that is always there has no default here."""

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True, validate_by_alias=True)


class Finding(Shown):
    """Something that a person should see; `code` is for programs."""

    code: str
    field: str
    message: str
