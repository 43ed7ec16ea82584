"""Settings of the delivery_receipt service."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from shared.settings import ServiceSettings


class DeliveryReceiptSettings(ServiceSettings):
    """Limits of the intake; seconds, bytes and counts as the names say."""

    model_config = SettingsConfigDict(
        env_prefix="DELIVERY_RECEIPT_", frozen=True, extra="ignore", hide_input_in_errors=True, populate_by_name=True
    )

    public_base_url: str = Field(validation_alias="PUBLIC_BASE_URL", pattern="^https?://[^/]+$")
    """What providers were told to call, and therefore what they sign; never taken from the request."""

    body_bytes_max: int = Field(65_536, ge=1024, le=1_048_576)
    waiting_max: int = Field(5_000, ge=1, le=100_000)
    group_max: int = Field(500, ge=1, le=500)
    gather_seconds: float = Field(0.01, ge=0, le=1.0)
    """Fewer, fuller transactions for a little more time before the answer."""
    answer_seconds: float = Field(10.0, ge=0.5, le=14.0)
    """Below the shortest time that a provider waits for us (Twilio: 15)."""
    lookups_max: int = Field(20, ge=1, le=1_000)
    parts_wait_seconds: float = Field(120.0, ge=1, le=86_400)
    """How long a part of a text that a person sent waits for the others."""
    callbacks_kept_days: int = Field(30, ge=1, le=3_650)
    previous_secrets_seconds: float = Field(3600.0, ge=0, le=86_400)
    """How long callbacks may still be signed with the secrets from before a change; 0 refuses them at once."""
    deleted_accounts_kept_days: int = Field(7, ge=0, le=365)
