"""Settings of the dispatcher."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from shared.settings import LinkSettings, listed


class DispatcherSettings(LinkSettings):
    """Limits of sending; seconds and counts as the names say."""

    model_config = SettingsConfigDict(
        env_prefix="DISPATCHER_", frozen=True, extra="ignore", hide_input_in_errors=True, populate_by_name=True
    )

    public_base_url: str = Field(validation_alias="PUBLIC_BASE_URL", pattern="^https?://[^/]+$")
    provider_host_allowlist: str = Field("", validation_alias="PROVIDER_HOST_ALLOWLIST")
    database_connections_max: int = Field(12, validation_alias="DATABASE_CONNECTIONS_MAX", ge=4, le=100)

    bulk_senders: int = Field(6, ge=1, le=64)
    transactional_senders: int = Field(2, ge=1, le=64)
    micro_lot_max: int = Field(250, ge=1, le=500)
    lease_seconds: float = Field(30.0, ge=2, le=600)
    provider_timeout_seconds: float = Field(10.0, ge=0.5, le=120)
    attempts_max: int = Field(20, ge=1, le=1000)
    ask_after_seconds: float = Field(60.0, ge=1, le=86_400)
    idle_seconds: float = Field(1.0, gt=0, le=10)
    progress_seconds: float = Field(0.5, gt=0, le=60)

    @property
    def allowed_hosts(self) -> frozenset[str]:
        """Hosts that an account's `config.baseUrl` may name."""
        return listed(self.provider_host_allowlist)
