"""One account at a vendor that is reached by HTTP: joins the vendor's pure functions to the wire."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Any, cast

import msgspec

from contracts.content import count_segments
from shared.backoff import Backoff
from shared.providers.faults import Fault, outcome_of
from shared.providers.provider import (
    Capabilities,
    Deferred,
    Finding,
    HttpAnswer,
    HttpRequest,
    Message,
    Outcome,
    Prices,
    Refused,
    Sought,
    Tls,
    Unclear,
    Unknown,
    Verification,
    boottime,
)
from shared.providers.vendor import BatchVendor, PreparingVendor, PricingVendor, SingleVendor, Vendor
from shared.providers.wire import Wire

UNAUTHORIZED = Deferred("unauthorized")
"""A vendor's outcome for an answer that a fresh authorization may turn into a better one."""

SPLIT = Deferred("split")
"""A batch vendor's outcome for all messages of a request that was refused because of some of them."""

_ROUNDS_MAX = 16
"""Rounds of one `send`: ten halvings of a batch of 1,000, a fresh authorization, and what has to be sent again."""

_RESENDS_MAX = 3
_RESEND = Backoff(first_seconds=0.2, most_seconds=2.0)

Settle = Callable[[int, Outcome], None]


class _Call(msgspec.Struct, frozen=True, gc=False):
    """One request for the messages with these indexes. `sent_before` counts requests of which nobody knows the end."""

    indexes: Sequence[int]
    request: HttpRequest
    sent_before: int = 0


class _Left(msgspec.Struct, frozen=True, gc=False):
    """A call that settled nothing; `outcome` says why, and holds where nothing better comes."""

    call: _Call
    outcome: Outcome


