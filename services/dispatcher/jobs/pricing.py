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
    PriceQuestions,
    claim_price_questions,
    delete_price_questions,
    find_asked,
    mark_alone,
)
from shared.codec import now
from shared.providers.provider import Price, Sought, Unclear
from shared.runtime import JobContext

ROUND_SECONDS = 1.0
REQUEST_SECONDS = 0.1
"""Between two requests of a process: a small part of what a vendor takes, so that sending never feels it."""

ASKED_TOGETHER_MAX = 1000
PAGES_MAX = 100
"""Of one answer; whoever is not on them, or behind a page that shows nobody, is asked for alone."""

_TOO_LARGE = Unclear("too_large")

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
            while not context.stopping.is_set() and await self.ask_once(context):
                context.heartbeat.beat()
            context.heartbeat.end()

    async def ask_once(self, context: JobContext) -> bool:
        """Asks for the messages of one account; False where nothing is due.

        Nothing is open or locked while the vendor thinks, and a crash at any point means to ask again.
        """
        clock = time.monotonic()
        self.held = {user_id: until for user_id, until in self.held.items() if until > clock}
        async with self.sending.database.transaction() as connection:
            claimed = await claim_price_questions(
                connection, self.held, ASKED_TOGETHER_MAX, PRICE_AFTER_SECONDS, AGAIN_SECONDS_MAX
            )
        if claimed is None:
            return False
        usable = await self.sending.accounts.find(claimed.channel, claimed.user_id, claimed.account_id)
        answered = isinstance(usable, Usable) and await self._read_pages(claimed, usable, context)
        if not answered:
            self.held[claimed.user_id] = clock + HELD_SECONDS
        await self._give_up(claimed)
        return True

    async def _read_pages(self, claimed: PriceQuestions, usable: Usable, context: JobContext) -> bool:
        """Records what the vendor says page by page; False where it does not answer."""
        left = {one.provider_message_id: one.recipient_id for one in claimed.questions}
        sought = [Sought(one.provider_message_id, one.attempted_at, one.final_at) for one in claimed.questions]
        page = None
        for _ in range(PAGES_MAX):
            answer = await usable.provider.ask_prices(sought, page)
            if answer == _TOO_LARGE and len(sought) > 1:
                break
            if isinstance(answer, Unclear):
                return False
            progress = await self._record(claimed, usable.provider_type, answer.known)
            progress += sum(left.pop(message_id, None) is not None for message_id in answer.known)
            if await context.sleep(REQUEST_SECONDS):
                return True
            page = answer.more
            if page is None or not progress:
                break
            context.heartbeat.beat()
        if left and len(sought) > 1:
            async with self.sending.database.transaction() as connection:
                await mark_alone(connection, list(left.values()))
        return True

    async def _record(self, claimed: PriceQuestions, provider: str, stated: Mapping[str, Price | None]) -> int:
        """Prices of any of the tenant's messages that are to be asked for; says of how many."""
        prices = {message_id: price for message_id, price in stated.items() if price is not None}
        async with self.sending.database.transaction() as connection:
            asked = await find_asked(connection, claimed.channel, claimed.user_id, prices)
            known = {recipient_id: prices[message_id] for recipient_id, message_id in asked.items()}
            await record_prices(connection, self.sending.guard, claimed.channel, provider, known)
            await delete_price_questions(connection, list(known))
        metrics.PRICES.labels(claimed.channel, provider, "known").inc(len(known))
        return len(known)

    async def _give_up(self, claimed: PriceQuestions) -> None:
        earliest = now() - timedelta(seconds=GIVE_UP_SECONDS)
        late = [one.recipient_id for one in claimed.questions if one.final_at < earliest]
        if late:
            async with self.sending.database.transaction() as connection:
                given_up = await delete_price_questions(connection, late)
            metrics.PRICES.labels(claimed.channel, "any", "given_up").inc(given_up)
