"""Settings of the analytics service."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from shared.settings import ServiceSettings


class AnalyticsSettings(ServiceSettings):
    """Months and counts as the names say."""

    model_config = SettingsConfigDict(
        env_prefix="ANALYTICS_", frozen=True, extra="ignore", hide_input_in_errors=True, populate_by_name=True
    )

    partitions_ahead_months: int = Field(3, ge=1, le=24)
