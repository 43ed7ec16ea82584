"""What a vendor's module has to offer; `provider` has the values that go in and come out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from shared.providers.provider import (
    CallbackContents,
    CallbackRequest,
    Capabilities,
    Deferred,
    Finding,
    HttpAnswer,
    HttpReply,
    HttpRequest,
    Message,
    Outcome,
    Prices,
    Problem,
    Refused,
    Sought,
    Verification,
)

Exchange = Callable[[HttpRequest], HttpAnswer]
"""Blocking: one request, one answer; for use in a thread. Raises `ConnectionError`."""


class Vendor(Protocol):
    """One vendor on one channel: a module of functions without input or output.

    Every vendor is a `SingleVendor` or a `BatchVendor` too. `values` are an account's fields as the API names them
    (`accountSid`, `apiSecret`, `config` …). What `account` makes of them is the vendor's own record, of which nothing
    but `hosts()` concerns anyone else: the URLs that it names, with their fields.
    """

    CAPABILITIES: Capabilities
    CALLBACK_REPLY: HttpReply

    def problems(self, values: Mapping[str, Any]) -> list[Problem]:
        """All that is wrong with the values, as far as it can be seen without asking the vendor."""

    def account(self, values: Mapping[str, Any]) -> Any:
        """The vendor's record of values without problems, secrets masked in its `repr`."""

    def authorize(
        self, account: Any, refused: HttpRequest | None
    ) -> Callable[[Exchange], Refused | Deferred | None] | None:
        """The blocking step that must come before the next request, None if there is none.

        `refused` is a request that the vendor has just refused with 401. The step returns what stands in the way.
        """

    def question(self, account: Any, message: Message, attempted_at: datetime) -> HttpRequest | None:
        """The request that asks whether the vendor has the message; None where it cannot be asked."""

    def finding(
        self, account: Any, message: Message, attempted_at: datetime, others: Collection[str], answer: HttpAnswer
    ) -> Finding:
        """What the answer to `question` means; `others` are provider message ids that belong to other recipients."""

    def verification(self, account: Any) -> HttpRequest:
        """The request that shows whether the credentials work; it sends nothing to anyone."""

    def verified(self, account: Any, answer: HttpAnswer) -> Verification:
        """What the answer to `verification` means."""

    def is_genuine(self, account: Any, callback: CallbackRequest) -> bool:
        """True only for a callback that the vendor signed for this account; may raise `DocumentNeeded`."""

    def read_callback(self, account: Any, callback: CallbackRequest) -> CallbackContents:
        """What a genuine callback states; raises `CallbackMalformed`."""


class SingleVendor(Vendor, Protocol):
    """A vendor that takes one message a request."""

    def request(self, account: Any, message: Message) -> HttpRequest:
        """The request that sends the message."""

    def outcome(self, account: Any, message: Message, answer: HttpAnswer) -> Outcome:
        """What a complete answer means."""


class BatchVendor(Vendor, Protocol):
    """A vendor that takes many messages a request."""

    def groups(self, account: Any, messages: Sequence[Message]) -> Sequence[Sequence[int]]:
        """Which messages go together, as indexes; each in one group, and up to `batch_max` in a group."""

    def batch_request(self, account: Any, messages: Sequence[Message]) -> HttpRequest:
        """The request that sends a group, or a part of one; the same messages give the same request."""

    def batch_outcomes(self, account: Any, messages: Sequence[Message], answer: HttpAnswer) -> Sequence[Outcome]:
        """What a complete answer means for each; `http_provider.SPLIT` for all asks for two smaller requests."""


class PreparingVendor(Vendor, Protocol):
    """A vendor that must hear of an address before it takes messages to it."""

    def preparation(self, account: Any, message: Message) -> HttpRequest | None:
        """The request that must come first, None where the address is known already. It sends nothing to anyone."""

    def prepared(self, account: Any, message: Message, answer: HttpAnswer) -> Refused | Deferred | None:
        """Learns from the answer; returns what stands in the way."""


class PricingVendor(Vendor, Protocol):
    """A vendor that knows the price of a message some time after it was sent, and says it when asked."""

    def price_question(self, account: Any, sought: Sequence[Sought]) -> HttpRequest:
        """One request for the prices of these messages, or of as many as one request can ask for, at least the first.

        Of more than one message it may ask in a way that finds only some: the others are asked for one by one.
        """

    def prices(self, account: Any, answer: HttpAnswer) -> Prices | None:
        """What the answer says, also of messages that nobody asked for; None where it is none to the question."""


class RepeatingVendor(Vendor, Protocol):
    """A vendor that at times has to call without a signature, and calls again with one when told to come later."""

    def is_unsigned(self, account: Any, callback: CallbackRequest) -> bool:
        """True for a callback without any signature to an account of which the vendor signs the callbacks."""
