"""What a campaign would do, cost and take: by the audience's forecast, and by the dispatcher's word."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import msgspec

from contracts.http.campaigns import CampaignForecast
from contracts.http.plans import OVER_ONE_SEGMENT, CampaignPlan
from contracts.waiting import describe_waiting
from services.gateway.handlers.asking import NO_AUDIENCE, UNLAUNCHED, Asked, Unwanted, answer_with, shown_finding
from services.gateway.store.answers import Answer
from shared.http import Problem, read_shape


async def forecast(asked: Asked) -> Answer:
    """The audience's forecast, with what it costs and how long it takes by the dispatcher's word."""
    wanted = read_shape(CampaignForecast, asked.body or b"{}")
    plan = await asked.plan()
    if plan.status not in UNLAUNCHED:
        detail = f"a campaign that is {plan.status} has its accounting instead of a forecast"
        raise Problem(409, "Not possible", detail)
    if plan.content is None:
        raise Problem(422, "Not ready", errors=[shown_finding(one) for one in plan.blockers])
    target = asked.internal("forecast") + ("?restart=true" if wanted.restart else "")
    answer = await asked.ask("audience", "POST", target, msgspec.json.encode(plan))
    if answer.status >= 400:
        return answer
    data = json.loads(answer.body)["data"]
    _add_prices(data, await _quote(asked, plan, data))
    data["providerId"] = plan.provider_id and str(plan.provider_id)
    blockers = plan.blockers + [NO_AUDIENCE] * (data["audience"] == 0 and not plan.audience_filter)
    data["blockers"] = [shown_finding(one) for one in blockers]
    guessed = {OVER_ONE_SEGMENT} if data["complete"] else set()
    data["warnings"] = [*(shown_finding(one) for one in plan.warnings if one.code not in guessed), *_outlook(data)]
    return answer_with(data, answer.status)


async def _quote(asked: Asked, plan: CampaignPlan, data: Mapping[str, Any]) -> dict[str, Any]:
    """What the dispatcher says about price and pace, or else only why it cannot say."""
    if not data["complete"]:
        return {"drainReason": "forecast_running"}
    if plan.provider_id is None:
        return {"drainReason": "no_provider"}
    question = {
        "channel": asked.channel.name,
        "providerId": str(plan.provider_id),
        "recipients": data["recipients"],
        "segments": data["segments"]["total"],
        "byCountry": data["countries"],
    }
    answer = await asked.ask("dispatcher", "POST", "/internal/quotes", json.dumps(question).encode())
    if answer.status in (404, 409):
        return {"drainReason": "provider_unusable"}
    if answer.status != 200:
        raise Unwanted(answer)
    quoted: dict[str, Any] = json.loads(answer.body)["data"]
    return quoted


def _add_prices(data: dict[str, Any], quoted: Mapping[str, Any]) -> None:
    prices = {one["country"]: one for one in quoted.get("byCountry", ())}
    for country in data["countries"]:
        price = prices.get(country["country"], {})
        country |= {"costMicros": price.get("micros"), "currency": price.get("currency")}
    for name in ("cost", "untariffed", "ratePerSecond", "rateUnit", "drainSeconds", "drainReason"):
        data[name] = quoted.get(name)
    data["drainText"] = describe_waiting(data["drainReason"])


def _outlook(data: Mapping[str, Any]) -> list[dict[str, str]]:
    """Warnings that only a complete forecast can give."""
    found = []
    over = data["exclusions"].get("over_limit", 0)
    if data["complete"] and not data["recipients"]:
        found.append(("no_recipients", "audienceFilter", "nobody would get this campaign"))
    segments = {int(count): people for count, people in data["segments"]["histogram"].items() if int(count) > 1}
    if data["complete"] and segments:
        needed = ", ".join(f"{people:,} of {data['recipients']:,} need {count}" for count, people in segments.items())
        found.append((OVER_ONE_SEGMENT, "templateId", f"takes more than one SMS segment: {needed}, each charged"))
    if over:
        found.append(
            ("over_limit", "audienceFilter", f"a campaign has at most 1,000,000 recipients: {over:,} get nothing")
        )
    if data["tooLong"]:
        found.append(("too_long", "templateId", f"is too long for {data['tooLong']:,} once their values are filled in"))
    if data["missingVariables"]:
        missing = ", ".join(f"{{{{{name}}}}} for {count:,}" for name, count in data["missingVariables"].items())
        found.append(("missing_variables", "templateId", f"has no value and no fallback: {missing}; they get nothing"))
    return [{"code": code, "field": field, "message": message} for code, field, message in found]
