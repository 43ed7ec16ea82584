"""Where the fleet answers: from the environment, else from the fleet on this machine."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.local.environment import environment_of_running
from deploy.local.roster import list_processes
from deploy.local.state import DEFAULT_STATE

KNOWN_FILE = "notify.json"


class SettingsMissing(Exception):
    """What is needed is set nowhere; the text says how to set it."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Addresses and keys. `simulator_url` is None where providers are real."""

    values: dict[str, str]

    def need(self, name: str, how: str) -> str:
        """The value, or `SettingsMissing` with the hint."""
        value = self.values.get(name)
        if not value:
            raise SettingsMissing(f"{name} is not set, and no fleet runs on this machine that would tell: {how}")
        return value

    @property
    def url(self) -> str:
        return self.need("NOTIFY_URL", "set it to the address of the gateway")

    @property
    def api_key(self) -> str:
        return self.need("NOTIFY_API_KEY", "make one with `notify keys create --user NAME --remember`")

    @property
    def kafka(self) -> str:
        return self.need("KAFKA_BOOTSTRAP_SERVERS", "set it to host:port of a broker")

    @property
    def internal_token(self) -> str:
        return self.need("INTERNAL_TOKEN", "only operators of the fleet have it")

    @property
    def simulator_url(self) -> str | None:
        return self.values.get("NOTIFY_SIMULATOR_URL")


def find_settings(state: Path = DEFAULT_STATE) -> Settings:
    """The environment's settings, and for what it leaves out those of the fleet on this machine."""
    names = ("NOTIFY_URL", "NOTIFY_API_KEY", "KAFKA_BOOTSTRAP_SERVERS", "INTERNAL_TOKEN", "NOTIFY_SIMULATOR_URL")
    given = {name: os.environ[name] for name in names if os.environ.get(name)}
    if "NOTIFY_URL" in given:  # somebody else's fleet: nothing of ours belongs to it
        return Settings(given)
    return Settings(_of_local_fleet(state) | given)


def find_environment(service: str) -> dict[str, str]:
    """The settings of a service: of the fleet on this machine, else the environment's."""
    if os.environ.get("NOTIFY_URL"):
        return dict(os.environ)
    return environment_of_running(service)


def _of_local_fleet(state: Path) -> dict[str, str]:
    ports = {one["service"]: one["port"] for one in list_processes(state) if one["pid"] is not None}
    found = {}
    if "gateway" in ports:
        found["NOTIFY_URL"] = f"http://127.0.0.1:{ports['gateway']}"
        found["INTERNAL_TOKEN"] = _read(state / "secrets.json").get("internal_token", "")
        found["NOTIFY_API_KEY"] = _read(state / KNOWN_FILE).get("apiKey", "")
    if "provider_simulator" in ports:
        found["NOTIFY_SIMULATOR_URL"] = f"http://127.0.0.1:{ports['provider_simulator']}"
    if "kafka" in ports:
        found["KAFKA_BOOTSTRAP_SERVERS"] = f"127.0.0.1:{ports['kafka']}"
    return found


def remember_key(api_key: str, state: Path = DEFAULT_STATE) -> None:
    """Keeps a key of the fleet on this machine, readable by its owner alone."""
    path = state / KNOWN_FILE
    path.touch(mode=0o600)
    path.write_text(json.dumps({"apiKey": api_key}))


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
