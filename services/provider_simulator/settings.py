"""Settings of the provider simulator."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from shared.settings import HttpSettings


class SimulatorSettings(HttpSettings):
    """Limits of the simulator; what it gets wrong on purpose is set at `/_simulator/faults`."""

    model_config = SettingsConfigDict(
        env_prefix="SIMULATOR_", frozen=True, extra="ignore", hide_input_in_errors=True, populate_by_name=True
    )

    log_path: str = ""
    """File of the request log, kept over a restart; empty means a temporary one."""
    callback_connections_max: int = Field(256, ge=1, le=256)
    """Connections per host that callbacks go to."""
    callback_timeout_seconds: float = Field(15.0, gt=0, le=120)
    callback_retry_seconds: float = Field(120.0, ge=0, le=3600)
    """How long a callback that nobody takes is tried again."""
    callbacks_waiting_max: int = Field(2_000_000, ge=1, le=10_000_000)
    request_bytes_max: int = Field(1_048_576, ge=1024, le=16_777_216)
