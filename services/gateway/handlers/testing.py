"""Trying a campaign out on a few people."""

from __future__ import annotations

import msgspec

from contracts.http.campaigns import CampaignTest
from contracts.http.plans import Addressee, Trial
from contracts.http.sending import SendContent, SendMessage, SendWrite
from services.gateway.domain.limits import seconds_of_day_left
from services.gateway.handlers.asking import Asked, answer_with, shown_finding
from services.gateway.handlers.sending import request_sends
from services.gateway.store.answers import Answer
from services.gateway.store.testing import take_tests
from shared.codec import now
from shared.database import Connection
from shared.http import Problem, read_shape


async def test(asked: Asked) -> Answer:
    """Sends the campaign's content to a few people as single messages of its category, each once per `testId`.

    A 429 problem beyond what a tenant may try out on a day, over all replicas.
    """
    wanted = read_shape(CampaignTest, asked.body)
    plan = await asked.plan()
    if plan.blockers or plan.content is None:
        raise Problem(422, "Not ready", errors=[shown_finding(one) for one in plan.blockers])
    people = [Addressee(customer_id=p.customer_id, address=p.address, variables=p.variables) for p in wanted.recipients]
    trial = msgspec.json.encode(Trial(plan=plan, recipients=people))
    found = await asked.want("audience", "POST", asked.internal("test"), trial)
    test_id = wanted.test_id or asked.effect_id
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
                    category=plan.category,
                    provider_id=plan.provider_id,
                )
            )
        shown.append(
            {
                "requestId": request_id,
                "customerId": one["customerId"],
                "address": one["address"],
                "status": "accepted" if one["excluded"] is None else "excluded",
                "reason": one["excluded"],
                "message": one["sample"],
            }
        )
    if messages:
        async with asked.database.transaction() as connection:
            await _take_tests(asked, connection, len(messages))
            await request_sends(connection, asked.user_id, SendWrite(messages=messages), test_of=plan.campaign_id)
    return answer_with({"testId": str(test_id), "messages": shown}, 202)


async def _take_tests(asked: Asked, connection: Connection, messages: int) -> None:
    most = asked.owners.settings.test_messages_per_day
    if not await take_tests(connection, asked.user_id, messages, most):
        detail = f"at most {most} test messages a day are sent; a new day begins at midnight UTC"
        raise Problem(429, "Too many tests", detail, headers={"Retry-After": str(seconds_of_day_left(now()))})
