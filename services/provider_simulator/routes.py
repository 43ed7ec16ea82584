"""The pages under `/_simulator/`: log, faults, a fresh start, and the customer who writes back."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import parse_qs

import msgspec

from services.provider_simulator import domain, nexmo, sinch, sns, twilio
from services.provider_simulator.callbacks import Callback
from services.provider_simulator.domain import Faults
from services.provider_simulator.handlers import Destination, Inbound, Simulator
from shared.probes import AsgiApp, Receive, Scope, Send

_BODY_BYTES_MAX = 65_536


INBOUND = {
    "twilio": twilio.inbound_request,
    "nexmo": nexmo.inbound_request,
    "sinch": sinch.inbound_request,
    "aws_sns": sns.inbound_request,
}
"""How the message of a person reaches us, by provider type: (message, secret) -> (id, the whole request)."""


def build_routes(simulator: Simulator) -> AsgiApp:
    """The control pages as a raw ASGI application."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        match scope["method"], scope["path"]:
            case "GET", "/_simulator/log":
                await _send_log(simulator, scope, send)
            case "GET", "/_simulator/faults":
                await _answer(send, 200, simulator.fates.faults)
            case "PUT", "/_simulator/faults":
                await _set_faults(simulator, receive, send)
            case "PUT", "/_simulator/log-destinations":
                await _set_destinations(simulator, receive, send)
            case "POST", "/_simulator/reset":
                simulator.reset()
                await _answer(send, 200, {"requests": 0})
            case "POST", "/_simulator/inbound":
                await _receive_inbound(simulator, receive, send)
            case _:
                await _problem(send, 404, "no such page of the simulator")

    return app


async def _send_log(simulator: Simulator, scope: Scope, send: Send) -> None:
    query = parse_qs(scope["query_string"].decode("latin-1"))
    after = query.get("after", ["0"])[0]
    if not after.isdecimal():
        await _problem(send, 400, "after must be a sequence number")
        return
    headers = [(b"content-type", b"application/jsonl"), (b"transfer-encoding", b"chunked")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    for lines in simulator.log.read(int(after)):
        await send({"type": "http.response.body", "body": lines, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def _set_faults(simulator: Simulator, receive: Receive, send: Send) -> None:
    try:
        faults = msgspec.json.decode(await _body(receive), type=Faults)
    except msgspec.DecodeError as error:
        await _problem(send, 400, str(error))
        return
    problems = domain.problems_of(faults)
    if problems:
        await _problem(send, 400, "invalid faults", problems)
        return
    simulator.set_faults(faults)
    await _answer(send, 200, faults)


async def _set_destinations(simulator: Simulator, receive: Receive, send: Send) -> None:
    try:
        destinations = msgspec.json.decode(await _body(receive), type=dict[str, Destination])
    except msgspec.DecodeError as error:
        await _problem(send, 400, str(error))
        return
    simulator.destinations = destinations
    await _answer(send, 200, {"destinations": len(destinations)})


async def _receive_inbound(simulator: Simulator, receive: Receive, send: Send) -> None:
    try:
        inbound = msgspec.json.decode(await _body(receive), type=Inbound)
    except msgspec.DecodeError as error:
        await _problem(send, 400, str(error))
        return
    make = INBOUND.get(inbound.provider)
    if make is None:
        await _problem(send, 400, f"provider must be one of {', '.join(INBOUND)}")
        return
    secret = inbound.secret or simulator.secrets.get(inbound.account)
    if secret is None:
        await _problem(send, 409, "this account has not sent anything yet: give its secret")
        return
    message_id, request = make(inbound, secret)
    ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def on_end(status: int) -> None:
        if not ended.done():
            ended.set_result(status)

    simulator.courier.plan(Callback(inbound.url, lambda: request, on_end), 0.0)
    await _answer(send, 200, {"id": message_id, "status": await ended})


async def _body(receive: Receive) -> bytes:
    body = b""
    while True:
        message = await receive()
        body += bytes(message.get("body", b""))
        if not message.get("more_body") or len(body) > _BODY_BYTES_MAX:
            return body


async def _answer(send: Send, status: int, value: Any, content_type: bytes = b"application/json") -> None:
    body = msgspec.json.encode(value)
    headers = [(b"content-type", content_type), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _problem(send: Send, status: int, title: str, errors: list[tuple[str, str]] | None = None) -> None:
    problem = {"type": "about:blank", "title": title, "status": status}
    if errors:
        problem["errors"] = [{"field": field, "message": message} for field, message in errors]
    await _answer(send, status, problem, b"application/problem+json")
