"""Settings of the analytics service."""

from __future__ import annotations

from pydantic import Field, field_validator
from pydantic_settings import SettingsConfigDict

from services.analytics.domain import exchange_rates
from shared.settings import ServiceSettings


class AnalyticsSettings(ServiceSettings):
    """Months and counts as the names say."""

    model_config = SettingsConfigDict(
        env_prefix="ANALYTICS_", frozen=True, extra="ignore", hide_input_in_errors=True, populate_by_name=True
    )

    partitions_ahead_months: int = Field(3, ge=1, le=24)
    events_kept_months: int = Field(60, ge=2, le=1200)
    exchange_rates: str = "USD=1,EUR=1.1,GBP=1.3"
    """What one unit of each currency is worth in the dashboard's, which is the first at 1, for its one sum of costs."""

    @field_validator("exchange_rates")
    @classmethod
    def _readable(cls, text: str) -> str:
        exchange_rates(text)
        return text
