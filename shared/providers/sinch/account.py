"""Our service plan at Sinch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from contracts.masked import Secret
from shared.providers.provider import Problem
from shared.providers.reading import config_of, missing, secrets_of, text_of, with_control_characters

REGIONS = ("us", "eu", "au", "br", "ca")


@dataclass(frozen=True, slots=True)
class Account:
    """Everything that a request repeats is made once."""

    base_url: str
    batches_url: str
    headers: tuple[str, ...] = field(repr=False)
    sender: str = field(repr=False)
    secrets: tuple[Secret, ...] = field(repr=False)

    def hosts(self) -> list[tuple[str, str]]:
        """The URLs that the account names, with the field that holds each."""
        return [("config.baseUrl", self.base_url)]


def problems(values: Mapping[str, Any]) -> list[Problem]:
    """Needs `apiKey` (the API token), `config.servicePlanId` and `config.webhookSecret`.

    `config.region` is us by default; `phoneNumber` is the sender, unless the plan has a default one. While a webhook
    secret is rotated, `config.webhookSecret` may be a list of all that are good.
    """
    config = config_of(values)
    found = missing(values, "apiKey")
    if not text_of(config, "servicePlanId"):
        found.append(Problem("config.servicePlanId", "is required"))
    if not secrets_of(config, "webhookSecret"):
        found.append(Problem("config.webhookSecret", "is required: without it no receipt can be believed"))
    if (text_of(config, "region") or "us") not in REGIONS:
        found.append(Problem("config.region", f"must be one of {', '.join(REGIONS)}"))
    return found + with_control_characters(values, "apiKey")


def account(values: Mapping[str, Any]) -> Account:
    """See `Vendor.account`."""
    config = config_of(values)
    official = f"https://{text_of(config, 'region') or 'us'}.sms.api.sinch.com"
    base_url = (text_of(config, "baseUrl") or official).rstrip("/")
    plan = quote(text_of(config, "servicePlanId"), safe="")
    return Account(
        base_url=base_url,
        batches_url=f"{base_url}/xms/v1/{plan}/batches",
        headers=(f"Authorization: Bearer {text_of(values, 'apiKey')}", "Content-Type: application/json"),
        sender=text_of(values, "phoneNumber") or text_of(values, "senderId"),
        secrets=secrets_of(config, "webhookSecret"),
    )
