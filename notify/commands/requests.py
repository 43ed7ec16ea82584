"""`notify send-request`: what an internal service would publish."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated
from uuid import UUID

import typer
from aiokafka import AIOKafkaProducer

from contracts.channels import CHANNELS
from contracts.events import Content, SendRequested
from contracts.topics import SEND_REQUESTS
from notify.display import console
from notify.running import run
from notify.settings import find_settings
from shared.codec import encode, now
from shared.ids import new_id

PUBLISH_MS = 10_000


def send_request(
    user: Annotated[str, typer.Option(help="The user (tenant) in whose name it is sent.")],
    request_id: Annotated[str, typer.Option(help="The same id again sends nothing.")],
    channel: Annotated[str, typer.Option(help="sms or push.")] = "sms",
    address: Annotated[str | None, typer.Option(help="A phone number (+49…) or device token.")] = None,
    customer: Annotated[str | None, typer.Option(help="Or the id of a customer.")] = None,
    text: Annotated[str | None, typer.Option(help="The text.")] = None,
    title: Annotated[str | None, typer.Option(help="The title of a push message.")] = None,
    template: Annotated[UUID | None, typer.Option(help="Or the id of a template.")] = None,
    var: Annotated[list[str] | None, typer.Option(help="name=value for the template; may be repeated.")] = None,
    category: Annotated[str, typer.Option(help="transactional, or what the person can opt out of.")] = "transactional",
    expires_in: Annotated[int | None, typer.Option(min=1, help="Seconds after which it is not sent any more.")] = None,
) -> None:
    """Publish one send request on Kafka, as an internal service would."""
    if channel not in CHANNELS:
        raise typer.BadParameter(f"is one of {', '.join(CHANNELS)}", param_hint="--channel")
    if (address is None) == (customer is None):
        raise typer.BadParameter("give either --address or --customer")
    if (text is None) == (template is None):
        raise typer.BadParameter("give either --text or --template")
    variables = dict(one.split("=", 1) for one in var or [] if "=" in one)
    if len(variables) != len(var or []):
        raise typer.BadParameter("is name=value, each name once", param_hint="--var")
    at = now()
    event = SendRequested(
        event_id=new_id(),
        occurred_at=at,
        user_id=user,
        request_id=request_id,
        channel=channel,
        customer_id=customer,
        address=address,
        template_id=template,
        content=None if text is None else Content(body=text, title=title),
        variables=variables or None,
        category=category,
        expires_at=None if expires_in is None else at + timedelta(seconds=expires_in),
    )
    run(_publish(event))
    console.print(f"published {request_id}")


async def _publish(event: SendRequested) -> None:
    servers = find_settings().kafka
    async with AIOKafkaProducer(
        bootstrap_servers=servers, acks="all", enable_idempotence=True, request_timeout_ms=PUBLISH_MS
    ) as producer:
        await producer.send_and_wait(SEND_REQUESTS.name, encode(event), key=event.user_id.encode())
