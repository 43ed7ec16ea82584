"""One account at a vendor that is reached by HTTP: joins the vendor's pure functions to the wire."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Any

from shared.providers.faults import Fault, outcome_of
from shared.providers.provider import (
    Capabilities,
    Deferred,
    Finding,
    HttpAnswer,
    HttpRequest,
    Message,
    Outcome,
    Refused,
    Unclear,
    Unknown,
    Vendor,
    Verification,
    boottime,
)
from shared.providers.wire import Wire

UNAUTHORIZED = Deferred("unauthorized")
"""A vendor's `outcome` for an answer that a fresh authorization may turn into a better one."""


class HttpProvider:
    """See `Provider`."""

    def __init__(self, vendor: Vendor, account: Any, wire: Wire) -> None:
        self.capabilities: Capabilities = vendor.CAPABILITIES
        self._vendor = vendor
        self._account = account
        self._wire = wire
        self._lane = wire.lane(vendor.CAPABILITIES.in_flight_max, http2=vendor.CAPABILITIES.http2)
        self._authorizing: asyncio.Task[Refused | Deferred | None] | None = None

    def __repr__(self) -> str:
        return f"HttpProvider({self.capabilities.provider_type})"

    async def send(
        self,
        messages: Sequence[Message],
        deadline: float,
        on_outcome: Callable[[int, Outcome], None] | None = None,
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
        again = await self._send_once(messages, range(len(messages)), deadline, settle)
        if again:
            indexes, refused = again
            if (problem := await self._authorize(refused)) is None:
                again = await self._send_once(messages, indexes, deadline, settle)
                indexes, problem = (again[0], Refused("config", "401")) if again else ([], None)
            for index in indexes:
                settle(index, problem or Refused("config", "401"))
        return outcomes

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

    async def _send_once(
        self,
        messages: Sequence[Message],
        indexes: Sequence[int],
        deadline: float,
        settle: Callable[[int, Outcome], None],
    ) -> tuple[list[int], HttpRequest] | None:
        """Settles all but those that a fresh authorization may help; returns these and one of their requests."""
        vendor, account = self._vendor, self._account
        requests = [vendor.request(account, messages[index]) for index in indexes]
        unauthorized: list[int] = []

        def on_done(position: int, result: HttpAnswer | Fault) -> None:
            index = indexes[position]
            outcome: Outcome
            if isinstance(result, Fault):
                outcome = outcome_of(result)
            elif 300 <= result.status < 400:
                outcome = Refused("config", f"redirect_{result.status}")
            else:
                outcome = vendor.outcome(account, messages[index], result)
            if outcome is UNAUTHORIZED:
                unauthorized.append(position)
            else:
                settle(index, outcome)

        await self._lane.exchange_all(requests, deadline, on_done)
        if not unauthorized:
            return None
        return [indexes[position] for position in unauthorized], requests[unauthorized[0]]

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
