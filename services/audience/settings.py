"""Settings of the audience service."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from shared.settings import LinkSettings


class AudienceSettings(LinkSettings):
    """Limits of imports and expansion; seconds and counts as the names say."""

    model_config = SettingsConfigDict(
        env_prefix="AUDIENCE_", frozen=True, extra="ignore", hide_input_in_errors=True, populate_by_name=True
    )

    page_customers: int = Field(2_000, ge=10, le=10_000)
    """Customers that one transaction of an expansion looks at."""
    lot_recipients_max: int = Field(500, ge=1, le=500)
    import_batch_rows: int = Field(1_000, ge=10, le=5_000)
    import_row_bytes_max: int = Field(256 * 1024, ge=4 * 1024, le=4 * 1024 * 1024)
    idle_seconds: float = Field(1.0, gt=0, le=10)
    """How often the expansion job looks for a campaign that somebody else left unfinished."""
    addresses_kept_seconds: float = Field(3_600, ge=0, le=30 * 86_400)
    """How long a finished expansion keeps the digests by which it recognised duplicates."""
    forecast_wait_seconds: float = Field(10.0, ge=0, le=25)
    """How long a request waits for its forecast before it is answered with how far it is."""
    forecast_fresh_seconds: float = Field(600, ge=0, le=86_400)
    """How long a forecast answers for an unchanged campaign."""
    forecasts_kept_seconds: float = Field(86_400, ge=0, le=30 * 86_400)
    import_errors_kept_seconds: float = Field(7 * 86_400, ge=0, le=365 * 86_400)
    """How long the rows that an import refused can be read."""
