"""Answers for which several services are asked, because services do not ask each other."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, quote, urlencode
from uuid import uuid4

import msgspec
from pydantic import ValidationError

from contracts.channels import CHANNELS, Channel
from contracts.http.campaigns import CampaignForecast, CampaignTest
from contracts.http.endpoints import BASE
from contracts.http.model import Model
from contracts.http.plans import Addressee, CampaignPlan, Trial
from contracts.http.sending import SendContent, SendMessage, SendWrite
from contracts.waiting import describe_waiting
from services.gateway.handlers.owners import Owners
from services.gateway.handlers.sending import request_sends
from services.gateway.store.answers import Answer
from shared.database import Transactions
from shared.http import Problem, field_errors

UNLAUNCHED = ("draft", "scheduled")
EVENTS_MAX = 100
"""Of one recipient, in an explanation."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request about one campaign. `names` are the parts of its path, `query` as it was sent."""

    database: Transactions
    owners: Owners
    user_id: str
    path: str
    names: Mapping[str, str]
    query: str
    body: bytes

    @property
    def channel(self) -> Channel:
        """The channel in the path."""
        return CHANNELS[self.path.removeprefix(BASE).split("/")[1]]

    @property
    def campaign_id(self) -> str:
        """As it stands in the path; whoever is asked judges it."""
        return quote(self.names["id"], safe="")

    def internal(self, action: str) -> str:
        """Where services tell each other about the campaign."""
        return f"/internal/{self.channel.name}/campaigns/{self.campaign_id}/{action}"

    async def ask(self, owner: str, method: str, target: str, body: bytes = b"") -> Answer:
        """The owner's answer, whatever it is."""
        headers = {"content-type": "application/json"}
        return await self.owners.ask(owner, method, target, self.user_id, headers, body)

    async def want(self, owner: str, method: str, target: str, body: bytes = b"") -> Any:
        """The data in an owner's answer; raises `Unwanted` when it is a problem."""
        answer = await self.ask(owner, method, target, body)
        if answer.status >= 400:
            raise Unwanted(answer)
        return json.loads(answer.body)["data"]

    async def plan(self) -> CampaignPlan:
        """What the campaign would do; raises `Unwanted` for one that is not there."""
        answer = await self.ask("campaign", "GET", self.internal("plan"))
        if answer.status >= 400:
            raise Unwanted(answer)
        return msgspec.json.decode(answer.body, type=CampaignPlan)


class Unwanted(Exception):
    """An owner's problem, which becomes the answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(f"status {answer.status}")
        self.answer = answer


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


def _data(data: Any, status: int = 200) -> Answer:
    return Answer(status, "application/json", json.dumps({"data": data}, ensure_ascii=False).encode())


def _read(kind: type[Model], body: bytes) -> Any:
    try:
        return kind.model_validate_json(body or b"{}")
    except ValidationError as error:
        raise Problem(422, "Invalid input", errors=field_errors(error)) from None


# --- before the launch -----------------------------------------------------------------------------------------------


async def forecast(asked: Asked) -> Answer:
    """The audience's forecast, with what it costs and how long it takes by the dispatcher's word."""
    wanted = _read(CampaignForecast, asked.body)
    plan = await asked.plan()
    if plan.status not in UNLAUNCHED:
        detail = f"a campaign that is {plan.status} has its accounting instead of a forecast"
        raise Problem(409, "Not possible", detail)
    if plan.content is None:
        raise Problem(422, "Not ready", errors=[_finding(one) for one in plan.blockers])
    target = asked.internal("forecast") + ("?restart=true" if wanted.restart else "")
    answer = await asked.ask("audience", "POST", target, msgspec.json.encode(plan))
    if answer.status >= 400:
        return answer
    data = json.loads(answer.body)["data"]
    quoted = await _quote(asked, plan, data) if data["complete"] else {"drainReason": "expanding"}
    _add_prices(data, quoted)
    data["providerId"] = plan.provider_id and str(plan.provider_id)
    data["blockers"] = [_finding(one) for one in plan.blockers]
    data["warnings"] = [*(_finding(one) for one in plan.warnings), *_outlook(data)]
    return _data(data, answer.status)


_UNQUOTED: Mapping[int, str] = {404: "provider_missing", 409: "provider_configuration"}


async def _quote(asked: Asked, plan: CampaignPlan, data: Mapping[str, Any]) -> dict[str, Any]:
    """What the dispatcher says about price and pace; nothing but the reason where it cannot say."""
    if plan.provider_id is None:
        return {"drainReason": "provider_missing"}
    question = {
        "channel": asked.channel.name,
        "providerId": str(plan.provider_id),
        "recipients": data["recipients"],
        "segments": data["segments"]["total"],
        "byCountry": data["countries"],
    }
    answer = await asked.ask("dispatcher", "POST", "/internal/quotes", json.dumps(question).encode())
    if answer.status != 200:
        return {"drainReason": _UNQUOTED.get(answer.status, "unavailable")}
    found: dict[str, Any] = json.loads(answer.body)["data"]
    return found


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


def _finding(one: Any) -> dict[str, str]:
    return {"code": one.code, "field": one.field, "message": one.message}


async def test(asked: Asked) -> Answer:
    """Sends the campaign's content to a few people as single messages, each once per `testId`."""
    wanted: CampaignTest = _read(CampaignTest, asked.body)
    plan = await asked.plan()
    if plan.blockers or plan.content is None:
        raise Problem(422, "Not ready", errors=[_finding(one) for one in plan.blockers])
    people = [Addressee(customer_id=p.customer_id, address=p.address, variables=p.variables) for p in wanted.recipients]
    trial = msgspec.json.encode(Trial(plan=plan, recipients=people))
    found = await asked.want("audience", "POST", asked.internal("test"), trial)
    test_id = wanted.test_id or uuid4()
    content = SendContent.model_validate(msgspec.to_builtins(plan.content))
    shown, messages = [], []
    for number, one in enumerate(found):
        request_id = f"test-{plan.campaign_id}-{test_id}-{number}"
        if one["excluded"] is None:
            messages.append(
                SendMessage(
                    request_id=request_id,
                    channel=asked.channel.name,
                    customer_id=one["customerId"],
                    address=one["address"],
                    content=content,
                    variables=one["variables"],
                    provider_id=plan.provider_id,
                )
            )
        shown.append(
            {
                "requestId": request_id,
                "status": "accepted" if one["excluded"] is None else "excluded",
                "reason": one["excluded"],
                "message": one["sample"],
            }
        )
    if messages:
        await request_sends(asked.database, asked.user_id, SendWrite(messages=messages), test_of=plan.campaign_id)
    return _data({"testId": str(test_id), "messages": shown}, 202)


