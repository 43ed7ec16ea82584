"""Gathering what a verification compares."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

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
    mark_moving,
)

LOG_SECONDS = 300.0

READINGS_MAX = 6
READ_AGAIN_SECONDS = 2.0
"""Sources are read one after the other, so they agree only when nothing happens: what differs is read again."""

UNMOVED_READINGS = 3
"""What differs in the same way in so many readings is a difference."""


@dataclass(frozen=True, slots=True)
class Compared:
    """What several sources say, compared."""

    checks: list[Check]

    @property
    def balanced(self) -> bool:
        """Whether every check holds."""
        return all(check.ok for check in self.checks)

    @property
    def moves(self) -> bool:
        """Whether nothing but what still moves keeps them from holding."""
        return not self.balanced and all(check.ok or check.moves for check in self.checks)


@dataclass(frozen=True, slots=True)
class Verified(Compared):
    """All checks of one campaign. Without the provider's log, sends are not judged (None)."""

    ledger: dict[str, Any]
    double_sends: int | None
    opted_out_sends: int | None


Comparison = TypeVar("Comparison", bound=Compared)


async def compare_at_rest(
    read: Callable[[], Awaitable[Comparison]], again_seconds: float = READ_AGAIN_SECONDS
) -> Comparison:
    """The first reading that holds, or the last one, in which what moved lately is marked."""
    readings: list[Comparison] = []
    while True:
        readings.append(await read())
        last = readings[-1]
        marked = replace(last, checks=mark_moving([one.checks for one in readings[-UNMOVED_READINGS:]]))
        is_known = len(readings) >= UNMOVED_READINGS and not any(check.moves for check in marked.checks)
        if last.balanced or is_known or len(readings) == READINGS_MAX:
            return marked
        await asyncio.sleep(again_seconds)


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
        return Verified(checks, ledger, None, None)
    provider_type = await _provider_type(api, channel, campaign_id)
    sent = [one async for one in read_log(api.session, simulator_url, provider_type)]
    view = compare_provider(recipients, sent, opted_out)
    return Verified(checks + view.checks, ledger, view.double_sends, view.opted_out_sends)


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
