"""Provider accounts: credentials and settings, once per channel."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from contracts.http.model import NAME_MAX, Model

CREDENTIAL_MAX = 10_000

Credential = Annotated[str, Field(max_length=CREDENTIAL_MAX)]
Identifier = Annotated[str, Field(max_length=200)]


class ProviderChange(Model):
    """What is to change in an account; null removes a value. What each provider needs is in docs/providers."""

    provider_name: Annotated[str, Field(min_length=1, max_length=NAME_MAX)] | None = None
    provider_type: Annotated[str, Field(max_length=40)] | None = None
    api_key: Credential | None = None
    api_secret: Credential | None = None
    sender_id: Identifier | None = None
    is_active: bool | None = None
    config: dict[str, Any] | None = None

    def given(self) -> dict[str, Any]:
        """The fields that were sent, by their names in the API."""
        return self.model_dump(by_alias=True, exclude_unset=True)


class SMSProviderChange(ProviderChange):
    """What is to change in an SMS account."""

    account_sid: Identifier | None = None
    phone_number: Annotated[str, Field(max_length=40)] | None = None


class PushProviderChange(ProviderChange):
    """What is to change in a push account."""

    server_key: Credential | None = None


class SMSProviderWrite(SMSProviderChange):
    """A new SMS account."""

    provider_name: Annotated[str, Field(min_length=1, max_length=NAME_MAX)]
    provider_type: Annotated[str, Field(max_length=40)]


class PushProviderWrite(PushProviderChange):
    """A new push account."""

    provider_name: Annotated[str, Field(min_length=1, max_length=NAME_MAX)]
    provider_type: Annotated[str, Field(max_length=40)]


PROVIDER_WRITES: dict[str, type[ProviderChange]] = {"sms": SMSProviderWrite, "push": PushProviderWrite}
PROVIDER_CHANGES: dict[str, type[ProviderChange]] = {"sms": SMSProviderChange, "push": PushProviderChange}
