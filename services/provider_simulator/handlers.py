"""What becomes of a message, whichever provider's protocol it came by."""

from __future__ import annotations

import os
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import lru_cache, partial
from hashlib import sha256
from typing import Any

import msgspec

from services.provider_simulator import domain, metrics
from services.provider_simulator.callbacks import Callback, Courier
from services.provider_simulator.domain import Fate, Fates, Faults
from services.provider_simulator.http_text import request_bytes
from services.provider_simulator.store import Entry, RequestLog

ACCEPTED = frozenset({"accepted", "accept_then_error", "accept_then_hang", "accept_then_close", "goaway"})
"""Results after which the person gets the message."""

OF_ADDRESSES = frozenset({"dead_address", "opted_out_address"})
"""Results that say something about the address."""

OF_REQUESTS = frozenset({"throttled", "server_error", "accept_then_error", "accept_then_hang", "accept_then_close"})
"""Results that befall a request with all its messages."""

MEMORY_MAX = 20_000
_ONCE_HTTP1 = domain.ONCE & ~(domain.REFUSED_STREAM | domain.GOAWAY)
_ONCE_KINDS = tuple(kind for kind in domain.KINDS if domain.BIT[kind] & domain.ONCE)
_MET_MAX = 1_000_000
_requests = lru_cache(maxsize=256)(metrics.REQUESTS.labels)


class Submission:
    """One message as a provider's protocol stated it.

    `report` makes the callback request for a state, `by_app` says that the customer's app makes it; where each part of
    a long text is reported, `further_reports` make the others. An `id` that the sender chose stays. `refused_later`:
    this provider takes messages to bad addresses, and reports that they failed. `answer` is the name of the result.
    """

    __slots__ = (
        *("account", "address", "answer", "by_app", "further_reports", "id", "id_prefix", "provider"),
        *("reference", "refused_later", "report", "sender", "sequence", "text", "url"),
    )

    def __init__(self, provider: str, id_prefix: str, account: str, address: str, text: str, reference: str) -> None:
        self.provider = provider
        self.id_prefix = id_prefix
        self.account = account
        self.address = address
        self.answer = ""
        self.text = text
        self.reference = reference
        self.sender = ""
        self.url = ""
        self.id = ""
        self.by_app = False
        self.refused_later = False
        self.sequence = 0
        self.report: Callable[[Submission, str], bytes] | None = None
        self.further_reports: Sequence[Callable[[Submission, str], bytes]] = ()


