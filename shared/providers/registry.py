"""Which vendors there are. A new one is one file of functions and one line here."""

from __future__ import annotations

import os
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, TypeGuard

from shared.providers import apns, fcm, nexmo, onesignal, sinch, twilio
from shared.providers.http_provider import HttpProvider
from shared.providers.provider import Problem, Provider, Tls
from shared.providers.reading import config_of, host_of, is_plain_url, text_of
from shared.providers.sns import push as sns_push
from shared.providers.sns import sms as sns_sms
from shared.providers.vendor import Vendor
from shared.providers.wire import Wire

_ALL: tuple[Vendor, ...] = (twilio, sns_sms, nexmo, sinch, fcm, onesignal, sns_push, apns)

RATE_MIN, RATE_MAX = 0.01, 100_000
"""Units a second."""

CONCURRENT_MAX = 10_000
"""Requests at a time."""

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
    return _read_account(vendor, values, allowed_hosts)[0]


def open_provider(channel: str, provider_type: str, values: Mapping[str, Any], wire: Wire) -> Provider:
    """The account, ready to send over the wire; raises `ValueError` naming the fields that `validate_account` names."""
    vendor = VENDORS[channel, provider_type]
    problems, account = _read_account(vendor, values, wire.allowed_hosts)
    if problems:
        raise ValueError("; ".join(f"{problem.field}: {problem.message}" for problem in problems))
    return HttpProvider(vendor, account, wire, _tls_of(vendor, values))


def _tls_of(vendor: Vendor, values: Mapping[str, Any]) -> Tls | None:
    config = config_of(values)
    ca_file = text_of(config, "caFile") or None
    certificate = text_of(config, "certificate") or None if vendor.CAPABILITIES.client_certificates else None
    return Tls(ca_file, certificate) if ca_file or certificate else None


def rate_of(values: Mapping[str, Any]) -> float | None:
    """The units a second that the account's owner allows (`config.ratePerSecond`), None without a limit."""
    rate = config_of(values).get("ratePerSecond")
    return float(rate) if _is_rate(rate) else None


def concurrency_of(values: Mapping[str, Any]) -> int | None:
    """The requests at a time that the account's owner allows (`config.concurrentMax`), None without a limit."""
    most = config_of(values).get("concurrentMax")
    return most if _is_concurrency(most) else None


def _is_rate(rate: object) -> TypeGuard[float]:
    return isinstance(rate, int | float) and not isinstance(rate, bool) and RATE_MIN <= rate <= RATE_MAX


def _is_concurrency(most: object) -> TypeGuard[int]:
    return isinstance(most, int) and not isinstance(most, bool) and 1 <= most <= CONCURRENT_MAX


def _read_account(
    vendor: Vendor, values: Mapping[str, Any], allowed_hosts: frozenset[str]
) -> tuple[list[Problem], Any]:
    """All that is wrong, and the account where nothing is wrong with it alone."""
    problems = vendor.problems(values)
    rate, most = (config_of(values).get(name) for name in ("ratePerSecond", "concurrentMax"))
    if rate is not None and not _is_rate(rate):
        problems.append(Problem("config.ratePerSecond", f"must be a number from {RATE_MIN} to {RATE_MAX}"))
    if most is not None and not _is_concurrency(most):
        problems.append(Problem("config.concurrentMax", f"must be a whole number from 1 to {CONCURRENT_MAX}"))
    account = None if problems else vendor.account(values)
    official = vendor.CAPABILITIES.official_hosts
    base_url = text_of(config_of(values), "baseUrl")
    urls = [*(account.hosts() if account else ()), *([("config.baseUrl", base_url)] if base_url else [])]
    hosts = [(field, host_of(url)) for field, url in urls]
    for (field, host), (_, url) in zip(hosts, urls, strict=True):
        if host not in official | allowed_hosts:
            problems.append(Problem(field, "this host is not in PROVIDER_HOST_ALLOWLIST"))
        elif not is_plain_url(url):
            problems.append(Problem(field, "must be a scheme, a host, and perhaps a port and a path"))
    if ca_file := text_of(config_of(values), "caFile"):
        if any(host in official for _, host in hosts):
            problems.append(Problem("config.caFile", "is for another server than the vendor's own"))
        elif not problems and not os.access(ca_file, os.R_OK):
            problems.append(Problem("config.caFile", "cannot be read on the machine that sends"))
    return list(dict.fromkeys(problems)), account
