"""From what a callback states to the events that we pass on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from contracts.channels import CHANNELS
from contracts.events import Receipt
from shared.providers.provider import InboundMessage, Vendor, VendorReceipt

APP_KINDS = ("delivered", "opened", "clicked")
"""What the customer's own app can report."""

CHANNEL_OF_INITIAL = {name[0]: name for name in CHANNELS}

ReadReference = Callable[[str], tuple[str, UUID] | None]


@dataclass(frozen=True, slots=True, repr=False)
class Account:
    """A provider account whose callbacks we take; `values` are its opened credentials as the vendor keeps them."""

    id: UUID
    user_id: str
    channel: str
    provider_type: str
    vendor: Vendor
    values: Any


@dataclass(frozen=True, slots=True, repr=False)
class Stored:
    """One callback with all that it states, to be made durable together."""

    provider: str
    account: Account | None
    channel: str
    target: str
    headers: dict[str, str]
    body: bytes
    rejection: str | None = None
    receipts: Sequence[Receipt] = ()
    inbound: Sequence[InboundMessage] = ()


def receipts_of(
    stated: Iterable[VendorReceipt], read_reference: ReadReference, now: datetime
) -> tuple[list[Receipt], int]:
    """The receipts about messages of ours, and how many have no reference that we gave."""
    receipts: list[Receipt] = []
    strangers = 0
    for one in stated:
        reference = read_reference(one.reference) if one.reference else None
        if reference is None:
            strangers += 1
            continue
        receipts.append(
            Receipt(
                recipient_id=reference[1],
                kind=one.kind,
                at=one.at or now,
                provider_message_id=one.provider_message_id,
                error_class=one.error_class,
                code=one.code,
                cost_micros=one.cost_micros,
                currency=one.currency,
            )
        )
    return receipts, strangers


@dataclass(slots=True)
class Group:
    """Receipts of one group of callbacks, by channel and provider."""

    by_source: dict[tuple[str, str], list[Receipt]] = field(default_factory=lambda: defaultdict(list))

    def add(self, stored: Stored) -> None:
        """Takes the receipts of one callback."""
        if stored.receipts:
            self.by_source[stored.channel, stored.provider].extend(stored.receipts)