class HttpProvider:
    """See `Provider`."""

    def __init__(self, vendor: Vendor, account: Any, wire: Wire, tls: Tls | None = None) -> None:
        self.capabilities: Capabilities = vendor.CAPABILITIES
        self._vendor = vendor
        self._account = account
        self._wire = wire
        self._lane = wire.lane(vendor.CAPABILITIES.in_flight_max, http2=vendor.CAPABILITIES.http2, tls=tls)
        self._authorizing: asyncio.Task[Refused | Deferred | None] | None = None

    def __repr__(self) -> str:
        return f"HttpProvider({self.capabilities.provider_type})"

    async def send(
        self, messages: Sequence[Message], deadline: float, on_outcome: Callable[[int, Outcome], None] | None = None
    ) -> list[Outcome]:
        """See `Provider.send`."""
        outcomes: list[Outcome] = [Unknown("closed")] * len(messages)

        def settle(index: int, outcome: Outcome) -> None:
            outcomes[index] = outcome
            if on_outcome is not None:
                on_outcome(index, outcome)

        if (problem := await self._authorize(None)) is not None:
            for index in range(len(messages)):
                settle(index, problem)
            return outcomes
        indexes: Sequence[int] = range(len(messages))
        if self.capabilities.prepares:
            indexes = await self._prepare(messages, deadline, settle)
        calls = self._calls(messages, indexes)
        authorized = False
        for _ in range(_ROUNDS_MAX):
            left = await self._send_once(messages, calls, deadline, settle)
            if not left:
                return outcomes
            unauthorized = [one for one in left if one.outcome is UNAUTHORIZED]
            problem = None
            if unauthorized:
                refused = unauthorized[0].call.request
                problem = Refused("config", "401") if authorized else await self._authorize(refused)
                authorized = True
            calls = await self._next_calls(messages, left, problem, deadline, settle)
        for call in calls:
            _settle_all(call.indexes, Unknown("rounds") if call.sent_before else Deferred("rounds"), settle)
        return outcomes

    def units(self, messages: Sequence[Message]) -> int:
        """See `Provider.units`."""
        match self.capabilities.rate_unit:
            case "segments":
                return sum(count_segments(message.text).count for message in messages)
            case "requests":
                return len(self._groups(messages, range(len(messages))))
        return len(messages)

    def limit(self, in_flight_max: int) -> int:
        """See `Provider.limit`."""
        return self._lane.limit(in_flight_max)

    async def ask(self, message: Message, attempted_at: datetime, others: Collection[str] = ()) -> Finding:
        """See `Provider.ask`."""
        if not self.capabilities.can_be_asked:
            return Unclear("cannot_be_asked")
        if await self._authorize(None) is not None:
            return Unclear("unauthorized")
        request = self._vendor.question(self._account, message, attempted_at)
        if request is None:
            return Unclear("cannot_be_asked")
        answer = await self._exchange(request)
        if isinstance(answer, Fault):
            return Unclear(answer.kind)
        return self._vendor.finding(self._account, message, attempted_at, others, answer)

    async def ask_prices(self, sought: Sequence[Sought], page: HttpRequest | None = None) -> Prices | Unclear:
        """See `Provider.ask_prices`."""
        if self.capabilities.price != "later":
            return Unclear("cannot_be_asked")
        if await self._authorize(None) is not None:
            return Unclear("unauthorized")
        vendor = cast("PricingVendor", self._vendor)
        answer = await self._exchange(page or vendor.price_question(self._account, sought))
        if isinstance(answer, Fault):
            return Unclear(answer.kind)
        prices = vendor.prices(self._account, answer)
        return Unclear(f"status_{answer.status}") if prices is None else prices

    async def verify(self) -> Verification:
        """See `Provider.verify`."""
        match await self._authorize(None):
            case Refused(_, code):
                return Verification(works=False, detail=f"the vendor refused the credentials ({code})")
            case Deferred(reason):
                return Verification(works=False, detail=f"the vendor could not be asked ({reason})")
        answer = await self._exchange(self._vendor.verification(self._account))
        if isinstance(answer, Fault):
            return Verification(works=False, detail=f"the vendor could not be asked ({answer.kind})")
        return self._vendor.verified(self._account, answer)

    async def close(self) -> None:
        """See `Provider.close`."""
        if self._authorizing is not None:
            self._authorizing.cancel()
        self._lane.refuse_waiting()

    # --- requests and what became of them -------------------------------------------------------------------------

    def _calls(self, messages: Sequence[Message], indexes: Sequence[int]) -> list[_Call]:
        return [_Call(part, self._request(messages, part)) for part in self._groups(messages, indexes)]

    def _groups(self, messages: Sequence[Message], indexes: Sequence[int]) -> list[Sequence[int]]:
        if self.capabilities.batch_max == 1:
            return [(index,) for index in indexes]
        groups = cast("BatchVendor", self._vendor).groups(self._account, [messages[index] for index in indexes])
        return [[indexes[position] for position in group] for group in groups]

    def _request(self, messages: Sequence[Message], indexes: Sequence[int]) -> HttpRequest:
        if self.capabilities.batch_max == 1:
            return cast("SingleVendor", self._vendor).request(self._account, messages[indexes[0]])
        batch = [messages[index] for index in indexes]
        return cast("BatchVendor", self._vendor).batch_request(self._account, batch)

    def _read(self, messages: Sequence[Message], call: _Call, answer: HttpAnswer) -> Sequence[Outcome]:
        if self.capabilities.batch_max == 1:
            single = cast("SingleVendor", self._vendor)
            return (single.outcome(self._account, messages[call.indexes[0]], answer),)
        batch = [messages[index] for index in call.indexes]
        return cast("BatchVendor", self._vendor).batch_outcomes(self._account, batch, answer)

    async def _send_once(
        self, messages: Sequence[Message], calls: Sequence[_Call], deadline: float, settle: Settle
    ) -> list[_Left]:
        """Makes the calls and settles all that has an outcome; returns the others."""
        left: list[_Left] = []
        resend_is_safe = self.capabilities.resend_is_safe

        def on_done(position: int, result: HttpAnswer | Fault) -> None:
            call = calls[position]
            found: Sequence[Outcome]
            if isinstance(result, Fault):
                found = (outcome_of(result),) * len(call.indexes)
            elif 300 <= result.status < 400:
                found = (_redirected(result),) * len(call.indexes)
            else:
                found = self._read(messages, call, result)
            first = found[0]
            if first is UNAUTHORIZED or first is SPLIT:
                left.append(_Left(call, first))
            elif resend_is_safe and (reason := _open_because(call, first)) is not None:
                left.append(_Left(call, Unknown(reason)))
            else:
                for index, outcome in zip(call.indexes, found, strict=True):
                    settle(index, outcome)

        await self._lane.exchange_all([call.request for call in calls], deadline, on_done)
        return left

    async def _next_calls(
        self,
        messages: Sequence[Message],
        left: Sequence[_Left],
        unauthorized: Refused | Deferred | None,
        deadline: float,
        settle: Settle,
    ) -> list[_Call]:
        """The calls of the next round, where another try can help; settles the others."""
        calls: list[_Call] = []
        pause = 0.0
        for one in left:
            call = one.call
            if one.outcome is UNAUTHORIZED:
                if unauthorized is not None:
                    _settle_all(call.indexes, unauthorized, settle)
                else:
                    request = self._request(messages, call.indexes)
                    calls.append(_Call(call.indexes, request, call.sent_before))
            elif one.outcome is SPLIT:
                middle = len(call.indexes) // 2
                for half in (call.indexes[:middle], call.indexes[middle:]):
                    calls.append(_Call(half, self._request(messages, half)))
            elif call.sent_before >= _RESENDS_MAX or boottime() >= deadline:
                _settle_all(call.indexes, one.outcome, settle)
            else:
                calls.append(_Call(call.indexes, call.request, call.sent_before + 1))
                pause = max(pause, _RESEND.delay(call.sent_before + 1))
        if pause:
            await asyncio.sleep(pause)
        return calls

    async def _prepare(self, messages: Sequence[Message], deadline: float, settle: Settle) -> list[int]:
        """Lets the vendor hear of new addresses; settles messages to those it will not have, returns the others."""
        vendor, account = cast("PreparingVendor", self._vendor), self._account
        ready: list[int] = []
        asked: list[tuple[int, HttpRequest]] = []
        for index, message in enumerate(messages):
            request = vendor.preparation(account, message)
            if request is None:
                ready.append(index)
            else:
                asked.append((index, request))

        def on_done(position: int, result: HttpAnswer | Fault) -> None:
            index = asked[position][0]
            if isinstance(result, Fault):
                settle(index, Deferred(result.kind))
            elif 300 <= result.status < 400:
                settle(index, _redirected(result))
            elif (problem := vendor.prepared(account, messages[index], result)) is not None:
                settle(index, problem)
            else:
                ready.append(index)

        await self._lane.exchange_all([request for _, request in asked], deadline, on_done)
        return sorted(ready)

    async def _exchange(self, request: HttpRequest) -> HttpAnswer | Fault:
        return await self._lane.exchange(request, boottime() + self._wire.timeout_seconds)

    async def _authorize(self, refused: HttpRequest | None) -> Refused | Deferred | None:
        """Makes sure of a valid authorization; concurrent callers share one request. None means that there is one."""
        step = self._vendor.authorize(self._account, refused)
        if step is None:
            return None
        if self._authorizing is None or self._authorizing.done():
            loop = asyncio.get_running_loop()

            def exchange(request: HttpRequest) -> HttpAnswer:
                future = asyncio.run_coroutine_threadsafe(self._exchange(request), loop)
                answer = future.result(self._wire.timeout_seconds + 5)
                if isinstance(answer, Fault):
                    raise ConnectionError(answer.kind)
                return answer

            self._authorizing = asyncio.create_task(asyncio.to_thread(step, exchange))
        return await asyncio.shield(self._authorizing)


def _redirected(answer: HttpAnswer) -> Refused:
    """No vendor redirects: whoever answers is somebody else."""
    return Refused("config", f"redirect_{answer.status}")


def _settle_all(indexes: Sequence[int], outcome: Outcome, settle: Settle) -> None:
    for index in indexes:
        settle(index, outcome)


def _open_because(call: _Call, outcome: Outcome) -> str | None:
    """Why nobody knows yet what became of a call whose vendor takes it once, however often it is made."""
    match outcome:
        case Unknown(reason):
            return reason
        case Deferred(reason) | Refused("config", reason) if call.sent_before:
            return reason
    return None
