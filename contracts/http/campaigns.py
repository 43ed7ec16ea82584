"""Campaigns: whom, what, through which account, when."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field, StringConstraints, model_validator

from contracts.http.model import DESCRIPTION_MAX, Model
from contracts.http.patterns import CATEGORY
from contracts.http.templates import Name

TEST_RECIPIENTS_MAX = 10

Category = Annotated[str, StringConstraints(pattern=CATEGORY)]
UnknownPolicy = Literal["hold", "resend_if_proven_absent", "resend"]


class CampaignWrite(Model):
    """A new campaign. An empty `audienceFilter` means the added recipients only, `{"all": []}` every customer.

    `trackLinks` decides whether clicks are counted; without it the template does.
    """

    campaign_name: Name
    template_id: UUID
    provider_id: UUID | None = None
    description: str | None = Field(None, max_length=DESCRIPTION_MAX)
    scheduled_send_time: AwareDatetime | None = None
    audience_filter: dict[str, Any] | None = None
    category: Category = "marketing"
    unknown_policy: UnknownPolicy = "hold"
    track_links: bool | None = None


class CampaignChange(Model):
    """What is to change in a campaign that has not been sent."""

    campaign_name: Name | None = None
    template_id: UUID | None = None
    provider_id: UUID | None = None
    description: str | None = Field(None, max_length=DESCRIPTION_MAX)
    scheduled_send_time: AwareDatetime | None = None
    audience_filter: dict[str, Any] | None = None
    category: Category | None = None
    unknown_policy: UnknownPolicy | None = None
    track_links: bool | None = None


class CampaignSchedule(Model):
    """When a campaign is to be sent."""

    scheduled_send_time: AwareDatetime


class CampaignForecast(Model):
    """How a forecast is asked for. `restart` makes a new one even where a fresh one is there."""

    restart: bool = False


class TestRecipient(Model):
    """Whom a test goes to. `variables` fill placeholders; an address gets a sample's values for what is not given."""

    customer_id: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = None
    address: Annotated[str, StringConstraints(min_length=1, max_length=4_096)] | None = None
    variables: dict[str, Annotated[str, StringConstraints(max_length=500)]] | None = Field(None, max_length=50)

    @model_validator(mode="after")
    def _says_to_whom(self) -> TestRecipient:
        if (self.customer_id is None) == (self.address is None):
            raise ValueError("give either customerId or address")
        return self


class CampaignTest(Model):
    """A test of a campaign. What is sent twice with one `testId` arrives once."""

    recipients: Annotated[list[TestRecipient], Field(min_length=1, max_length=TEST_RECIPIENTS_MAX)]
    test_id: UUID | None = None
