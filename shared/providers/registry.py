"""Which vendors there are. A new one is one file of functions and one line here."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from shared.providers import fcm, twilio
from shared.providers.http_provider import HttpProvider
from shared.providers.provider import Problem, Provider, Vendor
from shared.providers.reading import host_of
from shared.providers.wire import Wire

_ALL: tuple[Vendor, ...] = (twilio, fcm)

VENDORS: Mapping[tuple[str, str], Vendor] = MappingProxyType(
    {(vendor.CAPABILITIES.channel, vendor.CAPABILITIES.provider_type): vendor for vendor in _ALL}
)


def validate_account(
    channel: str, provider_type: str, values: Mapping[str, Any], allowed_hosts: frozenset[str]
) -> list[Problem]:
    """What is wrong with an account's values, field by field; empty if `open_provider` will take them."""
    vendor = VENDORS.get((channel, provider_type))
    if vendor is None:
        return [Problem("providerType", f"no adapter for {provider_type} on {channel} in this version")]
    if problems := vendor.problems(values):
        return problems
    return [
        Problem(field, "this host is not in PROVIDER_HOST_ALLOWLIST")
        for field, url in vendor.account(values).hosts()
        if host_of(url) not in vendor.CAPABILITIES.official_hosts | allowed_hosts
    ]


def open_provider(channel: str, provider_type: str, values: Mapping[str, Any], wire: Wire) -> Provider:
    """The account, ready to send over the wire; raises `ValueError` naming the fields that `validate_account` names."""
    problems = validate_account(channel, provider_type, values, wire.allowed_hosts)
    if problems:
        raise ValueError("; ".join(f"{problem.field}: {problem.message}" for problem in problems))
    vendor = VENDORS[channel, provider_type]
    return HttpProvider(vendor, vendor.account(values), wire)
