"""Settings of the campaign service."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from shared.settings import LinkSettings, listed


class CampaignSettings(LinkSettings):
    """Seconds as the names say."""

    model_config = SettingsConfigDict(
        env_prefix="CAMPAIGN_", frozen=True, extra="ignore", hide_input_in_errors=True, populate_by_name=True
    )

    schedule_seconds: float = Field(1.0, gt=0, le=60)
    image_host_allowlist: str = ""
    """Hosts of pictures that may be looked at though they are not public, comma-separated."""

    @property
    def image_hosts(self) -> frozenset[str]:
        """The allowlist's hosts."""
        return listed(self.image_host_allowlist)
