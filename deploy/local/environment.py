"""The environment of each service, as an orchestrator would set it."""

from __future__ import annotations

import os
from pathlib import Path

from deploy.local import postgres
from deploy.local.process import inherited_environment
from deploy.local.roster import list_processes
from deploy.local.servers import Servers
from deploy.local.state import DEFAULT_STATE, State, load_secrets
from shared.database.roles import SERVICES as SERVICES_WITH_DATABASE
from shared.database.roles import role_url

HOST = "127.0.0.1"
SIMULATOR = "provider_simulator"
SERVICES = (SIMULATOR, *SERVICES_WITH_DATABASE)
BEHIND_GATEWAY = ("campaign", "audience", "dispatcher", "delivery_receipt", "analytics")

PASSED_ON = (
    "LOG_LEVEL",
    "GRACEFUL_SECONDS",
    "DATABASE_CONNECTIONS_MAX",
    "DEAD_LETTERS_MAX",
    "PUBLIC_BASE_URL",
    "LINK_BASE_URL",
)
"""Settings of all services that the caller's environment may change."""

OF_THE_FLEET = ("GATEWAY_PORT",)
"""Ours, though they look like a service's own."""


def url(port: int) -> str:
    """Where a process of this machine answers."""
    return f"http://{HOST}:{port}"


def deploy_environment(servers: Servers, secrets: dict[str, str]) -> dict[str, str]:
    """What the deploy step gets."""
    return inherited_environment() | {
        "DATABASE_ADMIN_URL": servers.database_url,
        "DATABASE_ROLE_SECRET": secrets["role_secret"],
        "KAFKA_BOOTSTRAP_SERVERS": servers.kafka,
    }


def service_environment(
    service: str, ports: dict[str, int], servers: Servers, secrets: dict[str, str]
) -> dict[str, str]:
    """What one service gets: its own role in the database, the fleet's secrets, and the caller's own settings."""
    environment = inherited_environment() | {
        "HTTP_HOST": HOST,
        "HTTP_PORT": str(ports[service]),
        "LOG_LEVEL": "info",
        "PYTHONUNBUFFERED": "1",
    }
    if service != SIMULATOR:
        environment |= {
            "DATABASE_URL": role_url(servers.database_url, service, secrets["role_secret"]),
            "KAFKA_BOOTSTRAP_SERVERS": servers.kafka,
            "SECRETS_KEY": secrets["secrets_key"],
            "INTERNAL_TOKEN": secrets["internal_token"],
            # Providers on this machine report to the receipts service directly; elsewhere this is the gateway.
            "PUBLIC_BASE_URL": url(ports["delivery_receipt"]),
            "LINK_BASE_URL": url(ports["gateway"]),
            "PROVIDER_HOST_ALLOWLIST": f"{HOST},localhost",
        }
    if service == "gateway":
        environment |= {f"GATEWAY_{name.upper()}_URL": url(ports[name]) for name in BEHIND_GATEWAY}
        environment["GATEWAY_PUBLIC_URL"] = url(ports["gateway"])
    return environment | _callers_settings(service)


def environment_of_running(service: str, folder: Path = DEFAULT_STATE) -> dict[str, str]:
    """The environment of a service of the fleet that runs on this machine, else the caller's own."""
    state = State(folder)
    ports = {one["service"]: one["port"] for one in list_processes(folder) if one["pid"] is not None}
    if service not in ports:
        return dict(os.environ)
    known = Servers(os.environ.get("KAFKA_BOOTSTRAP_SERVERS", ""), os.environ.get("DATABASE_URL", ""))
    kafka = f"{HOST}:{ports['kafka']}" if "kafka" in ports else known.kafka
    database_url = postgres.admin_url(state, ports["postgres"]) if "postgres" in ports else known.database_url
    return service_environment(service, ports, Servers(kafka, database_url), load_secrets(state))


def _callers_settings(service: str) -> dict[str, str]:
    prefix = "SIMULATOR_" if service == SIMULATOR else f"{service.upper()}_"
    return {
        name: value
        for name, value in os.environ.items()
        if name in PASSED_ON or (name.startswith(prefix) and name not in OF_THE_FLEET)
    }
