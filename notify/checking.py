"""Gathering what a verification compares."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aiohttp
import msgspec

from contracts.channels import CHANNELS
from notify.client import Api, ApiError
from notify.verification import (
    Check,
    Recipient,
    Sent,
    compare_books,
    compare_provider,
    compare_recipients,
)

LOG_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Verified:
    """All checks of one campaign. Without the provider's log, sends are not judged (None)."""

    ledger: dict[str, Any]
    checks: list[Check]
    double_sends: int | None
    opted_out_sends: int | None

    @property
    def balanced(self) -> bool:
        """Whether every check holds."""
        return all(check.ok for check in self.checks)


class _Entry(msgspec.Struct):
    provider: str = ""
    reference: str = ""
    address: str = ""
    accepted: bool = False
    time: str = ""
    refused_later: bool = False


_decode = msgspec.json.Decoder(_Entry).decode


async def verify_campaign(
    api: Api, channel: str, campaign_id: str, simulator_url: str | None, opted_out: frozenset[str] = frozenset()
) -> Verified:
    """Asks every source and compares them."""
    found = await api.data("GET", f"/{channel}/campaigns/{campaign_id}/verification")
    ledger = found["ledger"]
    checks = compare_books(ledger, found)
    address = CHANNELS[channel].address_field
    recipients = [
        Recipient(row["id"], row[address], row["status"], row["outcome"], row["attempts"], row["attemptedAt"])
        async for row in api.pages(f"/{channel}/campaigns/{campaign_id}/recipients")
    ]
    checks += compare_recipients(ledger, recipients)
    if simulator_url is None:
        return Verified(ledger, checks, None, None)
    provider_type = await _provider_type(api, channel, campaign_id)
    sent = [one async for one in read_log(api.session, simulator_url, provider_type)]
    view = compare_provider(recipients, sent, opted_out)
    return Verified(ledger, checks + view.checks, view.double_sends, view.opted_out_sends)


async def _provider_type(api: Api, channel: str, campaign_id: str) -> str | None:
    """What the campaign was sent by; None where nobody can tell any more."""
    try:
        campaign = await api.data("GET", f"/{channel}/campaigns/{campaign_id}")
        provider = await api.data("GET", f"/{channel}/providers/{campaign['providerId']}")
    except ApiError as error:
        if error.status == 404:
            return None
        raise
    found: str = provider["providerType"]
    return found


async def read_log(
    session: aiohttp.ClientSession, simulator_url: str, provider_type: str | None = None
) -> AsyncIterator[Sent]:
    """Every message that the simulator has logged, or those that came by one provider's protocol."""
    timeout = aiohttp.ClientTimeout(total=LOG_SECONDS, connect=5.0)
    async with session.get(f"{simulator_url}/_simulator/log", params={"after": "0"}, timeout=timeout) as answer:
        answer.raise_for_status()
        async for line in answer.content:
            entry = _decode(line)
            if provider_type is not None and entry.provider != provider_type:
                continue
            yield Sent(entry.reference, entry.address, entry.accepted, entry.time, entry.refused_later)
