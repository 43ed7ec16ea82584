"""What a callback means. No input or output."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from contracts.channels import CHANNELS
from contracts.events import InboundMessageReceived, Receipt
from shared.providers.keywords import intent_of
from shared.providers.provider import (
    CallbackContents,
    CallbackRequest,
    HttpReply,
    InboundMessage,
    InboundPart,
    VendorReceipt,
)
from shared.security import References

APP = "app"
"""Stands for the provider where the customer's own app reports."""

LINK = "link"
"""Stands for the provider where somebody followed a link of ours."""

APP_KINDS = ("delivered", "opened", "clicked")
FIELD_LENGTH_MAX = 200
TEXT_LENGTH_MAX = 10_000

PLAUSIBLE = timedelta(days=400)
"""A vendor's time that is further away than that from ours is none."""

INTENTS = frozenset({"stop", "start", "help", "other"})
DROPPED_HEADERS = frozenset(
    {
        b"host",
        b"connection",
        b"content-length",
        b"accept",
        b"accept-encoding",
        b"user-agent",
        b"authorization",
        b"cookie",
    }
)
"""What says nothing about a callback, or must not be kept."""

CHANNEL_OF_INITIAL = {name[:1]: name for name in CHANNELS}


@dataclass(frozen=True, slots=True)
class Account:
    """Whose callbacks these are."""

    id: UUID
    user_id: str
    channel: str
    provider_type: str


NOT_KNOWN_YET = "a message that is not known yet"
"""The problem of a receipt that comes before the news of its message, or about a message that is none of ours."""


class Reading(msgspec.Struct, frozen=True, gc=False):
    """What a callback states. `problem` says why it states less than it should.

    `unplaced` receipts name a message by the provider's id alone; `place` finds out which recipients are meant.
    """

    receipts: tuple[Receipt, ...] = ()
    inbound: tuple[InboundMessage, ...] = ()
    unplaced: tuple[VendorReceipt, ...] = ()
    problem: str | None = None
    visit: str | None = None
    reply: HttpReply | None = None

    @property
    def result(self) -> str:
        """The value of the metric's label."""
        if self.problem is not None:
            return "rejected"
        return "taken" if self.receipts or self.inbound else "empty"


class Callback(msgspec.Struct, frozen=True, gc=False):
    """A genuine callback as it came, and what it states. `target` is path and query, `headers` are lines."""

    provider: str
    channel: str
    account_id: UUID | None
    user_id: str | None
    received_at: datetime
    target: str
    headers: bytes
    body: bytes
    reading: Reading

    def __repr__(self) -> str:
        return f"Callback({self.provider}, {len(self.body)} bytes)"


def read_contents(
    account: Account, contents: CallbackContents, references: References, at: datetime, by_message_id: bool = False
) -> Reading:
    """What the vendor states about our recipients, and as a problem what of it we cannot place.

    `by_message_id` says that the vendor does not echo our reference, so that its id of the message has to do.
    """
    receipts, unplaced = [], []
    problem = None
    for stated in contents.receipts:
        found = references.read(stated.reference) if stated.reference else None
        if not _is_storable(stated):
            problem = "an identifier or code that is too long or holds NUL"
        elif by_message_id and stated.reference is None and stated.provider_message_id:
            unplaced.append(stated)
        elif found is None or found[0] != account.channel[:1]:
            problem = "a reference that is not ours" if stated.reference else "no reference"
        else:
            receipts.append(_receipt(stated, found[1], at))
    return Reading(tuple(receipts), tuple(contents.inbound), tuple(unplaced), problem, contents.visit, contents.reply)


def _receipt(stated: VendorReceipt, recipient_id: UUID, at: datetime) -> Receipt:
    is_plausible = stated.at is not None and abs(stated.at - at) < PLAUSIBLE
    return Receipt(
        recipient_id=recipient_id,
        kind=stated.kind,
        at=stated.at if is_plausible and stated.at is not None else at,
        address=stated.address,
        part=stated.part,
        provider_message_id=stated.provider_message_id,
        error_class=stated.error_class,
        code=stated.code,
        cost_micros=stated.cost_micros,
        currency=stated.currency,
    )


MessageKey = tuple[str, str, str, str]
"""Tenant, channel, provider and the provider's id of a message."""


def message_keys(callbacks: Iterable[Callback]) -> set[MessageKey]:
    """The messages that callbacks name by nothing but the provider's id."""
    return {_key(callback, stated) for callback in callbacks for stated in callback.reading.unplaced}


def place(callback: Callback, recipients: Mapping[MessageKey, UUID]) -> Callback:
    """The callback with receipts for the recipients that it means; its problem says whether some are not known."""
    reading = callback.reading
    if not reading.unplaced:
        return callback
    receipts, problem = list(reading.receipts), reading.problem
    for stated in reading.unplaced:
        recipient_id = recipients.get(_key(callback, stated))
        if recipient_id is None:
            problem = problem or NOT_KNOWN_YET
        else:
            receipts.append(_receipt(stated, recipient_id, callback.received_at))
    placed = msgspec.structs.replace(reading, receipts=tuple(receipts), unplaced=(), problem=problem)
    return msgspec.structs.replace(callback, reading=placed)


