"""The interface between us and every vendor: messages in, one outcome each; callbacks in, receipts out."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

import msgspec

from contracts.masked import DeviceToken, PhoneNumber

ERROR_CLASSES = (
    "recipient_permanent",  # the address is dead: suppress it
    "recipient_opted_out",  # the vendor knows that the person said no: suppress and record the consent
    "recipient_temporary",  # a later attempt may reach the person; capped
    "throttled",  # too fast: later, and slower
    "transient",  # the vendor is unwell: later, with back-off
    "content",  # this message is wrong: neither try again nor suppress
    "config",  # credentials, sender, credit: pause, whoever the recipient is
    "unknown",  # the vendor gave no reason that we know
)

RECEIPTS_COME_BY = ("webhook", "app", "log", "none")
RATE_UNITS = ("messages", "segments", "requests")
PRICES_COME_BY = ("estimate", "response", "receipt", "later", "none")


def boottime() -> float:
    """Seconds of the clock by which deadlines are stated: it goes on while the process or the machine is frozen."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


# --- what we say -----------------------------------------------------------------------------------------------------


class Message(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One rendered message to one address.

    `reference` is our signed name of the recipient, which comes back in callbacks. `callback_url` is where the vendor
    reports (reference included), `report_url` where the customer's own app does. After `ttl_seconds` the message is
    worthless; `collapse_id` (64 bytes at most, the same for the whole campaign) hides a repetition on the device where
    the vendor can. `urgent` is what somebody waits for, such as a code.
    """

    recipient_id: UUID
    address: PhoneNumber | DeviceToken
    text: str
    reference: str
    title: str | None = None
    image_url: str | None = None
    action_url: str | None = None
    data: dict[str, str] | None = None
    callback_url: str | None = None
    report_url: str | None = None
    ttl_seconds: int | None = None
    collapse_id: str | None = None
    urgent: bool = False

    def __repr__(self) -> str:
        return f"Message(recipient_id={self.recipient_id})"


# --- what the vendor's answer means ----------------------------------------------------------------------------------


class Accepted(msgspec.Struct, frozen=True, gc=False):
    """The vendor has the message. Cost is in millionths of `currency`, None where the answer does not tell."""

    provider_message_id: str
    segments: int | None = None
    cost_micros: int | None = None
    currency: str | None = None


class Refused(msgspec.Struct, frozen=True, gc=False):
    """The vendor will not send it.

    `error_class` is one of `ERROR_CLASSES`, `code` the vendor's own, if it gave one. `since` is when the vendor knew
    that the address was dead: one that was registered later is alive.
    """

    error_class: str
    code: str | None = None
    since: datetime | None = None


class Deferred(msgspec.Struct, frozen=True, gc=False):
    """Certainly not sent, and worth another attempt. `reason` is from a bounded list, fit for a metric's label."""

    reason: str
    retry_after_seconds: float | None = None
    code: str | None = None


class Unknown(msgspec.Struct, frozen=True, gc=False):
    """May have been sent: nobody may send it again before that is settled. `reason` is from a bounded list."""

    reason: str
    code: str | None = None


Outcome = Accepted | Refused | Deferred | Unknown


class Found(msgspec.Struct, frozen=True, gc=False):
    """Asked later, the vendor has the message; `outcome` says in which state."""

    outcome: Accepted | Refused


class Absent(msgspec.Struct, frozen=True, gc=False):
    """Asked later, the vendor does not have the message."""


class Unclear(msgspec.Struct, frozen=True, gc=False):
    """The vendor could not be asked, or its answer fits several messages."""

    reason: str


Finding = Found | Absent | Unclear


class Sought(msgspec.Struct, frozen=True, gc=False):
    """A message whose price is asked for: between these times the vendor has sent it."""

    provider_message_id: str
    attempted_at: datetime
    final_at: datetime


class Price(msgspec.Struct, frozen=True, gc=False):
    """What a message cost, in millionths of `currency`."""

    cost_micros: int
    currency: str


class Prices(msgspec.Struct, frozen=True, gc=False):
    """Prices by the vendor's id of the message, None for a message that has none yet; `more` asks for the next page."""

    known: Mapping[str, Price | None] = {}
    more: HttpRequest | None = None


class Verification(msgspec.Struct, frozen=True):
    """Whether the vendor takes the credentials; `detail` is for the account's owner and holds no secret."""

    works: bool
    detail: str


# --- what the vendor tells us later ----------------------------------------------------------------------------------


class CallbackRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A vendor's HTTP request to us. `url` is the public one with its query, header names are in lower case.

    `documents` are the public documents that were fetched for a `DocumentNeeded`, by URL.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    documents: Mapping[str, bytes] = {}

    def __repr__(self) -> str:
        return f"CallbackRequest({self.method}, {len(self.body)} bytes)"


class VendorReceipt(msgspec.Struct, frozen=True, kw_only=True):
    """What a callback states about one message; `kind` is one of `contracts.events.receipts.RECEIPT_KINDS`.

    `reference` is the one we gave with the message, None where the vendor echoes nothing; then `provider_message_id`
    says which message is meant. Where either stands for a batch, `address` says whom of it the receipt is about; where
    a long text has a receipt for each of its parts, `part` is the vendor's id of the one that this receipt is about.
    `at` is None where the vendor states no time.
    """

    reference: str | None
    kind: str
    provider_message_id: str | None = None
    address: str | None = None
    part: str | None = None
    at: datetime | None = None
    error_class: str | None = None
    code: str | None = None
    cost_micros: int | None = None
    currency: str | None = None

    def __repr__(self) -> str:
        return f"VendorReceipt({self.kind!r})"


PARTS_MAX = 255
"""A text message has no more."""


class InboundPart(msgspec.Struct, frozen=True):
    """Which part of a long text a message is: `number` of `total`, counted from 1; `reference` names the whole."""

    reference: str
    number: int
    total: int


class InboundMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A person wrote to one of our numbers. `intent` is stop, start, help or other.

    A message with a `part` has a `provider_message_id` of its own, and an intent only if it is the first.
    """

    address: PhoneNumber
    to: str
    text: str
    intent: str
    provider_message_id: str | None = None
    part: InboundPart | None = None

    def __repr__(self) -> str:
        return f"InboundMessage(intent={self.intent!r})"


class CallbackContents(msgspec.Struct, frozen=True):
    """Everything that one callback states; all empty where it states nothing of interest.

    `visit` is a URL that the vendor wants to see fetched before it calls again. `reply` is what it wants to hear where
    that depends on the callback.
    """

    receipts: Sequence[VendorReceipt] = ()
    inbound: Sequence[InboundMessage] = ()
    visit: str | None = None
    reply: HttpReply | None = None


class CallbackMalformed(ValueError):
    """A callback that cannot be read; the text names what is missing, without the callback's contents."""


class DocumentNeeded(Exception):
    """Only a public document of the vendor, such as a certificate, shows whether a callback is genuine."""

    def __init__(self, url: str) -> None:
        super().__init__("a document of the vendor is needed")
        self.url = url


# --- HTTP, as vendors' functions see it ------------------------------------------------------------------------------


class HttpRequest(msgspec.Struct, frozen=True, gc=False):
    """A request to be written. `headers` are whole lines; keep one tuple per account, its identity saves work."""

    method: str
    url: str
    headers: tuple[str, ...]
    body: bytes = b""

    def __repr__(self) -> str:
        return f"HttpRequest({self.method}, {len(self.body)} bytes)"


class Tls(msgspec.Struct, frozen=True):
    """What is particular to an account's connections.

    `ca_file` is a path to the certificates that its server is believed with instead of the system's, `certificate` the
    PEM text of the client's certificate and private key.
    """

    ca_file: str | None = None
    certificate: str | None = None

    def __repr__(self) -> str:
        return "Tls()"


class HttpAnswer(msgspec.Struct, frozen=True, gc=False):
    """A complete answer. `retry_after_seconds` is the header's value in either of its forms, None without one."""

    status: int
    body: bytes
    retry_after_seconds: float | None = None

    def __repr__(self) -> str:
        return f"HttpAnswer({self.status}, {len(self.body)} bytes)"


class HttpReply(msgspec.Struct, frozen=True):
    """What we answer to a callback that we have stored."""

    status: int
    content_type: str
    body: bytes


# --- the vendor ------------------------------------------------------------------------------------------------------


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    """What a vendor can and cannot do.

    `official_hosts` need no permission of the operator. With a `batch_max` above 1 the module is a `BatchVendor`.
    `resend_is_safe`: the same request twice has the effect of one, by the vendor's word. `echoes_reference`: receipts
    hold our reference, or the provider's id of the message has to be remembered. `rate_unit` is what the vendor counts
    when it limits the rate. `http2`: it speaks nothing else. `prepares`: the module is a `PreparingVendor`. With a
    `price` that comes later the module is a `PricingVendor`. `receipts_per_part`: each part of a long text has its own,
    and `Accepted.segments` says how many. `calls_by_get`: some accounts' callbacks are GET requests.
    `client_certificates`: an account may have `config.certificate`. `repeats_unsigned`: the module is a
    `RepeatingVendor`.
    """

    channel: str
    provider_type: str
    official_hosts: frozenset[str]
    batch_max: int
    in_flight_max: int
    receipts: str
    resend_is_safe: bool
    can_be_asked: bool
    price: str
    echoes_reference: bool = True
    receipts_per_part: bool = False
    repeats_unsigned: bool = False
    rate_unit: str = "messages"
    http2: bool = False
    prepares: bool = False
    client_certificates: bool = False
    calls_by_get: bool = False


class Problem(msgspec.Struct, frozen=True):
    """What is wrong with a field of an account, as the API names the field."""

    field: str
    message: str


class InvalidField(ValueError):
    """An account's field that only its use shows to be wrong."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(f"{problem.field}: {problem.message}")
        self.problem = problem


def problems_in(use: Callable[[], object]) -> list[Problem]:
    """What the use of a field shows to be wrong with it, by `InvalidField`."""
    try:
        use()
    except InvalidField as error:
        return [error.problem]
    return []


class Provider(Protocol):
    """One account at one vendor, ready to send."""

    capabilities: Capabilities

    async def send(
        self,
        messages: Sequence[Message],
        deadline: float,
        on_outcome: Callable[[int, Outcome], None] | None = None,
    ) -> list[Outcome]:
        """One outcome per message, in order; raises nothing but cancellation.

        Nothing is written after `deadline` (of `boottime()`): what was not written by then is
        `Deferred("lease_expired")`. `on_outcome` hears of each as soon as it is known, with its index; it must be
        quick and not raise.
        """

    def units(self, messages: Sequence[Message]) -> int:
        """What the messages come to in the vendor's `rate_unit`."""

    def limit(self, in_flight_max: int) -> int:
        """From now on no more requests at a time than this, but one at least; returns how many are under way."""

    async def ask(self, message: Message, attempted_at: datetime, others: Collection[str] = ()) -> Finding:
        """Whether the vendor has a message that was attempted at that time (UTC)."""

    async def ask_prices(self, sought: Sequence[Sought], page: HttpRequest | None = None) -> Prices | Unclear:
        """One request for the prices of these messages, or for a further page of an earlier answer."""

    async def verify(self) -> Verification:
        """Whether the vendor takes the credentials."""

    async def close(self) -> None:
        """Ends what is in flight; its outcomes are as after a broken connection."""
