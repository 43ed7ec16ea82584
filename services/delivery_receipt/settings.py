"""Settings of the delivery_receipt service."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from shared.settings import ServiceSettings


class DeliveryReceiptSettings(ServiceSettings):
    """Limits of the intake; seconds, bytes, days and counts as the names say."""

    model_config = SettingsConfigDict(
        env_prefix="DELIVERY_RECEIPT_", frozen=True, extra="ignore", hide_input_in_errors=True, populate_by_name=True
    )

    public_base_url: str = Field(validation_alias="PUBLIC_BASE_URL", pattern="^https?://[^/]+$")
    body_bytes_max: int = Field(65_536, ge=1_024, le=1_048_576)
    waiting_max: int = Field(5_000, ge=1, le=100_000)
    group_max: int = Field(500, ge=1, le=2_000)
    kept_days: int = Field(30, ge=1, le=3_650)