class Inbound(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A message from a person; `secret` signs it, by default the one that the account last sent with.

    AWS signs with a certificate instead: there the secret is where this simulator is reached (host and port).
    """

    account: str
    from_: str = msgspec.field(name="from")
    to: str
    body: str
    url: str
    secret: str = ""
    provider: str = "twilio"


class Destination(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a provider that is told no callback URL sends what it has to tell, and the secret that goes with it."""

    url: str
    secret: str


def app_report(submission: Submission, state: str) -> bytes:
    """The request by which the customer's app reports a state."""
    return request_bytes(f"{submission.url}/{state}", b"", b"")


class Result:
    """What to do with a request: the name of the result, and the seconds to wait before answering."""

    __slots__ = ("delay_seconds", "fate", "name")

    def __init__(self, name: str, fate: Fate, delay_seconds: float) -> None:
        self.name = name
        self.fate = fate
        self.delay_seconds = delay_seconds


class Simulator:
    """The state of the simulator: its faults, its log, its callbacks."""

    def __init__(self, log: RequestLog, courier: Courier) -> None:
        self.log = log
        self.courier = courier
        self.fates = Fates(Faults())
        self.secrets: dict[str, str] = {}
        self.destinations: dict[str, Destination] = {}
        self.memory: OrderedDict[tuple[str, str, str], Any] = OrderedDict()
        """What protocols have to remember, by provider, account and name; the latest `MEMORY_MAX`."""
        self._met: set[tuple[Fate, str]] = set()
        self._run = os.urandom(5).hex()
        self._second = 0.0
        self._second_text = ""

    def set_faults(self, faults: Faults) -> None:
        """From now on these; addresses that have met a fault may meet it again."""
        self.fates = Fates(faults)
        self._met.clear()

    def remember(self, provider: str, account: str, name: str, thing: Any) -> None:
        """Keeps something for a later request."""
        self.memory[provider, account, name] = thing
        while len(self.memory) > MEMORY_MAX:
            self.memory.popitem(last=False)

    def reset(self) -> None:
        """Forgets all requests and callbacks; faults stay."""
        self.log.reset()
        self.memory.clear()
        self.courier.forget()
        self._met.clear()
        self._run = os.urandom(5).hex()

    def submit(self, submission: Submission, http2: bool = False) -> Result:
        """Decides, notes it in the log, plans the callbacks. The caller flushes the log before it answers."""
        fate = self.fates.of(submission.address)
        return self._take(submission, fate, self._result(fate, submission.address, http2))

    def submit_all(self, submissions: Sequence[Submission]) -> list[Result]:
        """The same for messages of one request: what befalls the request is decided by the first of them."""
        results: list[Result] = []
        whole = ""
        for submission in submissions:
            fate = self.fates.of(submission.address)
            name = whole or self._result(fate & ~domain.ONCE if results else fate, submission.address)
            if name in OF_REQUESTS:
                whole = name
            results.append(self._take(submission, fate, name))
        return results

    def _take(self, submission: Submission, fate: Fate, name: str) -> Result:
        submission.sequence = len(self.log) + 1
        submission.answer = name
        refused_later = submission.refused_later and name in OF_ADDRESSES
        if (name in ACCEPTED or refused_later) and not submission.id:
            submission.id = f"{submission.id_prefix}{self._run}{submission.sequence:022x}"
        self.log.append(
            Entry(
                sequence=submission.sequence,
                time=self._time(),
                provider=submission.provider,
                account=submission.account,
                address=submission.address,
                digest=sha256(submission.text.encode()).hexdigest(),
                answer=name,
                accepted=name in ACCEPTED,
                id=submission.id,
                reference=submission.reference,
                sender=submission.sender,
                refused_later=refused_later,
            ),
            submission.text,
        )
        _requests(submission.provider, name).inc()
        faults = self.fates.faults
        delay_seconds = faults.latency_seconds if fate & domain.LATENCY else 0.0
        if submission.report is not None and refused_later:
            self._callback(submission, "failed", delay_seconds + faults.receipt_seconds)
        elif submission.report is not None and name in ACCEPTED:
            if fate & domain.EARLY_RECEIPT and name == "accepted":
                delay_seconds += 0.1
                self._plan(submission, fate, 0.0)
            else:
                self._plan(submission, fate, delay_seconds + faults.receipt_seconds)
        return Result(name, fate, delay_seconds)

    def state(self, fate: Fate, reports: list[str]) -> str:
        """The state of an accepted message, as far as it has been reported."""
        if fate & domain.UNDELIVERED and "undelivered" in reports:
            return "undelivered"
        return "delivered" if "delivered" in reports else "sent"

    def _result(self, fate: Fate, address: str, http2: bool = False) -> str:
        if self.courier.full:
            return "throttled"
        if fate & domain.OPTED_OUT_ADDRESS:
            return "opted_out_address"
        if fate & domain.DEAD_ADDRESS:
            return "dead_address"
        if once := fate & (domain.ONCE if http2 else _ONCE_HTTP1):
            for kind in _ONCE_KINDS:
                bit = domain.BIT[kind]
                if once & bit and (bit, address) not in self._met and len(self._met) < _MET_MAX:
                    self._met.add((bit, address))
                    return kind
        return "accepted"

    def _plan(self, submission: Submission, fate: Fate, seconds: float) -> None:
        faults = self.fates.faults
        if fate & domain.LOST_RECEIPT:
            return
        if fate & domain.LATE_RECEIPT:
            seconds += faults.late_seconds
        if submission.by_app:
            states = [
                state
                for state, bit in (
                    ("delivered", domain.APP_DELIVERED),
                    ("opened", domain.APP_OPENED),
                    ("clicked", domain.APP_CLICKED),
                )
                if fate & bit and (state != "clicked" or fate & domain.APP_OPENED)
            ]
        else:
            states = ["undelivered" if fate & domain.UNDELIVERED else "delivered"]
            if fate & (domain.INTERMEDIATE_RECEIPT | domain.REORDERED_RECEIPT):
                states.insert(0, "sent")
        if fate & domain.REORDERED_RECEIPT:
            states.reverse()
        if fate & domain.DUPLICATE_RECEIPT:
            states = [state for state in states for _ in range(2)]
        for position, state in enumerate(states):
            self._callback(submission, state, seconds + position * faults.receipt_seconds)

    def _callback(self, submission: Submission, state: str, seconds: float) -> None:
        assert submission.report is not None
        log, sequence, run = self.log, submission.sequence, self._run

        def on_end(status: int) -> None:
            if 200 <= status < 300 and run == self._run:
                log.mark(sequence, state)

        for report in (submission.report, *submission.further_reports):
            self.courier.plan(Callback(submission.url, partial(report, submission, state), on_end), seconds)

    def _time(self) -> str:
        second, fraction = divmod(time.time(), 1)
        if second != self._second:
            self._second = second
            self._second_text = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        return f"{self._second_text}.{int(fraction * 1000):03d}Z"
