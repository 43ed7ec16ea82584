"""The settings that a service's README lists are those that the service reads, with their defaults."""

from __future__ import annotations

import importlib
import re

import pytest
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from deploy.local.fleet import SERVICES
from deploy.local.state import ROOT
from shared.settings import HttpSettings, ServiceSettings

ROW = re.compile(r"^\| (`[A-Z…_`, ]+`) \| ([^|]+) \| [^|]+ \|$", re.MULTILINE)


def settings_of(service: str) -> type[BaseSettings]:
    module = importlib.import_module(f"services.{service}.settings")
    (found,) = (
        one
        for one in vars(module).values()
        if isinstance(one, type) and issubclass(one, HttpSettings) and one.__module__ == module.__name__
    )
    return found


def own_variables(settings: type[BaseSettings]) -> dict[str, str]:
    """Variable and default, as the README words it, of the fields that only this service has."""
    base = ServiceSettings if issubclass(settings, ServiceSettings) else HttpSettings
    prefix = settings.model_config.get("env_prefix", "")
    found = {}
    for name, field in settings.model_fields.items():
        if name not in base.model_fields:
            found[str(field.validation_alias or (prefix + name).upper())] = wording(field)
    return found


def wording(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    return f"{field.default:g}" if isinstance(field.default, float) else str(field.default) or "empty"


def documented(service: str) -> dict[str, str]:
    text = (ROOT / "services" / service / "README.md").read_text()
    found = {}
    for names, default in ROW.findall(text):
        for name in re.findall(r"`([^`]+)`", names):
            found[name.replace("…", "GATEWAY_")] = default
    return found


@pytest.mark.parametrize("service", SERVICES)
def test_the_table_of_settings_is_current(service: str) -> None:
    assert documented(service) == own_variables(settings_of(service))
