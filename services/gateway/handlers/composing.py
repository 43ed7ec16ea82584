"""Answers for which several services are asked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from services.gateway.handlers.asking import UNLAUNCHED, Asked, Unwanted
from services.gateway.handlers.explaining import explain, explain_recipient
from services.gateway.handlers.forecasting import forecast
from services.gateway.handlers.testing import test
from services.gateway.store.answers import Answer


async def compose(name: str, asked: Asked) -> Answer:
    """The composed answer of a name in the table of endpoints; an owner's problem is passed on."""
    try:
        return await COMPOSITIONS[name](asked)
    except Unwanted as problem:
        return problem.answer


async def require_campaign(asked: Asked) -> Answer | None:
    """The problem of a campaign that is not there, else None."""
    try:
        await asked.plan()
    except Unwanted as problem:
        return problem.answer
    return None


async def recipients(asked: Asked) -> Answer:
    """The ledger's recipients; before the launch those who were added."""
    plan = await asked.plan()
    owner = "audience" if plan.status in UNLAUNCHED else "dispatcher"
    return await asked.ask(owner, "GET", asked.path + (f"?{asked.query}" if asked.query else ""))


COMPOSITIONS: Mapping[str, Callable[[Asked], Awaitable[Answer]]] = {
    one.__name__: one for one in (forecast, test, recipients, explain, explain_recipient)
}
