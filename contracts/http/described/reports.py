"""What is counted and rendered."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from contracts.http.described.words import (
    ByReason,
    CampaignStatus,
    CampaignType,
    Count,
    DeviceType,
    DrainReason,
    Finding,
    Id,
    Percent,
    Shown,
    Time,
)


class CampaignSummary(Shown):
    """A campaign in the lists of the dashboard."""

    id: Id
    campaign_name: str
    status: CampaignStatus
    created_at: Time
    scheduled_send_time: Time | None
    sent_at: Time | None
    sent_count: Count
    delivered_count: Count
    opened_count: Count
    clicked_count: Count
    failed_count: Count
    delivery_rate: Percent
    open_rate: Percent
    click_rate: Percent


class NotificationDashboardData(Shown):
    """The numbers of the dashboard. Rates are of messages that the provider accepted; the cost names its currency."""

    total_sms_campaigns: Annotated[Count, Field(alias="totalSMSCampaigns")]
    total_push_campaigns: Count
    active_sms_campaigns: Annotated[Count, Field(alias="activeSMSCampaigns")]
    active_push_campaigns: Count
    total_sms_delivered: Annotated[Count, Field(alias="totalSMSDelivered")]
    total_push_delivered: Count
    sms_send_cost: Annotated[float, Field(ge=0)]
    sms_send_cost_currency: str
    sms_send_cost_by_currency: dict[str, float]
    sms_send_cost_rates: dict[str, float]
    sms_average_delivery_rate: Percent
    push_average_open_rate: Percent
    push_average_click_rate: Percent
    recent_sms_campaigns: Annotated[list[CampaignSummary], Field(alias="recentSMSCampaigns")]
    recent_push_campaigns: list[CampaignSummary]
    top_performing_sms_campaigns: Annotated[list[CampaignSummary], Field(alias="topPerformingSMSCampaigns")]
    top_performing_push_campaigns: list[CampaignSummary]
    sms_template_count: Count
    push_template_count: Count
    sms_provider_count: Count
    push_provider_count: Count
    campaigns_by_status: dict[str, Count]


class Cost(Shown):
    """Money as an integer."""

    cost_micros: Annotated[int, Field(description="Millionths of the currency.")]
    currency: str


class AcceptedTerm(Shown):
    """What became of accepted messages afterwards."""

    total: Count
    delivered: Count
    bounced: Count
    failed_later: Count
    unconfirmed: Count


class Accounting(Shown):
    """Where everybody is: `audience = excluded + skipped + refused + accepted + unknown + expired + cancelled + waiting
    + inFlight`."""

    campaign_id: Id
    channel: CampaignType
    audience: Annotated[int | None, Field(description="Null until the audience is known.")]
    excluded: ByReason
    skipped: ByReason
    refused: ByReason
    accepted: AcceptedTerm
    unknown: Count
    expired: Count
    cancelled: Count
    waiting: int
    in_flight: Count
    balanced: bool
    waiting_reason: Annotated[str | None, Field(description="Why it does not move, for programs.")]
    waiting_text: Annotated[str | None, Field(description="The same in words.")]
    rate_per_second: Annotated[float | None, Field(description="Recipients tried lately; null where nobody is.")]
    eta: Annotated[
        Time | None, Field(description="When all will have been tried at this rate; without a rate, when it goes on.")
    ]
    cost: list[Cost]


class Verification(Shown):
    """Ledger, event log and aggregates, each counted by itself."""

    ledger: Accounting
    events: ByReason
    aggregates: ByReason
    ends: ByReason
    cost: list[Cost]


class Amount(Shown):
    """Money as an integer."""

    currency: str
    micros: Annotated[int, Field(description="Millionths of the currency.")]


class TimelinePoint(Shown):
    """What happened in one bucket, which begins at `at`."""

    at: Time
    sent: Count
    delivered: Count
    opened: Count
    clicked: Count
    failed: Count
    bounced: Count
    opted_out: Count


class Failures(Shown):
    """Messages that failed or bounced for one reason."""

    error_class: str | None
    code: Annotated[str | None, Field(description="The provider's own.")]
    count: Count


class Timeline(Shown):
    """A campaign's course in at most 200 points, its failures and its cost."""

    bucket_seconds: Count
    points: list[TimelinePoint]
    failures: list[Failures]
    costs: list[Amount]


class Costs(Shown):
    """What the tenant's messages have cost by the ledger: millionths by currency."""

    sms: ByReason
    push: ByReason


class Segments(Shown):
    """Parts of messages that are charged."""

    total: Count
    histogram: Annotated[ByReason, Field(description="Recipients by how many segments theirs takes.")]


