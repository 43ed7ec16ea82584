"""Our credentials at Twilio."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from contracts.masked import Secret
from shared.providers.forms import form_quoted
from shared.providers.provider import Problem
from shared.providers.reading import config_of, missing, text_of, with_control_characters

_OFFICIAL = "https://api.twilio.com"


@dataclass(frozen=True, slots=True)
class Account:
    """Our credentials at Twilio; everything a request repeats is made once."""

    base_url: str
    messages_url: str
    message_root: str
    account_url: str
    headers: tuple[str, ...] = field(repr=False)
    sender_field: str = field(repr=False)
    sender: str = field(repr=False)
    signing_secrets: Mapping[str, Secret] = field(repr=False)

    def hosts(self) -> list[tuple[str, str]]:
        """The URLs that the account names, with the field that holds each."""
        return [("config.baseUrl", self.base_url)]


def problems(values: Mapping[str, Any]) -> list[Problem]:
    """Needs `accountSid`, `apiSecret`, and `phoneNumber` or `config.messagingServiceSid`; an API key is optional."""
    config = config_of(values)
    found = missing(values, "accountSid", "apiSecret")
    account_sid = text_of(values, "accountSid")
    if account_sid and not (account_sid.startswith("AC") and account_sid.isalnum()):
        found.append(Problem("accountSid", "must start with AC and hold letters and digits only"))
    if not text_of(values, "phoneNumber") and not text_of(config, "messagingServiceSid"):
        found.append(Problem("phoneNumber", "is required unless config.messagingServiceSid is given"))
    service = text_of(config, "messagingServiceSid")
    if service and not service.startswith("MG"):
        found.append(Problem("config.messagingServiceSid", "must start with MG"))
    return found + with_control_characters(values, "accountSid", "apiKey", "apiSecret")


def account(values: Mapping[str, Any]) -> Account:
    """See `Vendor.account`. An API key's secret is not what Twilio signs with: that is `config.authToken`."""
    config = config_of(values)
    account_sid, api_key, secret = (text_of(values, name) for name in ("accountSid", "apiKey", "apiSecret"))
    user = api_key if api_key.startswith("SK") else account_sid
    service = text_of(config, "messagingServiceSid")
    base_url = (text_of(config, "baseUrl") or _OFFICIAL).rstrip("/")
    root = f"{base_url}/2010-04-01/Accounts/{quote(account_sid, safe='')}"
    shared_keys = config.get("sharedKeys")
    keys = {str(name): Secret(key) for name, key in shared_keys.items()} if isinstance(shared_keys, dict) else {}
    sender = service or text_of(values, "phoneNumber")
    return Account(
        base_url=base_url,
        messages_url=f"{root}/Messages.json",
        message_root=f"{root}/Messages/",
        account_url=f"{root}.json",
        headers=(
            "Authorization: Basic " + base64.b64encode(f"{user}:{secret}".encode()).decode(),
            "Content-Type: application/x-www-form-urlencoded",
        ),
        sender_field=("MessagingServiceSid=" if service else "From=") + form_quoted(sender),
        sender=sender,
        signing_secrets={**keys, "": Secret(text_of(config, "authToken") or secret)},
    )
