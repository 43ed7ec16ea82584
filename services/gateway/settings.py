"""Settings of the gateway."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from services.gateway.domain.sessions import SessionLimits
from shared.settings import LinkSettings

_ADDRESS = "^https?://[^/]+$"


class GatewaySettings(LinkSettings):
    """Where the owners answer, and limits; seconds and bytes as the names say."""

    model_config = SettingsConfigDict(
        env_prefix="GATEWAY_", frozen=True, extra="ignore", hide_input_in_errors=True, populate_by_name=True
    )

    campaign_url: str = Field(pattern=_ADDRESS)
    audience_url: str = Field(pattern=_ADDRESS)
    dispatcher_url: str = Field(pattern=_ADDRESS)
    delivery_receipt_url: str = Field(pattern=_ADDRESS)
    analytics_url: str = Field(pattern=_ADDRESS)
    connect_seconds: float = Field(3.0, gt=0, le=60)
    answer_seconds: float = Field(30.0, gt=0, le=40)
    """A write asks up to three owners, one after the other; two minutes after it began it may be tried again."""

    import_seconds: float = Field(1800.0, gt=0, le=86_400)
    body_bytes_max: int = Field(32 * 1024 * 1024, ge=1024, le=256 * 1024 * 1024)
    idempotency_hours: int = Field(24, ge=1, le=720)

    public_url: str = Field("http://localhost:8080", pattern=_ADDRESS)
    proxies: int = Field(0, ge=0, le=5)
    session_idle_minutes: int = Field(120, ge=5, le=1440)
    session_hours: int = Field(12, ge=1, le=168)
    requests_per_minute: int = Field(12_000, ge=60, le=600_000)
    refusals_per_minute: int = Field(600, ge=10, le=60_000)
    sign_ins_per_minute: int = Field(120, ge=5, le=6_000)
    test_messages_per_day: int = Field(100, ge=1, le=10_000)
    invitation_hours: int = Field(72, ge=1, le=720)

    oidc_issuer: str = Field("", pattern="^(https?://[^ ]+)?$")
    oidc_client_id: str = ""
    oidc_client_secret: SecretStr = SecretStr("")
    oidc_scopes: str = Field("openid email", pattern=r"^openid( [!-~]+)*$")

    @property
    def is_https(self) -> bool:
        """Whether browsers reach us by https; cookies are bound to it then."""
        return self.public_url.startswith("https:")

    @property
    def session_limits(self) -> SessionLimits:
        """How long people stay signed in."""
        return SessionLimits(timedelta(minutes=self.session_idle_minutes), timedelta(hours=self.session_hours))

    def owner_url(self, owner: str) -> str:
        """Where a service answers."""
        url: str = getattr(self, f"{owner}_url")
        return url