async def recipients(asked: Asked) -> Answer:
    """The ledger's recipients; before the launch those who were added."""
    plan = await asked.plan()
    owner = "audience" if plan.status in UNLAUNCHED else "dispatcher"
    return await asked.ask(owner, "GET", asked.path + (f"?{asked.query}" if asked.query else ""))


# --- why -------------------------------------------------------------------------------------------------------------


async def explain(asked: Asked) -> Answer:
    """Why a customer is in or out, and what became of the messages to their addresses."""
    customer_id = _one_of_query(asked.query, "customerId")
    plan = await asked.plan()
    rules = await _rules(asked, plan, customer_id)
    found = []
    for address in rules.pop("addresses"):
        found += await _recipients_at(asked, address)
    own = [one for one in found if one["customerId"] == customer_id]
    if own:
        rules["decision"] = RECIPIENT
    elif found and rules["decision"] == RECIPIENT:
        rules["decision"] = "duplicate"
        rules["rules"].append(
            {
                "rule": "duplicate",
                "met": False,
                "message": "the address was reached already, as somebody else's",
                "details": {"recipientIds": [one["id"] for one in found]},
            }
        )
    stories = [await _story(asked, one["id"]) for one in own]
    return _data({"customerId": customer_id, **rules, "recipients": stories})


RECIPIENT = "recipient"


async def explain_recipient(asked: Asked) -> Answer:
    """One recipient: the rules that let them in, each attempt, each thing that was heard since."""
    plan = await asked.plan()
    story = await _story(asked, quote(asked.names["recipientId"], safe=""))
    customer_id = story["recipient"]["customerId"]
    rules: dict[str, Any] | None = None
    if customer_id is not None:
        try:
            rules = await _rules(asked, plan, customer_id)
            del rules["addresses"]
        except Unwanted as problem:
            if problem.answer.status != 404:
                raise
    return _data({**story, "rules": None if rules is None else rules["rules"], "audience": rules})


async def _rules(asked: Asked, plan: CampaignPlan, customer_id: str) -> dict[str, Any]:
    target = f"{asked.internal('explain')}?{urlencode({'customerId': customer_id})}"
    found: dict[str, Any] = await asked.want("audience", "POST", target, msgspec.json.encode(plan))
    return found


async def _recipients_at(asked: Asked, address: str) -> list[dict[str, Any]]:
    target = f"{BASE}/{asked.channel.name}/campaigns/{asked.campaign_id}/recipients"
    query = urlencode({asked.channel.address_field: address})
    found: list[dict[str, Any]] = await asked.want("dispatcher", "GET", f"{target}?{query}")
    return found


async def _story(asked: Asked, recipient_id: str) -> dict[str, Any]:
    """The ledger's word and the event log's about one recipient."""
    target = f"{BASE}/{asked.channel.name}/campaigns/{asked.campaign_id}/recipients/{recipient_id}/explain"
    story: dict[str, Any] = await asked.want("dispatcher", "GET", target)
    query = urlencode({"campaignId": asked.campaign_id, "recipientId": recipient_id, "limit": EVENTS_MAX})
    story["events"] = await asked.want("analytics", "GET", f"{BASE}/events?{query}")
    return story


def _one_of_query(query: str, name: str) -> str:
    found = parse_qs(query).get(name, [])
    if len(found) != 1:
        raise Problem(422, "Invalid input", errors=[{"field": name, "message": "is required, once"}])
    return found[0]


COMPOSITIONS: Mapping[str, Callable[[Asked], Awaitable[Answer]]] = {
    one.__name__: one for one in (forecast, test, recipients, explain, explain_recipient)
}
