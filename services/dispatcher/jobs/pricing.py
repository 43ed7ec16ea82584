"""What asks vendors for the prices that they state only later."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from services.dispatcher import metrics
from services.dispatcher.accounts import Usable
from services.dispatcher.domain import PRICE_AFTER_SECONDS
from services.dispatcher.handlers import record_prices
from services.dispatcher.jobs.parts import Sending
from services.dispatcher.store.prices import (
    PriceQuestion,
    PriceQuestions,
    claim_price_questions,
    delete_price_questions,
    mark_alone,
)
from shared.codec import now
from shared.providers.provider import Price, Sought, Unclear
from shared.runtime import JobContext

ROUND_SECONDS = 1.0
REQUESTS_PER_ROUND_MAX = 10
"""Of each process, one after another: a small part of what a vendor takes, so that sending never feels it."""

ASKED_TOGETHER_MAX = 1000
AGAIN_SECONDS_MAX = 21_600.0
"""Times between questions double up to this."""

GIVE_UP_SECONDS = 259_200.0
"""A message whose price is not known by then, counted from its final state, keeps its estimate."""

HELD_SECONDS = 60.0
"""How long a tenant is left alone whose vendor or account gave no answer."""


@dataclass(slots=True)
class Pricing:
    """The questions of one process; `held` tells until when tenants are left alone."""

    sending: Sending
    held: dict[str, float] = field(default_factory=dict)

    async def ask(self, context: JobContext) -> None:
        """Asks within the limits until the service stops."""
        while not await context.sleep(ROUND_SECONDS):
            context.heartbeat.begin()
            for _ in range(REQUESTS_PER_ROUND_MAX):
                if not await self.ask_once():
                    break
                context.heartbeat.beat()
            context.heartbeat.end()

    async def ask_once(self) -> bool:
        """One request; False where nothing is due.

        Nothing is open or locked while the vendor thinks, and a crash at any point means to ask again.
        """
        database, clock = self.sending.database, time.monotonic()
        self.held = {user_id: until for user_id, until in self.held.items() if until > clock}
        async with database.transaction() as connection:
            claimed = await claim_price_questions(
                connection, self.held, ASKED_TOGETHER_MAX, PRICE_AFTER_SECONDS, AGAIN_SECONDS_MAX
            )
        if claimed is None:
            return False
        usable = await self.sending.accounts.find(claimed.channel, claimed.user_id, claimed.account_id)
        if isinstance(usable, Usable):
            sought = [Sought(one.provider_message_id, one.attempted_at, one.final_at) for one in claimed.questions]
            answer = await usable.provider.ask_prices(sought)
            provider = usable.provider_type
        else:
            answer, provider = Unclear(usable.reason), "none"
        if isinstance(answer, Unclear):
            self.held[claimed.user_id] = clock + HELD_SECONDS
            answer = {one.provider_message_id: None for one in claimed.questions}
        await self._record(claimed, provider, answer)
        return True

    async def _record(self, claimed: PriceQuestions, provider: str, answer: Mapping[str, Price | None]) -> None:
        known = {one.recipient_id: price for one in claimed.questions if (price := answer.get(one.provider_message_id))}
        missing = [one for one in claimed.questions if one.recipient_id not in known]
        given_up = [one.recipient_id for one in missing if _is_out_of_time(one)]
        unseen = [one.recipient_id for one in missing if one.provider_message_id not in answer]
        async with self.sending.database.transaction() as connection:
            await record_prices(connection, claimed.channel, provider, known)
            if len(claimed.questions) > 1:
                await mark_alone(connection, unseen)
            await delete_price_questions(connection, [*known, *given_up])
        for result, count in (("known", len(known)), ("given_up", len(given_up))):
            metrics.PRICES.labels(claimed.channel, provider, result).inc(count)


def _is_out_of_time(question: PriceQuestion) -> bool:
    return now() - question.final_at > timedelta(seconds=GIVE_UP_SECONDS)