def _key(callback: Callback, stated: VendorReceipt) -> MessageKey:
    return callback.user_id or "", callback.channel, callback.provider, stated.provider_message_id or ""


def _is_storable(stated: VendorReceipt) -> bool:
    """A callback shares records and transactions with others, so nothing in it may spoil them."""
    for value in (stated.provider_message_id, stated.part, stated.address, stated.code, stated.currency):
        if value is not None and (len(value) > FIELD_LENGTH_MAX or "\0" in value):
            return False
    return True


def group_receipts(callbacks: Sequence[Callback], receipts_max: int) -> Iterator[tuple[tuple[str, str], list[Receipt]]]:
    """Receipts by channel and provider, in order of arrival, up to `receipts_max` at a time."""
    groups: dict[tuple[str, str], list[Receipt]] = {}
    for callback in callbacks:
        if callback.reading.receipts:
            groups.setdefault((callback.channel, callback.provider), []).extend(callback.reading.receipts)
    for of, receipts in groups.items():
        for start in range(0, len(receipts), receipts_max):
            yield of, receipts[start : start + receipts_max]


def inbound_of(callback: Callback, message: InboundMessage, event_id: UUID) -> InboundMessageReceived:
    """The event for a message that a person sent to one of a tenant's numbers."""
    assert callback.user_id is not None
    assert callback.account_id is not None
    return InboundMessageReceived(
        event_id=event_id,
        occurred_at=callback.received_at,
        user_id=callback.user_id,
        channel=callback.channel,
        provider_id=callback.account_id,
        address=_cleaned(message.address, FIELD_LENGTH_MAX),
        to=_cleaned(message.to, FIELD_LENGTH_MAX),
        text=_cleaned(message.text, TEXT_LENGTH_MAX),
        intent=message.intent if message.intent in INTENTS else "other",
        provider_message_id=message.provider_message_id and _cleaned(message.provider_message_id, FIELD_LENGTH_MAX),
    )


class StoredPart(msgspec.Struct, frozen=True, gc=False):
    """A part of a long text as a message of its own, and which part it is."""

    message: InboundMessageReceived
    part: InboundPart

    @property
    def whole(self) -> tuple[object, ...]:
        """What the parts of one text have in common. The same sender may use a reference again."""
        one = self.message
        return one.provider_id, one.address, one.to, self.part.reference, self.part.total


def part_of(callback: Callback, message: InboundMessage, event_id: UUID) -> StoredPart:
    """A part as it is kept until the others have come."""
    assert message.part is not None
    part = msgspec.structs.replace(message.part, reference=_cleaned(message.part.reference, FIELD_LENGTH_MAX))
    return StoredPart(inbound_of(callback, message, event_id), part)


def is_for_now(message: InboundMessage) -> bool:
    """True for what must not wait for the rest of it: a whole message, and a first part that says stop."""
    return message.part is None or message.intent == "stop"


def complete_texts(parts: Iterable[StoredPart]) -> list[list[StoredPart]]:
    """The parts of each text of which all are there, in the order of reading; the oldest where one is there twice."""
    by_whole: dict[tuple[object, ...], dict[int, list[StoredPart]]] = {}
    for one in sorted(parts, key=lambda one: one.message.occurred_at, reverse=True):
        by_whole.setdefault(one.whole, {}).setdefault(one.part.number, []).append(one)
    texts = []
    for numbers in by_whole.values():
        total = next(iter(numbers.values()))[0].part.total
        while len(numbers) == total and all(numbers.values()):
            texts.append([numbers[number].pop() for number in sorted(numbers)])
    return texts


def text_of_parts(parts: Sequence[StoredPart], event_id: UUID) -> InboundMessageReceived:
    """The one message that its parts, all of them and in order, make: named by its last part, as old as its first."""
    text = "".join(one.message.text for one in parts)
    return msgspec.structs.replace(
        parts[-1].message,
        event_id=event_id,
        occurred_at=min(one.message.occurred_at for one in parts),
        text=_cleaned(text, TEXT_LENGTH_MAX),
        intent=intent_of(text),
    )


def _cleaned(text: str, length_max: int) -> str:
    """The text as PostgreSQL can hold it."""
    return text[:length_max].replace("\0", "\N{REPLACEMENT CHARACTER}")


def header_lines(headers: Sequence[tuple[bytes, bytes]]) -> bytes:
    """The headers worth keeping, a line each."""
    return b"\n".join([name + b": " + value for name, value in headers if name not in DROPPED_HEADERS])


def request_of(callback: Callback, public_base_url: str) -> CallbackRequest:
    """The vendor's request again, from what was kept of it."""
    lines = (line.partition(": ") for line in callback.headers.decode("latin-1").split("\n"))
    return CallbackRequest(
        method="POST" if callback.body else "GET",
        url=public_base_url + callback.target,
        headers={name: value for name, _, value in lines},
        body=callback.body,
    )
