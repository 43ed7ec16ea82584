"""What lists and files can be asked for in the query."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from contracts.http.described.words import (
    CampaignStatus,
    Id,
    NotificationEventType,
    NotificationStatus,
    Outcome,
    Shown,
    Time,
)

LIMIT_MAX = 1_000
PEOPLE_MAX = 500


class Query(Shown):
    """Parameters of a query; none is needed."""


class Page(Query):
    """A page of a list."""

    limit: Annotated[int, Field(ge=1, le=LIMIT_MAX, description="How many at most.")] = 100
    cursor: Annotated[str | None, Field(description="`nextCursor` of the page before.")] = None


class People(Page):
    """A page of customers or preferences."""

    limit: Annotated[int, Field(ge=1, le=PEOPLE_MAX, description="How many at most.")] = 50


class Preferences(People):
    """Of all customers, or of one."""

    customer_id: Annotated[str | None, Field(description="Of this customer only.")] = None


Search = Annotated[str | None, Field(max_length=200, description="Part of the name.")]
Sort = Annotated[str, Field(description="With a minus for the greatest first.", examples=["-createdAt"])]


class Templates(Page):
    """Templates by name."""

    search: Search = None
    sort: Annotated[Literal["createdAt", "-createdAt", "templateName", "-templateName"], Field()] = "-createdAt"


class Campaigns(Page):
    """Campaigns by name, state and time."""

    status: Annotated[list[CampaignStatus] | None, Field(description="May be given more than once.")] = None
    search: Search = None
    created_from: Time | None = None
    created_to: Time | None = None
    scheduled_from: Time | None = None
    scheduled_to: Time | None = None
    sort: Sort = "-createdAt"


class Recipients(Page):
    """Recipients by what became of them."""

    cursor: Annotated[
        str | None,
        Field(description="`nextCursor` of the page before; one of rare recipients may be short and not the last."),
    ] = None

    status: NotificationStatus | None = None
    outcome: Outcome | None = None
    error_class: Annotated[str | None, Field(max_length=100)] = None


class SMSRecipients(Recipients):
    """Or by phone number."""

    phone_number: Annotated[str | None, Field(description="E.164.")] = None


class PushRecipients(Recipients):
    """Or by device."""

    device_token: str | None = None


class Customers(People):
    """Customers who are searched for."""

    search: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=200,
            description="The beginning of an id, e-mail address, name or phone number; people find whole numbers only.",
        ),
    ] = None


class Export(Query):
    """How a file is written."""

    format: Literal["csv", "jsonl"] = "csv"


class Upload(Query):
    """How a file is written, and which import it goes on with."""

    format: Annotated[Literal["csv", "jsonl"] | None, Field(description="Else by the content type.")] = None
    import_id: Annotated[Id | None, Field(description="Of an import that broke off.")] = None


class Dashboard(Query):
    """The specification passes the tenant."""

    user_id: Annotated[str | None, Field(description="Must be your own, or be left out.")] = None


class Events(Page):
    """Part of the event log."""

    campaign_id: Id | None = None
    recipient_id: Id | None = None
    event_type: NotificationEventType | None = None
    since: Annotated[Time | None, Field(alias="from", description="From this time on.")] = None
    until: Annotated[Time | None, Field(alias="to", description="Before this time.")] = None


class OneCustomer(Query):
    """Whom it is about."""

    customer_id: Annotated[str, Field(min_length=1, max_length=200)]


class Approvals(Page):
    """Approvals in one state, or of one campaign."""

    state: Literal["pending", "approved", "performed", "rejected", "void", "failed"] | None = None
    campaign_id: Id | None = None


class DeadLetters(Page):
    """Letters by where they came from, why they are there, and since when."""

    topic: Annotated[str | None, Field(max_length=300)] = None
    service: Annotated[str | None, Field(max_length=300)] = None
    reason: Annotated[str | None, Field(max_length=300, description="Part of the reason.")] = None
    since: Annotated[Time | None, Field(alias="from", description="From this time on.")] = None
    until: Annotated[Time | None, Field(alias="to", description="Before this time.")] = None


class Audit(Page):
    """Part of the audit log."""

    actor_id: Annotated[str | None, Field(max_length=300)] = None
    action: Annotated[str | None, Field(max_length=300)] = None
    resource_type: Annotated[str | None, Field(max_length=300)] = None
    resource_id: Annotated[str | None, Field(max_length=300)] = None
    since: Annotated[Time | None, Field(alias="from", description="From this time on.")] = None
    until: Annotated[Time | None, Field(alias="to", description="Before this time.")] = None


RECIPIENTS: dict[str, type[Query]] = {"sms": SMSRecipients, "push": PushRecipients}
