"""What a test of a campaign would send to whom, found out as for any other single message."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from contracts.channels import Channel
from contracts.content import SAMPLE_VALUES
from contracts.events import Content, SendRequested
from contracts.http.plans import Addressee, CampaignPlan
from contracts.links import with_sample_links
from services.audience.domain.forecasts import Sample, Texts
from services.audience.handlers.requesting import judge_requests, read_request
from shared.codec import now
from shared.database import Connection
from shared.errors import Rejected
from shared.ids import new_id


@dataclass(frozen=True, slots=True)
class Tested:
    """One addressee: the (field, message) of a problem, why nothing would be sent, or what would be."""

    addressee: Addressee
    problem: tuple[str, str] | None = None
    excluded: str | None = None
    variables: dict[str, str] | None = None
    sample: Sample | None = None


async def try_on(
    connection: Connection,
    user_id: str,
    channel: Channel,
    content: Content,
    plan: CampaignPlan,
    addressees: Sequence[Addressee],
    link_base_url: str,
) -> list[Tested]:
    """One entry per addressee, in order. Placeholders that nobody gave a value get a sample's, links lead nowhere.

    Whoever refuses messages of the plan's category gets no test of them.
    """
    texts = Texts.of(channel, with_sample_links(content, link_base_url))
    found = []
    for addressee in addressees:
        variables = dict(addressee.variables or {})
        if addressee.address is not None:
            variables = {name: SAMPLE_VALUES.get(name, "sample") for name in texts.required} | variables
        event = SendRequested(
            event_id=new_id(),
            occurred_at=now(),
            user_id=user_id,
            request_id=str(new_id()),
            channel=channel.name,
            customer_id=addressee.customer_id,
            address=addressee.address,
            content=content,
            variables=variables or None,
            category=plan.category,
            provider_id=plan.provider_id,
        )
        try:
            request = read_request(event)
            await judge_requests(connection, [request])
        except Rejected as error:
            field, _, message = str(error).partition(": ")
            found.append(Tested(addressee, problem=(field, message) if message else ("", field)))
            continue
        sample = None
        if request.excluded is None:
            address, device_type = next(iter(request.addresses.items()))
            unit = (event.customer_id, address, request.name, device_type, request.values)
            sample = texts.sample(unit, request.values)
        found.append(Tested(addressee, None, request.excluded, variables or None, sample))
    return found
