"""Settings: read once at the start from the environment, validated, frozen."""

from __future__ import annotations

import os
from typing import Any, TypeVar

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict


class SettingsError(Exception):
    """The environment cannot be used; the text names each variable and what is wrong with it."""


class HttpSettings(BaseSettings):
    """What every process needs."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    http_host: str = Field("127.0.0.1", validation_alias="HTTP_HOST")
    http_port: int = Field(validation_alias="HTTP_PORT", ge=0, le=65535)
    log_level: str = Field("info", validation_alias="LOG_LEVEL", pattern="^(debug|info|warning|error)$")
    graceful_seconds: float = Field(20.0, validation_alias="GRACEFUL_SECONDS", gt=0, le=300)


class ServiceSettings(HttpSettings):
    """What every service with a database and Kafka needs. `database_url` is the service's own role."""

    database_url: SecretStr = Field(validation_alias="DATABASE_URL")
    database_connections_max: int = Field(8, validation_alias="DATABASE_CONNECTIONS_MAX", ge=2, le=100)
    kafka_bootstrap_servers: str = Field(validation_alias="KAFKA_BOOTSTRAP_SERVERS")
    secrets_key: SecretStr = Field(validation_alias="SECRETS_KEY")
    internal_token: SecretStr = Field(validation_alias="INTERNAL_TOKEN")
    dead_letters_max: int = Field(100, validation_alias="DEAD_LETTERS_MAX", ge=0, le=100_000)
    """Records since the start that could not be read or met a fault, after which the service stops. Requests that were
    refused do not count: anybody who may send can make as many of them as they like."""


class LinkSettings(ServiceSettings):
    """What every service needs that makes or measures the links in messages."""

    link_base_url: str = Field(validation_alias="LINK_BASE_URL", pattern="^https?://[^/]+$", max_length=100)
    """Where links in messages lead: the gateway, by a host as short as there is one."""


def listed(text: str) -> frozenset[str]:
    """The entries of a setting that is a comma-separated list."""
    return frozenset(entry.strip() for entry in text.split(",") if entry.strip())


AnySettings = TypeVar("AnySettings", bound=HttpSettings)


def load(settings_type: type[AnySettings], **overrides: Any) -> AnySettings:
    """Reads the environment; raises `SettingsError` for missing, invalid and unknown variables of the service."""
    prefix = settings_type.model_config.get("env_prefix", "")
    known = {(prefix + name).upper() for name in settings_type.model_fields}
    unknown = sorted(name for name in os.environ if prefix and name.startswith(prefix) and name not in known)
    if unknown:
        raise SettingsError(f"unknown settings: {', '.join(unknown)}; known are {', '.join(sorted(known))}")
    try:
        return settings_type(**overrides)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, p['loc']))}: {p['msg']}" for p in error.errors(include_input=False))
        raise SettingsError(f"invalid settings: {problems}") from None