class ForecastCountry(Shown):
    """The recipients of one country; without a price where there is none."""

    country: str
    recipients: Count
    segments: Count
    cost_micros: int | None
    currency: str | None


DRAIN_REASON = """Why `drainSeconds` is null. forecast_running: ask again when it is complete. no_provider: the campaign
names no account, and there is no active one. provider_unusable: the account cannot send now; `verify` says why.
speed_unknown: the account has no `config.ratePerSecond`, and too little was sent through it to measure."""


class Forecast(Shown):
    """The campaign rendered for everybody, without sending; counts so far until it is complete."""

    complete: bool
    examined: Count
    audience: Count | None
    recipients: Count
    exclusions: ByReason
    segments: Segments
    encodings: ByReason
    countries: list[ForecastCountry]
    cost: list[dict[str, Any]] | None
    untariffed: int | None
    missing_variables: ByReason
    too_long: Count
    outliers: dict[str, Any]
    rate_per_second: float | None
    rate_unit: str | None
    drain_seconds: float | None
    drain_reason: Annotated[DrainReason | None, Field(description=DRAIN_REASON)]
    drain_text: Annotated[str | None, Field(description="The same in words.")]
    provider_id: Annotated[Id | None, Field(description="The account it would go through, also where none was chosen.")]
    blockers: list[Finding]
    warnings: list[Finding]
    started_at: Time
    finished_at: Time | None


class TestMessage(Shown):
    """What one person of a test gets, or why not."""

    request_id: str
    customer_id: str | None
    address: str | None
    status: Literal["accepted", "excluded"]
    reason: Annotated[str | None, Field(description="Why they get none, such as opted_out; null when accepted.")]
    message: Any


class Tested(Shown):
    """A test of a campaign on its way."""

    test_id: Id
    messages: list[TestMessage]


class ProviderVerification(Shown):
    """What the vendor says about the account."""

    works: bool
    detail: str | None


class TemplatePreviewed(Shown):
    """A rendered template; segments and encoding where the channel is charged by them."""

    text: str
    title: str | None
    image_url: str | None
    action_url: str | None
    characters: Count
    segments: int | None = None
    encoding: str | None = None
    warnings: list[Finding] | None = None


class Device(Shown):
    """One installation of an app."""

    device_token: str
    device_type: DeviceType
    installation_id: str | None = None
    last_seen_at: Time | None = None


class CustomerDevice(Device):
    """A device that was added to a customer."""

    customer_id: str


class Customer(Shown):
    """A person, with addresses and choices."""

    customer_id: str
    phone_number: str | None
    email: str | None
    first_name: str | None
    last_name: str | None
    country: str | None
    locale: str | None
    time_zone: str | None
    attributes: dict[str, Any]
    last_seen_at: Time | None
    sms_opted_in: bool | None
    push_opted_in: bool | None
    marketing_opted_in: bool | None
    transactional_opted_in: bool | None
    sms_categories: list[str] | None
    push_categories: list[str] | None
    devices: list[Device]
    created_at: Time
    updated_at: Time


class ListError(Shown):
    """What is wrong with one entry of a list."""

    index: Annotated[int, Field(ge=0, description="From 0.")]
    field: str
    message: str


class Saved(Shown):
    """What became of a list."""

    imported: Count
    rejected: Count
    errors: list[ListError]
    warnings: Annotated[list[Finding], Field(description="What was taken for granted.")]


class RowError(Shown):
    """What is wrong with one row of a file."""

    row: Annotated[int, Field(ge=1, description="From 1, the header not counted.")]
    field: str
    message: str


class FileImported(Shown):
    """What became of a file; the first errors, and where all of them are."""

    import_id: Id
    imported: Count
    rejected: Count
    errors: list[RowError]
    error_file: str | None
    warnings: Annotated[list[Finding], Field(description="What was taken for granted.")]


class Import(Shown):
    """An import while it runs and afterwards."""

    import_id: Id
    kind: Literal["customers", "recipients"]
    campaign_id: Id | None
    state: Literal["running", "done", "failed"]
    problem: Annotated[str | None, Field(description="Why the file could not be read to its end.")]
    rows_read: Count
    imported: Count
    rejected: Count
    bytes_read: Count
    rows_per_second: Count | None
    started_at: Time
    finished_at: Time | None
    warnings: Annotated[list[Finding], Field(description="What was taken for granted.")]
    error_file: str | None


class AudiencePreviewed(Shown):
    """How many people a filter finds, and some of them."""

    count: Count
    sample: list[Customer]
    warnings: Annotated[list[Finding], Field(description="Values that no customer can have.")]


class SendAccepted(Shown):
    """A request that was taken up; it does not say that a message will be sent."""

    request_id: str
    status: Literal["accepted"]
