"""What a campaign will cost and how long it will take, before it starts; only the fleet may ask."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any, Literal
from uuid import UUID

from fastapi import APIRouter
from pydantic import Field

from contracts.channels import CHANNELS
from contracts.http.model import Model
from services.dispatcher.accounts import Accounts, Unusable, Usable
from services.dispatcher.domain import PROVIDER_MISSING, Portion, PricedPortion, Tariffs, estimate_drain, price_portions
from services.dispatcher.store.lots import count_ahead
from services.dispatcher.store.rates import find_speed
from shared.http import CurrentUser, Problem

COUNTRIES_MAX = 300
SEGMENTS_MAX = 100_000_000

AHEAD_SECONDS = 3600.0
"""What is due later than this is not counted as ahead of a campaign that starts now."""


class CountryQuestion(Model):
    """Recipients in one country (ISO 3166 alpha-2, or anything else where it is not known)."""

    country: str = Field(max_length=40)
    recipients: int = Field(ge=0, le=SEGMENTS_MAX)
    segments: int = Field(ge=0, le=SEGMENTS_MAX)


class Question(Model):
    """A campaign as its forecast sees it. Without `providerId` the tenant's first active account is meant."""

    channel: Literal[tuple(CHANNELS)]  # type: ignore[valid-type]
    provider_id: UUID | None = None
    recipients: int = Field(ge=0, le=SEGMENTS_MAX)
    segments: int = Field(ge=0, le=SEGMENTS_MAX)
    by_country: list[CountryQuestion] = Field(default=[], max_length=COUNTRIES_MAX)


def quote_routes(accounts: Accounts, tariffs: Tariffs) -> APIRouter:
    """`POST /internal/quotes`."""
    router = APIRouter()

    @router.post("/internal/quotes")
    async def quote(body: Question, user_id: CurrentUser) -> dict[str, Any]:
        channel = CHANNELS[body.channel]
        usable = await accounts.find(channel.name, user_id, body.provider_id)
        if isinstance(usable, Unusable):
            if usable.reason == PROVIDER_MISSING:
                raise Problem(404, "No such provider")
            raise Problem(409, "Not possible", f"the account cannot send: {usable.reason}")
        default = usable if body.provider_id is None else await accounts.find(channel.name, user_id, None)
        portions = [Portion(one.country, one.recipients, one.segments) for one in body.by_country]
        whole = Portion(None, body.recipients, body.segments)
        prices = price_portions(tariffs, channel, usable.provider_type, whole, portions)
        untariffed = sum(price.portion.recipients for price in prices if price.micros is None)
        async with accounts.database.pool.connection() as connection:
            speed = await find_speed(connection, usable.id, usable.per_second)
            ahead = await count_ahead(connection, user_id, channel.name, usable.id, default is usable, AHEAD_SECONDS)
        messages = ahead + body.recipients
        unit = usable.provider.capabilities.rate_unit
        drain = estimate_drain(speed, unit, messages * _units_of_message(usable, body), messages)
        return {
            "data": {
                "drainSeconds": None if drain is None else math.ceil(drain.seconds),
                "drainReason": "speed_unknown" if drain is None else None,
                "ratePerSecond": None if drain is None else drain.per_second,
                "rateUnit": unit if drain is None else drain.unit,
                "cost": _sums(prices),
                "byCountry": [
                    one.model_dump() | {"micros": price.micros, "currency": price.currency}
                    for one, price in zip(body.by_country, prices, strict=False)
                ],
                "untariffed": untariffed if channel.billed_by_segment else 0,
            }
        }

    return router


def _units_of_message(usable: Usable, body: Question) -> float:
    """On average; those ahead are taken to be like these, and batches to be full."""
    capabilities = usable.provider.capabilities
    if capabilities.rate_unit == "segments":
        return body.segments / body.recipients if body.recipients else 1.0
    return 1 / capabilities.batch_max if capabilities.rate_unit == "requests" else 1.0


def _sums(prices: list[PricedPortion]) -> list[dict[str, Any]]:
    sums: Counter[str] = Counter()
    for price in prices:
        if price.micros is not None and price.currency is not None:
            sums[price.currency] += price.micros
    return [{"currency": currency, "micros": micros} for currency, micros in sorted(sums.items())]
