"""Bodies about customers, as lists and single things: what the audience service reads row by row."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from contracts.http.described.words import DeviceType, Time
from contracts.http.model import Model

ROWS_MAX = 10_000
ID_MAX = 200

CustomerId = Annotated[str, Field(min_length=1, max_length=ID_MAX, pattern=r"\S", examples=["C-1001"])]
PhoneNumber = Annotated[
    str, Field(description="E.164, or with `country` as people write it.", examples=["+4915112345678"])
]
DeviceToken = Annotated[str, Field(min_length=1, max_length=2_000, pattern=r"^[\x21-\x7e]+$")]
Categories = Annotated[list[Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,50}$")]], Field(max_length=50)]


class Choices(Model):
    """What a customer agrees to; what is left out stays. A list of categories allows only those."""

    sms_opted_in: bool | None = None
    push_opted_in: bool | None = None
    marketing_opted_in: bool | None = None
    transactional_opted_in: bool | None = None
    sms_categories: Categories | None = None
    push_categories: Categories | None = None


class PreferencesWrite(Choices):
    """A customer's choices; with an address, that is remembered too."""

    customer_id: Annotated[CustomerId | None, Field(description="Must be that of the path.")] = None
    phone_number: PhoneNumber | None = None
    device_token: DeviceToken | None = None
    device_type: DeviceType | None = None


class DeviceWrite(Model):
    """An installation of an app that a customer has, or that was seen again."""

    device_token: DeviceToken
    device_type: DeviceType | None = None
    installation_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{22}$", description="Firebase's.")] | None = None
    last_seen_at: Time | None = None


class CustomerWrite(Choices):
    """A customer by your own id. What is left out stays as it is."""

    customer_id: CustomerId
    phone_number: PhoneNumber | None = None
    email: Annotated[str, Field(max_length=320)] | None = None
    first_name: Annotated[str, Field(max_length=200)] | None = None
    last_name: Annotated[str, Field(max_length=200)] | None = None
    country: Annotated[str, Field(pattern="^[A-Za-z]{2}$")] | None = None
    locale: Annotated[str, Field(max_length=35, examples=["en-US"])] | None = None
    time_zone: Annotated[str, Field(max_length=64, examples=["Europe/Berlin"])] | None = None
    last_seen_at: Time | None = None
    attributes: dict[str, Any] | None = Field(None, max_length=50)
    device_token: DeviceToken | None = None
    device_type: DeviceType | None = None
    devices: Annotated[list[DeviceWrite], Field(max_length=20)] | None = None


class CustomersWrite(Model):
    """Up to 10,000 customers; the good ones are saved, the bad ones named."""

    customers: Annotated[list[CustomerWrite], Field(min_length=1, max_length=ROWS_MAX)]


class _RecipientWrite(Model):
    customer_id: CustomerId | None = None
    recipient_name: Annotated[str, Field(max_length=200)] | None = None
    personalization_data: dict[str, Any] | None = None


class SMSRecipientWrite(_RecipientWrite):
    """A person by customer or by phone number."""

    phone_number: PhoneNumber | None = None
    country: Annotated[str, Field(pattern="^[A-Za-z]{2}$")] | None = None


class PushRecipientWrite(_RecipientWrite):
    """A person by customer or by device."""

    device_token: DeviceToken | None = None
    device_type: DeviceType | None = None


class SMSRecipientsWrite(Model):
    """Up to 10,000 recipients of a campaign that was not launched."""

    recipients: Annotated[list[SMSRecipientWrite], Field(min_length=1, max_length=ROWS_MAX)]


class PushRecipientsWrite(Model):
    """Up to 10,000 recipients of a campaign that was not launched."""

    recipients: Annotated[list[PushRecipientWrite], Field(min_length=1, max_length=ROWS_MAX)]


class AudiencePreviewWrite(Model):
    """A filter as campaigns have it."""

    audience_filter: dict[str, Any]


RECIPIENTS_WRITES: dict[str, type[Model]] = {"sms": SMSRecipientsWrite, "push": PushRecipientsWrite}
